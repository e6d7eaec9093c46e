#include <assay/cli/option.hpp>

#include <algorithm>
#include <cmath>

namespace assay::cli {

const std::string& OptionSpec::long_name() const {
    for (const auto& name : names)
        if (starts_with(name, "--")) return name;
    return names.front();
}

void refuse_value(const OptionSpec& spec, const std::string& found, const std::string& expected) {
    throw UsageError("option '" + spec.long_name() + "': found '" + printable(found, 60) + "'; " +
                     expected + " is expected");
}

std::string expected_text(const OptionSpec& spec) {
    if (!spec.choices.empty()) return "one of " + join(spec.choices, ", ");
    std::string text = spec.type == "integer"  ? "an integer"
                       : spec.type == "number" ? "a number"
                                               : "a " + spec.type;
    if (spec.type == "bytes") text = "a size such as 512M or 2GiB";
    if (spec.minimum && spec.maximum)
        text += " from " + significant(*spec.minimum, 6) + " to " + significant(*spec.maximum, 10);
    else if (spec.minimum)
        text += " of at least " + significant(*spec.minimum, 6);
    if (!spec.word.empty()) text += ", or " + spec.word + ",";
    return text;
}

void check_choice(const OptionSpec& spec, const std::string& word) {
    const auto& choices = spec.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), word) == choices.end())
        refuse_value(spec, word, expected_text(spec));
}

std::string resolve_alias(const OptionSpec& spec, const std::string& word) {
    for (const auto& [alias, choice] : spec.aliases)
        if (alias == word) return choice;
    return word;
}

std::vector<std::pair<std::string, std::string>>
shared_aliases(const std::vector<std::string>& choices) {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [alias, word] :
         {std::pair<const char*, const char*>{"f32", "float32"}, {"f64", "float64"}})
        if (std::find(choices.begin(), choices.end(), word) != choices.end())
            found.emplace_back(alias, word);
    return found;
}

std::vector<double> parse_grid(const std::string& option, const std::string& text) {
    const auto refuse = [&](const std::string& part) {
        throw UsageError("option '" + option + "': found '" + printable(part, 60) +
                         "'; numbers a,b,c or ranges FIRST:LAST, FIRST:LAST:STEP, "
                         "FIRST:LAST:COUNTlog are expected");
    };
    constexpr double kMostValues = 1e6;
    std::vector<double> values;
    for (const auto& part : split(text, ',')) {
        auto fields = split(part, ':');
        const bool logarithmic = fields.size() == 3 && ends_with(fields[2], "log");
        if (logarithmic) fields[2].resize(fields[2].size() - 3);
        std::vector<double> numbers;
        for (const auto& field : fields) {
            const auto number = parse_double(field);
            if (!number || !std::isfinite(*number)) refuse(part);
            numbers.push_back(*number);
        }
        if (numbers.size() == 1) {
            values.push_back(numbers[0]);
        } else if (logarithmic) {
            const double count = numbers[2];
            if (!(numbers[0] > 0 && numbers[1] > 0 && count >= 2 && count <= kMostValues &&
                  count == std::floor(count)))
                refuse(part);
            for (double i = 0; i < count; ++i)
                values.push_back(numbers[0] * std::pow(numbers[1] / numbers[0], i / (count - 1)));
        } else if (numbers.size() <= 3) {
            const double step = numbers.size() == 3 ? numbers[2] : 1.0;
            const double steps =
                step > 0 ? std::floor((numbers[1] - numbers[0]) / step + 1e-9) : -1;
            if (!(steps >= 0 && steps <= kMostValues)) refuse(part);
            for (double i = 0; i <= steps; ++i) values.push_back(numbers[0] + i * step);
        } else {
            refuse(part);
        }
    }
    return values;
}

} // namespace assay::cli
