// share/schemas/training.json and the reader of configurations agree on keys and words.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/config.hpp>
#include <assay/training/config_json.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::training;
using Json = nlohmann::json;

namespace {

Json schema() {
    std::ifstream in(std::string(ASSAY_SOURCE_DIR) + "/share/schemas/training.json");
    REQUIRE(in);
    return Json::parse(in);
}

std::string complaint(const Json& config) {
    try {
        static_cast<void>(read_config(config.dump(), {}, "c"));
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

// A section of the configuration: where it is, and its properties.
struct Section {
    Json::json_pointer place;
    Json properties;
};

// Of an object, or of that of several forms which is one.
Json properties_of(const Json& property) {
    if (property.contains("properties")) return property["properties"];
    if (property.contains("oneOf"))
        for (const auto& one : property["oneOf"])
            if (one.contains("properties")) return one["properties"];
    return nullptr;
}

void collect(const Json::json_pointer& place, const Json& properties, std::vector<Section>& list) {
    list.push_back({place, properties});
    for (const auto& [key, property] : properties.items())
        if (const Json inner = properties_of(property); !inner.is_null())
            collect(place / key, inner, list);
}

std::vector<Section> sections() {
    std::vector<Section> list;
    collect(Json::json_pointer(""), schema()["properties"], list);
    REQUIRE(list.size() == 14);
    return list;
}

// The least that is there for a section to be read.
Json base_of(const Section& section) {
    Json config = Json::object();
    if (section.place.to_string() == "/task") config["task"] = {{"name", "parity"}};
    if (section.place.to_string() == "/model") config["model"] = {{"architecture", Json::object()}};
    return config;
}

void flatten_keys(const Json& value, const std::string& path, std::set<std::string>& keys) {
    for (const auto& [key, inner] : value.items()) {
        const std::string here = path + "/" + key;
        keys.insert(here);
        if (inner.is_object() && here != "/model/architecture") flatten_keys(inner, here, keys);
    }
}

} // namespace

TEST_CASE("the schema has the reader's keys, section by section", "[training][schema]") {
    std::set<std::string> all{"no_such_key"};
    for (const auto& section : sections())
        for (const auto& [key, unused] : section.properties.items()) all.insert(key);
    for (const auto& section : sections()) {
        const bool task = section.place.to_string() == "/task";
        for (const auto& key : all) {
            CAPTURE(section.place.to_string(), key);
            Json config = base_of(section);
            // Of no kind that any key takes.
            config[section.place / key] = Json::array({Json::array()});
            const std::string message = complaint(config);
            const bool known = message.find("unknown key") == std::string::npos &&
                               message.find("unknown parameter") == std::string::npos;
            if (task && key == "bits") continue;
            // The rule's own keys are read when it is made.
            if (section.place.to_string() == "/rule" && message.empty()) continue;
            CHECK(known == section.properties.contains(key));
        }
    }
}

TEST_CASE("every key of a resolved configuration stands in the schema", "[training][schema]") {
    std::set<std::string> in_schema, resolved;
    for (const auto& section : sections())
        for (const auto& [key, unused] : section.properties.items())
            in_schema.insert((section.place / key).to_string());
    Json config = Json::parse(config_json(read_config(
        R"({"task": {"name": "parity", "preset": ""}, "steps": 3, "init": "file",
            "model": {"architecture": {}, "file": "w.npz"}})",
        {}, "c")));
    flatten_keys(config, "", resolved);
    for (const auto& key : resolved) {
        CAPTURE(key);
        CHECK(in_schema.count(key) == 1);
    }
    // And the other way round, but for what takes the place of something else.
    for (const auto& key : in_schema) {
        if (key == "/data" || key == "/epochs" || key == "/task/preset" ||
            (starts_with(key, "/checkpoints/") && key != "/checkpoints/log"))
            continue;
        CAPTURE(key);
        CHECK(resolved.count(key) == 1);
    }
    CHECK(complaint(config).empty());
}

TEST_CASE("the schema has the reader's words and defaults", "[training][schema]") {
    const Json defaults = Json::parse(config_json(read_config("{}", {}, "c")));
    for (const auto& section : sections())
        for (const auto& [key, property] : section.properties.items()) {
            const auto place = section.place / key;
            CAPTURE(place.to_string());
            if (property.contains("default") && section.place.to_string() != "/task")
                CHECK(defaults.at(place) == property["default"]);
            if (!property.contains("enum") || key == "format") continue;
            Json config = base_of(section);
            config[place] = "no such word";
            std::vector<std::string> words = property["enum"];
            if (words[0].empty()) words.erase(words.begin());
            CHECK_THAT(complaint(config),
                       Catch::Matchers::Contains("expected one of " + join(words, ", ")));
            for (const auto& word : words) {
                config[place] = word;
                CHECK(complaint(config).find("expected one of") == std::string::npos);
            }
        }
}
