#include <assay/cli/words.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace assay::cli {
namespace {

constexpr std::array<const char*, 5> kQuestions{"--help", "-h", "--help-all", "--help-man",
                                                "--version"};

[[noreturn]] void refuse_unknown(const std::string& text, const Declaration& d) {
    std::vector<std::string> known;
    for (const auto& spec : d.options)
        for (const auto& name : spec.names)
            if (starts_with(name, "--")) known.push_back(name);
    for (const std::string question : kQuestions)
        if (starts_with(question, "--")) known.push_back(question);
    const auto near = nearest_name(text, known);
    throw UsageError("unknown option '" + printable(text, 60) + "'" +
                     (near ? "; did you mean '" + *near + "'?" : ""));
}

std::string value_or_refuse(const Word& word) {
    if (!word.value)
        throw UsageError("option '" + word.spec->long_name() + "': its value is missing; " +
                         expected_text(*word.spec) + " is expected");
    return *word.value;
}

} // namespace

namespace {

// An argument that no option took.
Word leftover(const std::string& text) {
    const bool positional = text == "-" || starts_with(text, "-:") || !starts_with(text, "-");
    if (positional) return {Word::Kind::positional, text, nullptr, std::nullopt};
    return {Word::Kind::unknown, text.substr(0, text.find('=')), nullptr, std::nullopt};
}

} // namespace

std::vector<Word> words_of(const std::vector<std::string>& args, const Declaration& d) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::map<const CLI::Option*, const OptionSpec*> specs;
    for (const auto& spec : d.options) {
        const std::string names = join(spec.names, ",");
        // A value that is missing is told by ourselves: so none is allowed here, and nothing that
        // looks like an option is taken for one.
        CLI::Option* const option =
            spec.is_flag() ? app.add_flag(names) : app.add_option(names)->expected(0, 1);
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        specs[option] = &spec;
    }
    std::map<const CLI::Option*, std::string> questions;
    for (const std::string question : kQuestions) questions[app.add_flag(question)] = question;
    // Behind "--" everything is an input.
    const auto end = std::find(args.begin(), args.end(), "--");
    try {
        app.parse(std::vector<std::string>(std::make_reverse_iterator(end), args.rend()));
    } catch (const CLI::Error& e) {
        throw UsageError(e.what());
    }
    std::vector<Word> words;
    std::map<const CLI::Option*, std::size_t> taken;
    for (const CLI::Option* const option : app.parse_order()) {
        if (const auto question = questions.find(option); question != questions.end()) {
            // "--output --help" lacks a value and asks for no help.
            if (!words.empty() && words.back().spec != nullptr && !words.back().spec->is_flag() &&
                !words.back().value)
                continue;
            words.push_back({Word::Kind::question, question->second, nullptr, std::nullopt});
            continue;
        }
        const OptionSpec* const spec = specs.at(option);
        const std::string value = option->results().at(taken[option]++);
        words.push_back({Word::Kind::option, spec->long_name(), spec, value});
        if (value.empty() || (spec->repeatable && value == "true")) words.back().value.reset();
    }
    for (const auto& text : app.remaining()) words.push_back(leftover(text));
    for (auto it = end; it != args.end(); ++it)
        if (it != end) words.push_back({Word::Kind::positional, *it, nullptr, std::nullopt});
    return words;
}

std::string question_of(const std::vector<Word>& words) {
    for (const auto& word : words)
        if (word.kind == Word::Kind::question) return word.text;
    return "";
}

std::string value_of(const std::vector<Word>& words, const std::string& long_name) {
    std::string value;
    for (const auto& word : words)
        if (word.kind == Word::Kind::option && word.spec->long_name() == long_name)
            value = word.value.value_or("");
    return value;
}

std::vector<std::string> apply_words(const std::vector<Word>& words, const Declaration& d,
                                     std::vector<std::string>& inputs) {
    for (const auto& word : words)
        if (word.kind == Word::Kind::unknown) refuse_unknown(word.text, d);
    std::vector<std::string> given;
    std::map<const OptionSpec*, int> counts;
    for (const auto& word : words) {
        if (word.kind == Word::Kind::positional) {
            if (word.text.empty()) throw UsageError("an input has an empty name");
            if (d.input == InputKind::none || (d.input == InputKind::one && !inputs.empty()))
                throw UsageError("unexpected argument '" + printable(word.text, 60) + "'");
            inputs.push_back(word.text);
            continue;
        }
        const OptionSpec& spec = *word.spec;
        given.push_back(spec.long_name());
        if (!spec.is_flag())
            spec.set(value_or_refuse(word));
        else if (spec.repeatable)
            spec.set(word.value.value_or(std::to_string(++counts[&spec])));
        else
            spec.set(word.value.value_or("true"));
    }
    return given;
}

bool is_off(const OptionSpec& spec) {
    return spec.is_flag() && spec.show() == "false";
}

bool in_effect(const Declaration& d, const std::string& name,
               const std::vector<std::string>& given) {
    return std::find(given.begin(), given.end(), name) != given.end() &&
           std::none_of(d.options.begin(), d.options.end(), [&](const OptionSpec& spec) {
               return spec.long_name() == name && is_off(spec);
           });
}

void check_conflicts(const Declaration& d, const std::vector<std::string>& given) {
    for (const auto& [one, other] : d.conflicts)
        if (in_effect(d, one, given) && in_effect(d, other, given))
            throw UsageError("options '" + one + "' and '" + other + "' exclude each other");
}

} // namespace assay::cli
