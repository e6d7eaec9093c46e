// How parameters are declared, given and checked.
#include <assay/core/text.hpp>
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

[[noreturn]] void refuse_value(const std::string& name, const std::string& value,
                               const std::string& expected) {
    throw UsageError("parameter '" + name + "': found '" + printable(value, 60) + "'; " + expected +
                     " is expected");
}

[[noreturn]] void refuse_name(const std::string& what, const std::string& name,
                              const std::vector<std::string>& known) {
    const auto near = nearest_name(name, known, 3);
    throw UsageError("unknown " + what + " '" + printable(name, 60) + "'" +
                     (near            ? "; did you mean '" + *near + "'?"
                      : known.empty() ? "; there are none"
                                      : "; known are " + join(known, ", ")));
}

bool is_list(ParameterKind kind) {
    return kind == ParameterKind::integers || kind == ParameterKind::numbers;
}

bool is_whole(ParameterKind kind) {
    return kind == ParameterKind::integer || kind == ParameterKind::integers;
}

std::string range_text(const TaskParameter& p) {
    return concat(is_list(p.kind)    ? "a list of "
                  : is_whole(p.kind) ? "an integer"
                                     : "a number",
                  is_list(p.kind) ? (is_whole(p.kind) ? "integers" : "numbers") : "", " from ",
                  shortest(p.minimum), " to ", shortest(p.maximum));
}

std::vector<std::string> list_entries(const std::string& value) {
    return trim(value).empty() ? std::vector<std::string>{} : split(value, ',');
}

bool in_range(const TaskParameter& p, const std::string& text) {
    const auto found = parse_double(trim(text));
    return found && *found >= p.minimum && *found <= p.maximum &&
           (!is_whole(p.kind) || std::floor(*found) == *found);
}

bool accepts(const TaskParameter& p, const std::string& value) {
    const auto allowed = [&](const std::string& part) { return in_range(p, part); };
    switch (p.kind) {
    case ParameterKind::word:
        return std::find(p.words.begin(), p.words.end(), value) != p.words.end();
    case ParameterKind::flag:
        return value == "true" || value == "false";
    case ParameterKind::integers:
    case ParameterKind::numbers: {
        const auto parts = list_entries(value);
        return std::all_of(parts.begin(), parts.end(), allowed);
    }
    default:
        return in_range(p, value);
    }
}

std::string expected_text(const TaskParameter& p) {
    if (p.kind == ParameterKind::word) return join(p.words, " or ");
    if (p.kind == ParameterKind::flag) return "true or false";
    return range_text(p);
}

std::string with_underscores(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

const TaskPreset& find_preset(const TaskDescription& task, const std::string& name) {
    std::vector<std::string> known;
    for (const auto& preset : task.presets) {
        if (preset.name == name) return preset;
        known.push_back(preset.name);
    }
    refuse_name("preset", name, known);
}

const TaskParameter& find_parameter(const TaskDescription& task, const std::string& name) {
    std::vector<std::string> known;
    for (const auto& parameter : task.parameters) {
        if (parameter.name == with_underscores(name)) return parameter;
        known.push_back(parameter.name);
    }
    refuse_name("parameter", name, known);
}

const std::string& parameter_value(const std::vector<std::pair<std::string, std::string>>& values,
                                   std::string_view name) {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& value) { return value.first == name; });
    if (found == values.end()) throw std::logic_error(concat("undeclared parameter ", name));
    return found->second;
}

double number_in(const std::string& text) {
    return parse_double(trim(text)).value_or(std::nan(""));
}

TaskParameter ranged(ParameterKind kind, std::string name, std::string value, double minimum,
                     double maximum, std::string description) {
    return {std::move(name), kind, std::move(value), std::move(description), minimum, maximum, {}};
}

} // namespace

Parameters::Parameters(const TaskDescription& task, const TaskSettings& settings)
    : task_(task.name), seed_(settings.seed) {
    std::map<std::string, std::string> changed;
    if (!settings.preset.empty())
        for (const auto& [name, value] : find_preset(task, settings.preset).values)
            changed[name] = value;
    for (const auto& [name, value] : settings.values)
        changed[find_parameter(task, name).name] = value;
    for (const auto& parameter : task.parameters) {
        const auto found = changed.find(parameter.name);
        const std::string& value = found == changed.end() ? parameter.value : found->second;
        if (!accepts(parameter, value))
            refuse_value(parameter.name, value, expected_text(parameter));
        values_.emplace_back(parameter.name, value);
    }
}

double Parameters::number(std::string_view name) const {
    return number_in(parameter_value(values_, name));
}

Index Parameters::integer(std::string_view name) const {
    return static_cast<Index>(number(name));
}

std::vector<double> Parameters::numbers(std::string_view name) const {
    std::vector<double> list;
    for (const auto& part : list_entries(parameter_value(values_, name)))
        list.push_back(number_in(part));
    return list;
}

std::vector<Index> Parameters::integers(std::string_view name) const {
    std::vector<Index> list;
    for (const double value : numbers(name)) list.push_back(static_cast<Index>(value));
    return list;
}

const std::string& Parameters::word(std::string_view name) const {
    return parameter_value(values_, name);
}

bool Parameters::flag(std::string_view name) const {
    return parameter_value(values_, name) == "true";
}

Random Parameters::random(const std::string& what) const {
    return {seed_, "task/" + task_ + "/" + what};
}

Random Parameters::sample_random(Stream stream) const {
    return {seed_, (stream == Stream::train ? "task/" : "test/") + task_};
}

void Parameters::refuse(std::string_view name, const std::string& expected) const {
    refuse_value(std::string(name), parameter_value(values_, name), expected);
}

TaskParameter integer(std::string name, Index value, double minimum, double maximum,
                      std::string description) {
    return ranged(ParameterKind::integer, std::move(name), std::to_string(value), minimum, maximum,
                  std::move(description));
}

TaskParameter number(std::string name, double value, double minimum, double maximum,
                     std::string description) {
    return ranged(ParameterKind::number, std::move(name), shortest(value), minimum, maximum,
                  std::move(description));
}

TaskParameter integers(std::string name, std::string value, double minimum, double maximum,
                       std::string description) {
    return ranged(ParameterKind::integers, std::move(name), std::move(value), minimum, maximum,
                  std::move(description));
}

TaskParameter numbers(std::string name, std::string value, double minimum, double maximum,
                      std::string description) {
    return ranged(ParameterKind::numbers, std::move(name), std::move(value), minimum, maximum,
                  std::move(description));
}

TaskParameter word(std::string name, std::vector<std::string> words, std::string description) {
    TaskParameter parameter{std::move(name), ParameterKind::word, words.front(),
                            std::move(description)};
    parameter.words = std::move(words);
    return parameter;
}

TaskParameter flag(std::string name, std::string description) {
    return {std::move(name), ParameterKind::flag, "false", std::move(description)};
}

} // namespace assay::training
