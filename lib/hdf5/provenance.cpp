#include <assay/hdf5/provenance.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/seed.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

namespace assay::hdf5 {
namespace {

// Two inputs of one pipeline share their early steps; these tell them apart from steps of their
// own.
std::string identity(const Group& step) {
    return step.text_attribute("command").value_or("") + "\n" +
           step.text_attribute("started").value_or("") + "\n" +
           step.text_attribute("input_digests").value_or("");
}

// Names of the steps, oldest first.
std::vector<std::string> numbered(const Group& steps) {
    std::vector<std::string> names;
    for (const auto& name : steps.names())
        if (parse_integer(name) && steps.has_group(name)) names.push_back(name);
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
        return *parse_integer(a) < *parse_integer(b);
    });
    return names;
}

// Words of a command as shell_quoted() writes them, quotes included.
std::vector<std::string> quoted_words(const std::string& command) {
    std::vector<std::string> words{""};
    enum class Quotes { none, plain, escaping } quotes = Quotes::none;
    for (std::size_t i = 0; i < command.size(); ++i) {
        const char c = command[i];
        if (c == ' ' && quotes == Quotes::none) {
            words.emplace_back();
            continue;
        }
        words.back() += c;
        if (c == '\\' && quotes != Quotes::plain && i + 1 < command.size())
            words.back() += command[++i];
        else if (c == '\'')
            quotes = quotes != Quotes::none          ? Quotes::none
                     : ends_with(words.back(), "$'") ? Quotes::escaping
                                                     : Quotes::plain;
    }
    return words;
}

// Whether a command sends its output to the next one.
bool streams(const std::string& command) {
    const auto words = quoted_words(command);
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool apart = words[i] == "-o" || words[i] == "--output";
        if (apart && i + 1 < words.size()) return words[i + 1] == "-";
        if (starts_with(words[i], "--output=")) return words[i] == "--output=-";
        if (starts_with(words[i], "-o") && words[i].size() > 2) return words[i] == "-o-";
    }
    return true;
}

} // namespace

int inherit_provenance(Group output, const std::vector<Group>& inputs) {
    Group chain = output.create_group("/provenance");
    std::set<std::string> seen;
    int count = 0;
    for (const Group& input : inputs) {
        if (!input.has_group("/provenance")) continue;
        const Group steps = input.group("/provenance");
        for (const auto& name : numbered(steps)) {
            const Group step = steps.group(name);
            if (!seen.insert(identity(step)).second) continue;
            Group copy = chain.create_group(std::to_string(count++));
            copy_attributes(step, copy);
            for (const auto& member : step.names())
                static_cast<void>(copy_tree(step, member, copy, Timings::keep));
        }
    }
    return count;
}

void write_provenance(Group output, const std::vector<Group>& inputs,
                      const ProvenanceEntry& entry) {
    const int count = inherit_provenance(output, inputs);
    Group step = output.create_group("/provenance/" + std::to_string(count));
    step.write_text("command", entry.command);
    step.set_attribute("tool", entry.tool);
    step.set_attribute("version", entry.version);
    step.write_text("config", entry.config);
    step.set_attribute("input_digests", join(entry.input_digests, ","));
    if (entry.has_seed) write_seed(step, entry.seed);
    step.set_attribute("threads", entry.threads);
    step.set_attribute("started", entry.started);
    step.set_attribute("elapsed_s", entry.elapsed_s);
    step.set_attribute("cpu_s", entry.cpu_s);
    if (!entry.host.empty()) step.set_attribute("host", entry.host);
}

std::vector<std::string> carry_forward(Group output, const Group& input,
                                       const std::vector<std::string>& also, Timings timings) {
    // Of a file that is not ours only what is asked for.
    const bool ours = starts_with(input.text_attribute("format").value_or(""), "assay/");
    const auto wanted = [&](const std::string& name) {
        if (name != "data" && name != "run") return ours && name != "provenance";
        return std::find(also.begin(), also.end(), name) != also.end();
    };
    std::vector<std::string> left_out;
    const auto carry = [&](const std::string& path) {
        const auto places = copy_tree(input, path, output, timings);
        left_out.insert(left_out.end(), places.begin(), places.end());
    };
    for (const auto& name : input.names()) {
        if (!wanted(name)) continue;
        if (!output.has(name)) {
            carry(name);
            continue;
        }
        if (!input.has_group(name) || !output.has_group(name)) continue;
        for (const auto& member : input.group(name).names())
            if (!output.has(name + "/" + member)) carry(name + "/" + member);
    }
    return left_out;
}

std::string script_of(const Group& root) {
    if (!root.has_group("/provenance"))
        throw Error(root.where() + ": has no /provenance; the commands that made it are not known");
    const Group steps = root.group("/provenance");
    const auto names = numbered(steps);
    std::string script = "#!/bin/sh\nset -eu\n";
    for (const auto& name : names) {
        const Group step = steps.group(name);
        const std::string command = step.read_text("command").value_or("");
        const std::string tool = step.text_attribute("tool").value_or("?"),
                          version = step.text_attribute("version").value_or("?");
        script += "# " + printable(tool + " " + version, 200) + "\n" + printable(command, 60000);
        if (!streams(command))
            script += "\n";
        else
            script += &name == &names.back() ? " >output.h5\n" : " |\n";
    }
    return script;
}

std::string shell_quoted(const std::string& word) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
        return std::isalnum(c) ||
               std::string_view("@%+=:,./_-").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain) return word;
    const auto is_control = [](unsigned char c) { return c < 32 || c == 127; };
    if (std::any_of(word.begin(), word.end(), is_control)) {
        // $'...' keeps the command on one line and can be run again.
        std::string escaped = "$'";
        for (const char c : word) {
            std::array<char, 8> code{};
            std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned char>(c));
            if (is_control(static_cast<unsigned char>(c)))
                escaped += code.data();
            else if (c == '\'' || c == '\\')
                escaped += std::string("\\") + c;
            else
                escaped += c;
        }
        return escaped + "'";
    }
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

} // namespace assay::hdf5
