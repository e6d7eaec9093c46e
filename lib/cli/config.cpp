#include <assay/cli/config.hpp>

#include <assay/cli/words.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/seed.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

namespace assay::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kConfigLimit = std::size_t{16} << 20U;
constexpr int kDeepest = 8;

std::string read_text(const std::string& file) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
        throw UsageError(file + ": is a directory; a JSON configuration is expected");
    std::ifstream in(file, std::ios::binary);
    if (!in) throw UsageError(file + ": cannot be opened; a JSON configuration is expected");
    std::string text(kConfigLimit + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kConfigLimit)
        throw UsageError(file + ": is larger than a configuration can be (16 MiB)");
    return text;
}

// The library's message without "[json.exception.parse_error.101] ".
std::string json_reason(const json::exception& e) {
    const std::string text = e.what();
    const auto end = text.find("] ");
    return printable(end == std::string::npos ? text : text.substr(end + 2), 150);
}

// Parses, refusing doubled keys, which nlohmann_json silently lets the last one win, and depth that
// no configuration has.
json parse_strictly(const std::string& text, const std::string& file) {
    std::vector<std::set<std::string>> keys;
    const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
        if (depth > kDeepest)
            throw UsageError(concat(file, ": is nested more than ", kDeepest, " levels deep"));
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
        throw UsageError(file + ": is not valid JSON (" + json_reason(e) + ")");
    }
}

std::optional<std::string> scalar_text(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
    if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
    if (value.is_number()) return shortest(value.get<double>());
    return std::nullopt;
}

std::string value_text(const json& value, const std::string& key) {
    const auto text_of = [&](const json& one) {
        const auto text = scalar_text(one);
        if (!text)
            throw UsageError("key '" + printable(key, 60) +
                             "': a number, text, true, false or a list of these is expected");
        return *text;
    };
    if (!value.is_array()) return text_of(value);
    std::vector<std::string> parts;
    for (const auto& part : value) parts.push_back(text_of(part));
    return join(parts, ",");
}

bool is_excluded(const Declaration& d, const std::string& name,
                 const std::vector<std::string>& given) {
    const auto has = [&](const std::string& other) { return in_effect(d, other, given); };
    return std::any_of(d.conflicts.begin(), d.conflicts.end(), [&](const auto& pair) {
        return (pair.first == name && has(pair.second)) || (pair.second == name && has(pair.first));
    });
}

// Applies one file to one subcommand, remembering under which key each option stood.
class Reader {
  public:
    Reader(const std::string& file, Declaration& declaration,
           const std::vector<std::string>& subcommands, const std::vector<std::string>& given)
        : file_(file), declaration_(declaration), subcommands_(subcommands), given_(given) {}

    void read(const json& object) {
        for (const auto& [key, value] : object.items()) {
            if (!value.is_object() || !contains(subcommands_, key))
                set(key, key, value);
            else if (key == declaration_.name)
                for (const auto& [inner, inner_value] : value.items())
                    set(inner, key + "." + inner, inner_value);
        }
    }

    [[nodiscard]] std::vector<std::string> names() const { return names_; }

  private:
    static bool contains(const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    }

    void set(const std::string& key, const std::string& place, const json& value) {
        const OptionSpec& spec = find(key);
        const auto [before, is_new] = places_.emplace(spec.long_name(), place);
        if (!is_new)
            throw UsageError(file_ + ": option '" + spec.long_name() + "' is given twice, as '" +
                             before->second + "' and as '" + place + "'");
        if (value.is_null()) return;
        // How a run is done, as opposed to what: the command line wins over the counterpart too.
        if (spec.execution_only && is_excluded(declaration_, spec.long_name(), given_)) return;
        names_.push_back(spec.long_name());
        if (contains(given_, spec.long_name())) return;
        at_place(file_, [&] { spec.set(value_text(value, place)); });
    }

    const OptionSpec& find(const std::string& key) const {
        std::vector<std::string> known;
        for (const auto& spec : declaration_.options) {
            if (spec.one_shot) continue;
            if (contains(spec.names, "--" + key)) return spec;
            known.push_back(spec.long_name().substr(2));
        }
        const auto near = nearest_name(key, known);
        throw UsageError(file_ + ": unknown key '" + printable(key, 60) + "'" +
                         (near ? "; did you mean '" + *near + "'?" : ""));
    }

    const std::string& file_;
    Declaration& declaration_;
    const std::vector<std::string>& subcommands_;
    const std::vector<std::string>& given_;
    std::map<std::string, std::string> places_;
    std::vector<std::string> names_;
};

bool is_document(const json& object, const std::vector<std::string>& subcommands) {
    if (object.contains("format")) return true;
    for (const auto& [key, value] : object.items())
        if (value.is_object() &&
            std::find(subcommands.begin(), subcommands.end(), key) == subcommands.end())
            return true;
    return false;
}

// What an option shows as JSON: a number where it is one that JSON can hold, else its text.
json shown_value(const OptionSpec& spec, const std::string& text) {
    if (spec.is_flag() && !spec.repeatable) return text == "true";
    if (spec.list) return text;
    if (spec.repeatable || spec.type == "integer" || spec.type == "bytes") {
        if (const auto number = parse_integer(text)) return *number;
        if (const auto number = parse_seed(text)) return *number;
    }
    if (spec.type == "number")
        if (const auto number = parse_double(text); number && std::isfinite(*number))
            return *number;
    return text;
}

} // namespace

std::vector<std::string> apply_config(const std::string& file, Declaration& declaration,
                                      const std::vector<std::string>& subcommands,
                                      const std::vector<std::string>& given) {
    const std::string text = ranks::from_first([&] { return read_text(file); });
    const json parsed = parse_strictly(text, file);
    if (!parsed.is_object()) throw UsageError(file + ": a JSON object is expected");
    if (declaration.document != nullptr && is_document(parsed, subcommands)) {
        *declaration.document = {file, text};
        return {};
    }
    Reader reader(file, declaration, subcommands, given);
    reader.read(parsed);
    return reader.names();
}

namespace {

// Whether it only stands at its default, as does an option that excludes it: given together they
// would be a mistake.
bool is_idle(const Declaration& d, const OptionSpec& spec, const std::vector<std::string>& given) {
    const auto untold = [&](const std::string& name) {
        return std::find(given.begin(), given.end(), name) == given.end();
    };
    const auto stands = [&](const std::string& name) {
        return std::any_of(d.options.begin(), d.options.end(), [&](const OptionSpec& other) {
            return other.long_name() == name && !is_off(other) && !other.show().empty();
        });
    };
    return untold(spec.long_name()) && !is_off(spec) &&
           std::any_of(d.conflicts.begin(), d.conflicts.end(), [&](const auto& pair) {
               const std::string& other = pair.first == spec.long_name() ? pair.second : pair.first;
               return (pair.first == spec.long_name() || pair.second == spec.long_name()) &&
                      untold(other) && stands(other);
           });
}

} // namespace

std::string resolved_config(const Declaration& declaration, ConfigScope scope,
                            const std::vector<std::string>& given) {
    json object = json::object();
    for (const auto& spec : declaration.options) {
        if (spec.one_shot || (scope == ConfigScope::results_only && spec.execution_only)) continue;
        const std::string text = spec.show();
        if (text.empty() || is_idle(declaration, spec, given) ||
            (!is_off(spec) && is_excluded(declaration, spec.long_name(), given)))
            continue;
        object[spec.long_name().substr(2)] = shown_value(spec, text);
    }
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace assay::cli
