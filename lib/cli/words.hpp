// The arguments of a subcommand told apart: options with their values, and all others.
#pragma once

#include <assay/cli/command.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::cli {

struct Word {
    enum class Kind { option, question, unknown, positional };
    Kind kind = Kind::positional;
    std::string text;                 // as written; of an option the part before its value
    const OptionSpec* spec = nullptr; // of an option
    std::optional<std::string> value; // of an option, where one is given
};

// Parsed by CLI11: -k 3, -k3, --lags 3, --lags=3, -vv, and -- before arguments that start with a
// dash. Nothing that looks like an option is the value of the one before it (--label=-x gives such
// a value); "-", "-:/path" and negative numbers do not look like options. A question is --help and
// its like. Never throws for a missing value or an unknown option: apply_words does.
[[nodiscard]] std::vector<Word> words_of(const std::vector<std::string>& args,
                                         const Declaration& declaration);

// The first question, "" without any.
[[nodiscard]] std::string question_of(const std::vector<Word>& words);
// The value that the last of the options `long_name` has, "" without any.
[[nodiscard]] std::string value_of(const std::vector<Word>& words, const std::string& long_name);

// Sets the options, adds the other arguments to `inputs` and returns the long names that were
// given. Throws UsageError.
std::vector<std::string> apply_words(const std::vector<Word>& words, const Declaration& declaration,
                                     std::vector<std::string>& inputs);

// A flag that is not set, or set to false.
bool is_off(const OptionSpec& spec);

// Whether the option was given, and not as a flag that is off.
bool in_effect(const Declaration& declaration, const std::string& name,
               const std::vector<std::string>& given);

// Throws UsageError where two of `given` are in effect that exclude each other.
void check_conflicts(const Declaration& declaration, const std::vector<std::string>& given);

} // namespace assay::cli
