#include <assay/cli/words.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace assay::cli {
namespace {

constexpr std::array<const char*, 5> kQuestions{"--help", "-h", "--help-all", "--help-man",
                                                "--version"};

bool is_question(const std::string& text) {
    return std::find(kQuestions.begin(), kQuestions.end(), text) != kQuestions.end();
}

bool looks_like_option(const std::string& text) {
    return text.size() > 1 && text[0] == '-' && text[1] != ':' && !parse_double(text);
}

const OptionSpec* find_option(const Declaration& d, const std::string& name) {
    for (const auto& spec : d.options)
        if (std::find(spec.names.begin(), spec.names.end(), name) != spec.names.end()) return &spec;
    return nullptr;
}

// "-vk3" as the options -v and -k 3; one unknown word where a letter is no option.
std::vector<Word> letters(const std::string& text, const Declaration& d) {
    std::vector<Word> words;
    for (std::size_t i = 1; i < text.size(); ++i) {
        const std::string name = std::string("-") + text[i];
        const OptionSpec* const spec = find_option(d, name);
        if (spec == nullptr) return {{Word::Kind::unknown, text, nullptr, std::nullopt}};
        words.push_back({Word::Kind::option, name, spec, std::nullopt});
        std::string rest = text.substr(i + 1);
        if (rest.empty() || (spec->is_flag() && rest[0] != '=')) continue;
        words.back().value = rest[0] == '=' ? rest.substr(1) : rest;
        break;
    }
    return words;
}

std::vector<Word> option_words(const std::string& text, const Declaration& d) {
    if (is_question(text)) return {{Word::Kind::question, text, nullptr, std::nullopt}};
    if (!starts_with(text, "--")) return letters(text, d);
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const OptionSpec* const spec = find_option(d, name);
    if (spec == nullptr) return {{Word::Kind::unknown, name, nullptr, std::nullopt}};
    Word word{Word::Kind::option, name, spec, std::nullopt};
    if (equals != std::string::npos) word.value = text.substr(equals + 1);
    return {word};
}

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

std::vector<Word> words_of(const std::vector<std::string>& args, const Declaration& d) {
    std::vector<Word> words;
    bool only_positionals = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (only_positionals || !looks_like_option(args[i])) {
            words.push_back({Word::Kind::positional, args[i], nullptr, std::nullopt});
            continue;
        }
        if (args[i] == "--") {
            only_positionals = true;
            continue;
        }
        const auto found = option_words(args[i], d);
        words.insert(words.end(), found.begin(), found.end());
        Word& last = words.back();
        const bool wants_value =
            last.kind == Word::Kind::option && !last.spec->is_flag() && !last.value;
        if (!wants_value || i + 1 == args.size()) continue;
        // The next argument is this option's, or nobody's: "--output --help" asks for no help.
        if (!looks_like_option(args[i + 1]))
            last.value = args[++i];
        else if (is_question(args[i + 1]))
            ++i;
    }
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

void check_conflicts(const Declaration& d, const std::vector<std::string>& given) {
    const auto has = [&](const std::string& name) {
        return std::find(given.begin(), given.end(), name) != given.end();
    };
    for (const auto& [one, other] : d.conflicts)
        if (has(one) && has(other))
            throw UsageError("options '" + one + "' and '" + other + "' exclude each other");
}

} // namespace assay::cli
