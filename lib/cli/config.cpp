#include <assay/cli/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

namespace assay::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kConfigLimit = std::size_t{16} << 20U;

// Parses, refusing doubled keys, which nlohmann_json silently lets the last one win.
json parse_strictly(const std::string& text, const std::string& file) {
    std::vector<std::set<std::string>> keys;
    const json::parser_callback_t watch = [&](int, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key &&
            !keys.back().insert(parsed.get<std::string>()).second)
            throw UsageError(file + ": the key '" + printable(parsed.get<std::string>(), 60) +
                             "' stands twice");
        return true;
    };
    try {
        return json::parse(text, watch);
    } catch (const json::exception& e) {
        throw UsageError(file + ": is not valid JSON (" + printable(e.what(), 150) + ")");
    }
}

std::string value_text(const json& value, const std::string& place) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
    if (value.is_number()) return shortest(value.get<double>());
    if (value.is_array()) {
        std::vector<std::string> parts;
        for (const auto& part : value) parts.push_back(value_text(part, place));
        return join(parts, ",");
    }
    throw UsageError(place + ": a number, text, true, false or a list of these is expected");
}

void apply_object(const json& object, const std::string& file, Declaration& declaration,
                  const std::vector<std::string>& given) {
    for (const auto& [key, value] : object.items()) {
        if (key == declaration.name && value.is_object()) {
            apply_object(value, file, declaration, given);
            continue;
        }
        const auto spec = std::find_if(
            declaration.options.begin(), declaration.options.end(), [&](const OptionSpec& s) {
                return std::find(s.names.begin(), s.names.end(), "--" + key) != s.names.end();
            });
        if (spec == declaration.options.end()) {
            std::vector<std::string> known;
            for (const auto& s : declaration.options) known.push_back(s.long_name().substr(2));
            const auto near = nearest_name(key, known);
            throw UsageError(file + ": unknown key '" + printable(key, 60) + "'" +
                             (near ? "; did you mean '" + *near + "'?" : ""));
        }
        if (std::find(given.begin(), given.end(), spec->long_name()) != given.end()) continue;
        at_place(file, [&] { spec->set(value_text(value, "key '" + key + "'")); });
    }
}

// What an option shows, as JSON: the number, or the word that stands for one.
template <class Number>
json number_or_word(const std::optional<Number>& number, const std::string& text) {
    return number ? json(*number) : json(text);
}

} // namespace

void apply_config(const std::string& file, Declaration& declaration,
                  const std::vector<std::string>& given) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw UsageError(file + ": cannot be opened; a JSON configuration is expected");
    std::string text(kConfigLimit + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kConfigLimit)
        throw UsageError(file + ": is larger than a configuration can be (16 MiB)");
    const json parsed = parse_strictly(text, file);
    if (!parsed.is_object()) throw UsageError(file + ": a JSON object is expected");
    apply_object(parsed, file, declaration, given);
}

std::string resolved_config(const Declaration& declaration, ConfigScope scope) {
    json object = json::object();
    for (const auto& spec : declaration.options) {
        if (scope == ConfigScope::results_only && spec.execution_only) continue;
        const std::string text = spec.show();
        json value = text;
        if (spec.is_flag() && !spec.repeatable)
            value = text == "true";
        else if (text.empty())
            value = nullptr;
        else if (!spec.list && (spec.type == "integer" || spec.type == "bytes"))
            value = number_or_word(parse_integer(text), text);
        else if (!spec.list && spec.type == "number")
            value = number_or_word(parse_double(text), text);
        object[spec.long_name().substr(2)] = std::move(value);
    }
    return object.dump();
}

} // namespace assay::cli
