// Search spaces as they stand in a file.
#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/training/sweep.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <set>

namespace assay::training {
namespace {

constexpr std::size_t kMostChoices = 10000;
constexpr double kLargestInteger = 0x1p53;

struct KindName {
    const char* name;
    DimensionKind kind;
};
constexpr std::array<KindName, 4> kKinds{{{"log-uniform", DimensionKind::log_uniform},
                                          {"uniform", DimensionKind::uniform},
                                          {"choice", DimensionKind::choice},
                                          {"int", DimensionKind::integer}}};

[[noreturn]] void refuse_dimension(const std::string& path, const Json& found,
                                   const std::string& expected) {
    throw UsageError("search space: '" + printable(path, 60) + "': found " +
                     printable(found.dump(), 60) + "; " + expected + " is expected");
}

// Doubled paths would silently give way to the last of them.
Json parse_object(const std::string& text) {
    std::set<std::string> seen;
    const Json::parser_callback_t watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth == 1 && event == Json::parse_event_t::key &&
            !seen.insert(parsed.get<std::string>()).second)
            throw UsageError("search space: '" + printable(parsed.get<std::string>(), 60) +
                             "' stands twice");
        return true;
    };
    try {
        Json parsed = Json::parse(text, watch);
        if (parsed.is_object() && !parsed.empty()) return parsed;
    } catch (const Json::exception&) {
        throw UsageError("search space: is not valid JSON");
    }
    throw UsageError("search space: an object of configuration paths is expected");
}

DimensionKind kind_named(const std::string& path, const std::string& name) {
    std::vector<std::string> known;
    for (const auto& kind : kKinds) {
        if (name == kind.name) return kind.kind;
        known.emplace_back(kind.name);
    }
    const auto near = nearest_name(name, known, 3);
    throw UsageError(
        "search space: '" + printable(path, 60) + "': unknown kind '" + printable(name, 60) + "'" +
        (near ? "; did you mean '" + *near + "'?" : "; known are " + join(known, ", ")));
}

void read_choices(SearchDimension& d, const Json& value) {
    if (!value.is_array() || value.empty() || value.size() > kMostChoices)
        refuse_dimension(d.path, value, concat("a list of 1 to ", kMostChoices, " choices"));
    for (const auto& choice : value) d.choices.push_back(choice.dump());
}

bool is_limit(const SearchDimension& d, const Json& value) {
    if (!value.is_number()) return false;
    const auto limit = value.get<double>();
    if (d.kind == DimensionKind::integer)
        return std::floor(limit) == limit && std::abs(limit) <= kLargestInteger;
    return std::isfinite(limit) && (d.kind != DimensionKind::log_uniform || limit > 0);
}

void read_range(SearchDimension& d, const Json& value) {
    const std::string expected = d.kind == DimensionKind::integer ? "[a, b] with integers a < b"
                                 : d.kind == DimensionKind::log_uniform
                                     ? "[a, b] with numbers 0 < a < b"
                                     : "[a, b] with numbers a < b";
    if (!value.is_array() || value.size() != 2 || !is_limit(d, value[0]) || !is_limit(d, value[1]))
        refuse_dimension(d.path, value, expected);
    d.low = value[0].get<double>();
    d.high = value[1].get<double>();
    if (!(d.low < d.high) || !std::isfinite(d.high - d.low))
        refuse_dimension(d.path, value, expected);
}

SearchDimension read_dimension(const std::string& path, const Json& entry) {
    if (!entry.is_object() || entry.size() != 1)
        refuse_dimension(path, entry,
                         R"({"log-uniform": [a, b]}, {"uniform": [a, b]}, {"int": [a, b]} or )"
                         R"({"choice": [...]})");
    SearchDimension d;
    d.path = path;
    d.kind = kind_named(path, entry.begin().key());
    if (d.kind == DimensionKind::choice)
        read_choices(d, entry.begin().value());
    else
        read_range(d, entry.begin().value());
    return d;
}

} // namespace

SearchSpace parse_search_space(const std::string& text) {
    const Json object = parse_object(text);
    SearchSpace space;
    for (const auto& [path, entry] : object.items()) space.push_back(read_dimension(path, entry));
    return space;
}

std::string value_json(const SearchDimension& d, double value) {
    if (d.kind == DimensionKind::choice) return d.choices.at(static_cast<std::size_t>(value));
    if (d.kind == DimensionKind::integer) return std::to_string(static_cast<std::int64_t>(value));
    return Json(value).dump();
}

} // namespace assay::training
