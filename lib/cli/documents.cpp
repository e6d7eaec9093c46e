#include <assay/cli/documents.hpp>

#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <sstream>

namespace assay::cli {
namespace {

constexpr const char* kReleaseDate = ASSAY_RELEASE_DATE;

// Words of `text` in lines of at most `width` columns, each indented.
std::string wrapped(const std::string& text, int width, int indent) {
    std::string out, line;
    std::istringstream words(text);
    const auto room = static_cast<std::size_t>(std::max(20, width - indent));
    for (std::string word; words >> word;) {
        if (!line.empty() && line.size() + 1 + word.size() > room) {
            out += std::string(static_cast<std::size_t>(indent), ' ') + line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
    }
    if (!line.empty()) out += std::string(static_cast<std::size_t>(indent), ' ') + line + "\n";
    return out;
}

std::string paragraphs(const std::string& text, int width, int indent) {
    std::string out;
    for (const auto& paragraph : split(text, '\n'))
        out += paragraph.empty() ? "\n" : wrapped(paragraph, width, indent);
    return out;
}

std::string usage(const Tool& tool, const Declaration& d) {
    std::string line = tool.name + " " + d.name;
    if (d.input == InputKind::one) line += " [INPUT]";
    if (d.input == InputKind::several) line += " INPUT...";
    if (d.output != OutputKind::none) line += " [-o OUTPUT]";
    return line + " [options]";
}

std::string option_head(const OptionSpec& spec) {
    std::string head = join(spec.names, ", ");
    if (!spec.is_flag()) head += " " + spec.value_name;
    return head;
}

std::string default_of(const OptionSpec& spec) {
    if (!spec.default_text.empty()) return spec.default_text;
    return spec.is_flag() ? "" : spec.show();
}

// Description, choices, range and default as one sentence or two.
std::string option_body(const OptionSpec& spec) {
    std::string body = spec.description;
    if (!spec.choices.empty()) body += ": " + join(spec.choices, ", ");
    std::vector<std::string> facts;
    if (spec.minimum && spec.maximum)
        facts.push_back(significant(*spec.minimum, 6) + " to " + significant(*spec.maximum, 10));
    else if (spec.minimum)
        facts.push_back("at least " + significant(*spec.minimum, 6));
    if (const auto text = default_of(spec); !text.empty()) facts.push_back("default " + text);
    if (!facts.empty()) body += " [" + join(facts, "; ") + "]";
    return body;
}

std::vector<std::string> headings(const Declaration& d) {
    std::vector<std::string> order;
    for (const auto& spec : d.options)
        if (std::find(order.begin(), order.end(), spec.group) == order.end())
            order.push_back(spec.group);
    return order;
}

std::string option_table(const Declaration& d, int width) {
    constexpr int kColumn = 30;
    std::string out;
    for (const auto& heading : headings(d)) {
        out += "\n" + heading + ":\n";
        for (const auto& spec : d.options) {
            if (spec.group != heading) continue;
            std::string head = "  " + option_head(spec);
            const std::string body = wrapped(option_body(spec), width, kColumn);
            if (head.size() + 2 > kColumn)
                out += head + "\n" + body;
            else
                out += head + body.substr(head.size());
        }
    }
    return out;
}

std::string output_table(const Declaration& d, int width) {
    std::string out;
    for (const auto& item : d.output_items) {
        const std::string head = "  " + item.path;
        constexpr int kColumn = 34;
        const std::string body = wrapped(item.meaning, width, kColumn);
        out += head.size() + 2 > kColumn ? head + "\n" + body : head + body.substr(head.size());
    }
    return out;
}

} // namespace

std::string help_text(const Tool& tool, int width) {
    std::string out = tool.name + ": " + tool.summary + "\n\nUsage: " + tool.name +
                      " SUBCOMMAND [INPUT] [-o OUTPUT] [options]\n\n" +
                      paragraphs(tool.description, width, 0) + "\nSubcommands:\n";
    for (const auto& command : tool.commands) {
        const std::string head = "  " + command.declaration().name;
        out += head + wrapped(command.declaration().summary, width, 18).substr(head.size());
    }
    return out + "\n" + tool.name +
           " SUBCOMMAND --help tells more; --version; --help-man; --help-json; "
           "--completion bash|zsh|fish\n";
}

std::string help_text(const Tool& tool, const Command& command, HelpDetail detail, int width) {
    const Declaration& d = command.declaration();
    std::string out =
        tool.name + " " + d.name + ": " + d.summary + "\n\nUsage: " + usage(tool, d) + "\n";
    if (d.input != InputKind::none)
        out += "\n" + wrapped("INPUT: " + d.input_meaning +
                                  "; FILE, FILE:/path or - (stdin, the default in a pipe)",
                              width, 0);
    if (detail == HelpDetail::full && !d.description.empty())
        out += "\n" + paragraphs(d.description, width, 0);
    out += option_table(d, width);
    if (detail == HelpDetail::full) {
        if (!d.output_items.empty()) out += "\nOutput:\n" + output_table(d, width);
        if (!d.memory_formula.empty()) out += "\nMemory:\n" + wrapped(d.memory_formula, width, 2);
    }
    if (!d.examples.empty()) out += "\nExamples:\n";
    for (const auto& example : d.examples)
        out += "  # " + example.purpose + "\n  " + example.command + "\n";
    if (detail == HelpDetail::full && !d.references.empty())
        out += "\nReferences: " + join(d.references, ", ") + "\n";
    return out;
}

namespace {

// Text as roff shows it unchanged.
std::string roff(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\')
            out += "\\e";
        else if (text[i] == '-')
            out += "\\-";
        else if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
            out += std::string("\\&") + text[i];
        else
            out += text[i];
    }
    return out;
}

std::string roff_header(const std::string& page) {
    std::string title = page;
    std::transform(title.begin(), title.end(), title.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    return ".TH " + title + " 1 " + kReleaseDate + " \"assay " + ASSAY_VERSION +
           "\" \"assay manual\"\n";
}

std::string roff_paragraphs(const std::string& text) {
    std::string out;
    bool first = true;
    for (const auto& paragraph : split(text, '\n')) {
        if (paragraph.empty()) continue;
        out += (first ? "" : ".PP\n") + roff(paragraph) + "\n";
        first = false;
    }
    return out;
}

} // namespace

std::string man_page(const Tool& tool) {
    std::string out = roff_header(tool.name) + ".SH NAME\n" + roff(tool.name) + " \\- " +
                      roff(tool.summary) + "\n.SH SYNOPSIS\n.B " + roff(tool.name) +
                      "\nSUBCOMMAND [INPUT] [\\-o OUTPUT] [options]\n" + ".SH DESCRIPTION\n" +
                      roff_paragraphs(tool.description) + ".SH SUBCOMMANDS\n";
    for (const auto& command : tool.commands)
        out += ".TP\n.BR " + roff(tool.name + "-" + command.declaration().name) + " (1)\n" +
               roff(command.declaration().summary) + "\n";
    out += ".SH EXIT STATUS\n0 when done, 1 when something failed, 2 for a wrong command line or "
           "configuration file,\n"
           "75 when interrupted with a resumable state.\n.SH SEE ALSO\n";
    for (std::size_t i = 0; i < tool.commands.size(); ++i)
        out += ".BR " + roff(tool.name + "-" + tool.commands[i].declaration().name) + " (1)" +
               (i + 1 < tool.commands.size() ? " ,\n" : "\n");
    return out;
}

std::string man_page(const Tool& tool, const Command& command) {
    const Declaration& d = command.declaration();
    const std::string page = tool.name + "-" + d.name;
    std::string out = roff_header(page) + ".SH NAME\n" + roff(page) + " \\- " + roff(d.summary) +
                      "\n.SH SYNOPSIS\n.B " + roff(tool.name + " " + d.name) + "\n" +
                      roff(usage(tool, d).substr(tool.name.size() + d.name.size() + 2)) + "\n";
    out += ".SH DESCRIPTION\n" +
           roff_paragraphs(d.description.empty() ? d.summary + "." : d.description);
    if (d.input != InputKind::none)
        out += ".PP\nINPUT: " + roff(d.input_meaning) +
               "; FILE, FILE:/path, or \\- for a stream on stdin.\n";
    out += ".SH OPTIONS\n";
    for (const auto& heading : headings(d)) {
        out += ".SS " + roff(heading) + "\n";
        for (const auto& spec : d.options) {
            if (spec.group != heading) continue;
            out += ".TP\n.B " + roff(option_head(spec)) + "\n" + roff(option_body(spec)) + "\n";
        }
    }
    if (!d.output_items.empty()) {
        out += ".SH OUTPUT\n";
        for (const auto& item : d.output_items)
            out += ".TP\n.B " + roff(item.path) + "\n" + roff(item.meaning) + "\n";
    }
    if (!d.memory_formula.empty()) out += ".SH MEMORY\n" + roff(d.memory_formula) + "\n";
    if (!d.examples.empty()) out += ".SH EXAMPLES\n";
    for (const auto& example : d.examples)
        out += ".TP\n" + roff(example.purpose) + "\n.nf\n" + roff(example.command) + "\n.fi\n";
    if (!d.references.empty()) out += ".SH REFERENCES\n" + roff(join(d.references, ", ")) + "\n";
    return out + ".SH SEE ALSO\n.BR " + roff(tool.name) + " (1)\n";
}

namespace {

// The fixed part of the bash function. readline splits words at ':' and '=', which file addresses
// and --option=value hold, and replaces only what stands behind them; so the words are joined
// again, and replies lose what readline keeps. Dataset paths are compared as they are, never
// expanded: they come out of files.
constexpr const char* kBashStart = R"bash(() {
    local word file path kept= glue= choices= i
    local -a words=()
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ( -n $glue || $word =~ ^[:=]+$ ) && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        glue=
        if [[ $word =~ ^[:=]+$ ]]; then glue=1; fi
    done
    local last=$((${#words[@]} - 1))
    local current=${words[last]} previous=${words[last-1]} command=${words[1]}
    if [[ $current == --*=* ]]; then
        previous=${current%%=*}
        kept=$previous=
        current=${current#*=}
        if [[ $COMP_WORDBREAKS == *=* ]]; then kept=; fi
    fi
)bash";

constexpr const char* kBashEnd = R"bash(    if [ -n "$choices" ]; then
        COMPREPLY=($(compgen -P "$kept" -W "$choices" -- "$current"))
    elif [[ $current == *:* ]]; then
        file=${current%:*}
        while IFS= read -r path; do
            path=$file:$path
            if [[ $path == "$current"* ]]; then COMPREPLY+=("$kept$path"); fi
        done < <("${words[0]}" __paths "${file/#\~\//$HOME/}" 2>/dev/null)
        if [[ $COMP_WORDBREAKS == *:* ]]; then
            for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$kept$file:"}; done
        fi
    else
        while IFS= read -r path; do COMPREPLY+=("$kept$path"); done < <(compgen -f -- "$current")
        compopt -o filenames 2>/dev/null || true
    fi
}
)bash";

std::string bash_case(const std::string& pattern, const std::vector<std::string>& words) {
    return "            " + pattern + ") choices='" + join(words, " ") + "' ;;\n";
}

std::string bash_completion(const Tool& tool) {
    std::vector<std::string> first;
    std::string options, values;
    for (const auto& command : tool.commands) {
        const Declaration& d = command.declaration();
        first.push_back(d.name);
        std::vector<std::string> names;
        for (const auto& spec : d.options) {
            names.push_back(spec.long_name());
            std::vector<std::string> patterns;
            for (const auto& name : spec.names) patterns.push_back(d.name + ":" + name);
            if (!spec.choices.empty()) values += bash_case(join(patterns, "|"), spec.choices);
        }
        for (const char* question : {"--help", "--help-all", "--help-man", "--version"})
            names.emplace_back(question);
        options += bash_case(d.name, names);
    }
    for (const char* question :
         {"--help", "--version", "--help-man", "--help-json", "--completion"})
        first.emplace_back(question);
    const std::string function = "_assay_" + tool.name;
    return "# bash completion for " + tool.name + "\n" + function + kBashStart +
           "    if [ \"$last\" -eq 1 ]; then\n        choices='" + join(first, " ") +
           "'\n    else\n        case $command:$previous in\n" + values +
           bash_case("--completion:--completion", {"bash", "zsh", "fish"}) +
           "        esac\n    fi\n    if [[ -z $choices && -z $kept && $current == -* ]]; then\n"
           "        case $command in\n" +
           options + "        esac\n    fi\n" + kBashEnd + "complete -F " + function + " " +
           tool.name + "\n";
}

std::string zsh_completion(const Tool& tool) {
    std::string out = "#compdef " + tool.name + "\nlocal -a commands\ncommands=(\n";
    for (const auto& command : tool.commands)
        out += "  '" + command.declaration().name + ":" + command.declaration().summary + "'\n";
    out += ")\nif (( CURRENT == 2 )); then _describe command commands; return; fi\ncase $words[2] "
           "in\n";
    for (const auto& command : tool.commands) {
        out += "  " + command.declaration().name + ") _arguments";
        for (const auto& spec : command.declaration().options) {
            out += " '" + spec.long_name() +
                   (spec.is_flag() ? "[flag]'" : "=[value]:" + spec.value_name + ":");
            if (!spec.is_flag())
                out += spec.choices.empty() ? "_files'" : "(" + join(spec.choices, " ") + ")'";
        }
        out += " '*:file:_files' ;;\n";
    }
    return out + "esac\n";
}

std::string fish_completion(const Tool& tool) {
    std::string out;
    for (const auto& command : tool.commands) {
        const Declaration& d = command.declaration();
        out += "complete -c " + tool.name + " -n __fish_use_subcommand -a " + d.name + " -d '" +
               d.summary + "'\n";
        for (const auto& spec : d.options) {
            out += "complete -c " + tool.name + " -n '__fish_seen_subcommand_from " + d.name +
                   "' -l " + spec.long_name().substr(2) + (spec.is_flag() ? "" : " -r");
            if (!spec.choices.empty()) out += " -a '" + join(spec.choices, " ") + "'";
            out += "\n";
        }
    }
    return out;
}

} // namespace

std::string completion_script(const Tool& tool, const std::string& shell) {
    if (shell == "bash") return bash_completion(tool);
    if (shell == "zsh") return zsh_completion(tool);
    if (shell == "fish") return fish_completion(tool);
    throw UsageError("option '--completion': found '" + printable(shell, 40) +
                     "'; one of bash, zsh, fish is expected");
}

std::string help_json(const Tool& tool) {
    using nlohmann::json;
    static const std::map<OutputKind, std::string> kOutputs{
        {OutputKind::none, "none"},
        {OutputKind::hdf5, "hdf5"},
        {OutputKind::hdf5_if_wanted, "hdf5_if_wanted"},
        {OutputKind::document, "document"}};
    static const std::map<InputKind, std::string> kInputs{
        {InputKind::none, "none"}, {InputKind::one, "one"}, {InputKind::several, "several"}};
    json commands = json::array();
    for (const auto& command : tool.commands) {
        const Declaration& d = command.declaration();
        json options = json::array();
        for (const auto& spec : d.options) {
            json option{{"names", spec.names},
                        {"type", spec.type},
                        {"value", spec.value_name},
                        {"description", spec.description},
                        {"group", spec.group},
                        {"list", spec.list},
                        {"repeatable", spec.repeatable},
                        {"one_shot", spec.one_shot},
                        {"execution_only", spec.execution_only},
                        {"default", default_of(spec)}};
            if (!spec.choices.empty()) option["choices"] = spec.choices;
            if (!spec.word.empty()) option["word"] = spec.word;
            if (spec.minimum) option["minimum"] = *spec.minimum;
            if (spec.maximum) option["maximum"] = *spec.maximum;
            options.push_back(std::move(option));
        }
        json outputs = json::array();
        for (const auto& item : d.output_items)
            outputs.push_back({{"path", item.path}, {"meaning", item.meaning}});
        json conflicts = json::array();
        for (const auto& [one, other] : d.conflicts) conflicts.push_back({one, other});
        json examples = json::array();
        for (const auto& e : d.examples)
            examples.push_back({{"purpose", e.purpose}, {"command", e.command}});
        commands.push_back({{"name", d.name},
                            {"summary", d.summary},
                            {"description", d.description},
                            {"input", kInputs.at(d.input)},
                            {"input_meaning", d.input_meaning},
                            {"output", kOutputs.at(d.output)},
                            {"outputs", outputs},
                            {"resumable", d.resumable},
                            {"sharded", d.sharded},
                            {"options", options},
                            {"conflicts", conflicts},
                            {"memory", d.memory_formula},
                            {"examples", examples},
                            {"references", d.references}});
    }
    return json{{"tool", tool.name},
                {"version", ASSAY_VERSION},
                {"summary", tool.summary},
                {"commands", commands}}
               .dump(2) +
           "\n";
}

} // namespace assay::cli
