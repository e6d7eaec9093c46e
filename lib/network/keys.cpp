#include <assay/network/keys.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace assay::network {
namespace {

constexpr std::size_t kMostText = std::size_t{64} << 20;
constexpr int kMostLevels = 64;

std::string shown(const Json& value) {
    return printable(value.dump(), 60);
}

// A number that is whole and fits, else nothing.
std::optional<Index> whole(const Json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number > std::uint64_t{1} << 53) return std::nullopt;
        return static_cast<Index>(number);
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (!value.is_number_float()) return std::nullopt;
    const double number = value.get<double>();
    if (number != std::floor(number) || std::abs(number) > 9e15) return std::nullopt;
    return static_cast<Index>(number);
}

} // namespace

Json parse_json(const std::string& text, const std::string& place) {
    if (text.size() > kMostText)
        throw Error(
            concat(place, ": JSON of ", text.size(), " bytes; at most ", kMostText, " are read"));
    // nlohmann_json lets the last of doubled keys win in silence.
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kMostLevels) throw Error("JSON nested deeper than 64 levels");
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key &&
            !keys.back().insert(parsed.get<std::string>()).second)
            throw Error("the key '" + printable(parsed.get<std::string>(), 60) + "' stands twice");
        return true;
    };
    try {
        return Json::parse(text, watch);
    } catch (const Json::exception& e) {
        throw Error(place + ": not JSON: " + printable(e.what(), 160));
    } catch (const Error& e) {
        throw Error(place + ": " + e.what());
    }
}

Keys::Keys(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {
    if (!object.is_object())
        throw Error(concat(path_.empty() ? "the document" : path_, ": expected an object, found ",
                           shown(object)));
}

const Json* Keys::find(const std::string& key) {
    known_.push_back(key);
    const auto at = object_->find(key);
    return at == object_->end() || at->is_null() ? nullptr : &*at;
}

bool Keys::has(const std::string& key) const {
    const auto at = object_->find(key);
    return at != object_->end() && !at->is_null();
}

void Keys::refuse(const std::string& key, const std::string& complaint) const {
    throw Error(concat(path_, path_.empty() ? "" : ".", key, ": ", complaint));
}

const Json& Keys::value(const std::string& key) {
    const Json* found = find(key);
    if (!found) refuse(key, "missing");
    return *found;
}

std::string Keys::text(const std::string& key) {
    const Json& found = value(key);
    if (!found.is_string()) refuse(key, "expected text, found " + shown(found));
    return found.get<std::string>();
}

std::string Keys::text(const std::string& key, const std::string& otherwise) {
    return has(key) ? text(key) : (find(key), otherwise);
}

std::string Keys::word(const std::string& key, const std::vector<std::string>& words,
                       const std::string& otherwise) {
    const std::string found = text(key, otherwise);
    if (std::find(words.begin(), words.end(), found) == words.end())
        refuse(key,
               "expected one of " + join(words, ", ") + "; found '" + printable(found, 40) + "'");
    return found;
}

bool Keys::flag(const std::string& key, bool otherwise) {
    const Json* found = find(key);
    if (!found) return otherwise;
    if (!found->is_boolean()) refuse(key, "expected true or false, found " + shown(*found));
    return found->get<bool>();
}

double Keys::number(const std::string& key) {
    const Json& found = value(key);
    if (!found.is_number() || !std::isfinite(found.get<double>()))
        refuse(key, "expected a number, found " + shown(found));
    return found.get<double>();
}

double Keys::number(const std::string& key, double otherwise) {
    return has(key) ? number(key) : (find(key), otherwise);
}

Index Keys::count(const std::string& key, Index least, Index most) {
    const Json& found = value(key);
    const auto number = whole(found);
    if (!number || *number < least || *number > most)
        refuse(key,
               concat("expected an integer from ", least, " to ", most, ", found ", shown(found)));
    return *number;
}

Index Keys::count(const std::string& key, Index least, Index most, Index otherwise) {
    return has(key) ? count(key, least, most) : (find(key), otherwise);
}

std::vector<Index> Keys::integers(const std::string& key, Index length, Index least) {
    const Json& found = value(key);
    const auto checked = [&](const Json& one) {
        const auto number = whole(one);
        if (!number || *number < least || *number > (Index{1} << 40))
            refuse(key, concat("expected integers of at least ", least, ", found ", shown(one)));
        return *number;
    };
    if (!found.is_array()) {
        if (length < 0) refuse(key, "expected a list of integers, found " + shown(found));
        return std::vector<Index>(static_cast<std::size_t>(length), checked(found));
    }
    if (length >= 0 && static_cast<Index>(found.size()) != length)
        refuse(key, concat("expected ", length, " integers, found ", found.size()));
    std::vector<Index> result;
    for (const auto& one : found) result.push_back(checked(one));
    return result;
}

std::vector<Index> Keys::integers(const std::string& key, Index length, Index least,
                                  std::vector<Index> otherwise) {
    return has(key) ? integers(key, length, least) : (find(key), std::move(otherwise));
}

std::vector<double> Keys::numbers(const std::string& key) {
    const Json& found = value(key);
    std::vector<double> result;
    if (found.is_number()) return {number(key)};
    if (!found.is_array()) refuse(key, "expected numbers, found " + shown(found));
    for (const auto& one : found) {
        if (!one.is_number()) refuse(key, "expected numbers, found " + shown(one));
        result.push_back(one.get<double>());
    }
    return result;
}

std::vector<std::string> Keys::texts(const std::string& key) {
    const Json& found = value(key);
    if (!found.is_array()) refuse(key, "expected a list of texts, found " + shown(found));
    std::vector<std::string> result;
    for (const auto& one : found) {
        if (!one.is_string()) refuse(key, "expected a list of texts, found " + shown(one));
        result.push_back(one.get<std::string>());
    }
    return result;
}

void Keys::refuse_others() const {
    for (const auto& [key, unused] : object_->items()) {
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
        const auto near = nearest_name(key, known_);
        refuse(printable(key, 60),
               near ? "unknown key; is '" + *near + "' meant?" : std::string("unknown key"));
    }
}

} // namespace assay::network
