// One option of a command: its declaration is the single source of parsing, help, man page,
// completion and JSON.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/export.hpp>
#include <assay/core/text.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace assay::cli {

struct OptionSpec {
    std::vector<std::string> names; // "-k", "--components", aliases after the first long name
    std::string value_name;         // empty for a flag
    std::string description;
    std::string group;
    std::string type; // "flag", "integer", "number", "text", "choice", "bytes"
    bool list = false;
    bool repeatable = false;     // a flag that counts, such as -vv
    bool execution_only = false; // changes how, not what: no part of the configuration's digest
    bool one_shot = false;       // asks something of one call: no part of a configuration file
    std::vector<std::string> choices;
    // Shorter words for a choice, accepted but not shown: {"f32", "float32"}.
    std::vector<std::pair<std::string, std::string>> aliases;
    // Stands for one value beside numbers, which may lie outside of their range, such as "auto".
    std::string word, word_value;
    std::optional<double> minimum, maximum;
    std::string default_text; // worded default where the value alone says too little
    std::function<void(const std::string&)> set; // one text; throws UsageError
    std::function<std::string()> show;           // the present value as text, "" for none

    [[nodiscard]] ASSAY_API const std::string& long_name() const; // "--components"
    [[nodiscard]] bool is_flag() const { return value_name.empty(); }
};

// How a value of type T is read and shown.
template <class T>
struct ValueTraits;

template <>
struct ValueTraits<std::string> {
    static constexpr const char* type = "text";
    static std::optional<std::string> parse(const std::string& text) { return text; }
    static std::string show(const std::string& value) { return value; }
};
template <>
struct ValueTraits<double> {
    static constexpr const char* type = "number";
    static std::optional<double> parse(const std::string& text) { return parse_double(text); }
    static std::string show(double value) { return shortest(value); }
};
template <>
struct ValueTraits<std::int64_t> {
    static constexpr const char* type = "integer";
    static std::optional<std::int64_t> parse(const std::string& text) {
        return parse_integer(text);
    }
    static std::string show(std::int64_t value) { return std::to_string(value); }
};
template <>
struct ValueTraits<int> {
    static constexpr const char* type = "integer";
    static std::optional<int> parse(const std::string& text) {
        const auto value = parse_integer(text);
        if (!value || *value > std::numeric_limits<int>::max() ||
            *value < std::numeric_limits<int>::min())
            return std::nullopt;
        return static_cast<int>(*value);
    }
    static std::string show(int value) { return std::to_string(value); }
};

// Throws UsageError "option '--x': found 'y'; an integer is expected".
[[noreturn]] ASSAY_API void refuse_value(const OptionSpec& spec, const std::string& found,
                                         const std::string& expected);
[[nodiscard]] ASSAY_API std::string expected_text(const OptionSpec& spec);
// Throws UsageError where the option has choices and `word` is none of them.
ASSAY_API void check_choice(const OptionSpec& spec, const std::string& word);
// The choice that `word` is or abbreviates, else `word` itself.
[[nodiscard]] ASSAY_API std::string resolve_alias(const OptionSpec& spec, const std::string& word);
// The abbreviations that some of `choices` have in every tool.
[[nodiscard]] ASSAY_API std::vector<std::pair<std::string, std::string>>
shared_aliases(const std::vector<std::string>& choices);

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {
    using Value = T;
};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {
    using Value = T;
};

// The handle with which a declaration is refined: c.option("-k", o->k, "N", "...").range(1, 4096).
template <class T>
class OptionBuilder {
  public:
    explicit OptionBuilder(OptionSpec& spec) : spec_(&spec) {}

    OptionBuilder& range(double minimum, double maximum = std::numeric_limits<double>::infinity()) {
        spec_->minimum = minimum;
        if (maximum < std::numeric_limits<double>::infinity()) spec_->maximum = maximum;
        return *this;
    }
    OptionBuilder& default_text(std::string text) {
        spec_->default_text = std::move(text);
        return *this;
    }
    // A word that may stand for one of the values, and is shown for it: word("auto", 0).
    OptionBuilder& word(const std::string& name, const T& value) {
        const std::string text = ValueTraits<T>::show(value);
        spec_->word = name;
        spec_->word_value = text;
        spec_->show = [show = spec_->show, name, text] {
            const std::string shown = show();
            return shown == text ? name : shown;
        };
        return *this;
    }
    OptionBuilder& execution_only() {
        spec_->execution_only = true;
        return *this;
    }

  private:
    OptionSpec* spec_;
};

// Reads one value of T under the spec's range, or the word that stands for one, in the range or
// not.
template <class T>
T parse_value(const OptionSpec& spec, const std::string& text) {
    if (!spec.word.empty() && text == spec.word) return *ValueTraits<T>::parse(spec.word_value);
    const auto value = ValueTraits<T>::parse(text);
    if (!value) refuse_value(spec, text, expected_text(spec));
    if constexpr (std::is_same_v<T, std::string>) check_choice(spec, text);
    if constexpr (std::is_arithmetic_v<T>) {
        const auto number = static_cast<double>(*value);
        if (!(number == number) || (spec.minimum && number < *spec.minimum) ||
            (spec.maximum && number > *spec.maximum))
            refuse_value(spec, text, expected_text(spec));
    }
    return *value;
}

// Fills type, set and show of `spec` so that it reads into `target`, which must outlive the spec.
template <class T>
void bind(OptionSpec& spec, T& target) {
    OptionSpec* const self = &spec;
    T* const value = &target;
    if constexpr (IsOptional<T>::value) {
        using Value = typename IsOptional<T>::Value;
        spec.type = ValueTraits<Value>::type;
        spec.set = [self, value](const std::string& text) {
            *value = parse_value<Value>(*self, text);
        };
        spec.show = [value] { return *value ? ValueTraits<Value>::show(**value) : std::string(); };
    } else if constexpr (IsVector<T>::value) {
        using Value = typename IsVector<T>::Value;
        spec.type = ValueTraits<Value>::type;
        spec.list = true;
        spec.set = [self, value](const std::string& text) {
            value->clear();
            for (const auto& part : split(text, ','))
                value->push_back(parse_value<Value>(*self, part));
        };
        spec.show = [value] {
            std::vector<std::string> parts;
            for (const auto& one : *value) parts.push_back(ValueTraits<Value>::show(one));
            return join(parts, ",");
        };
    } else {
        spec.type = ValueTraits<T>::type;
        spec.set = [self, value](const std::string& text) { *value = parse_value<T>(*self, text); };
        spec.show = [value] { return ValueTraits<T>::show(*value); };
    }
}

// "1:10", "10:50:10", "1e-5:1e-1:20log", "2,3,5": the numbers of a grid. Throws UsageError naming
// `option`.
[[nodiscard]] ASSAY_API std::vector<double> parse_grid(const std::string& option,
                                                       const std::string& text);

} // namespace assay::cli
