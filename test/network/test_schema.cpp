// share/schemas/architecture.json and the reader agree: on types, on the keys of every type, on
// words, and on the examples.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/network.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::network;
using Json = nlohmann::json;

namespace {

const std::string kSource = ASSAY_SOURCE_DIR;

std::string file_text(const std::string& name) {
    std::ifstream in(kSource + "/" + name);
    REQUIRE(in);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Json schema() {
    return Json::parse(file_text("share/schemas/architecture.json"));
}

// The strings that a pattern finds in some files.
std::set<std::string> found_in(const std::vector<std::string>& files, const std::string& pattern) {
    std::set<std::string> found;
    const std::regex expression(pattern);
    for (const auto& file : files) {
        const std::string text = file_text(file);
        for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
            found.insert((*at)[1]);
    }
    return found;
}

const std::vector<std::string> kReaders{
    "lib/network/layers_activation.cpp", "lib/network/layers_convolution.cpp",
    "lib/network/layers_dense.cpp",      "lib/network/layers_merge.cpp",
    "lib/network/layers_noise.cpp",      "lib/network/layers_normalisation.cpp",
    "lib/network/layers_recurrent.cpp",  "lib/network/layers_reverse.cpp",
    "lib/network/layers_select.cpp",     "lib/network/layers_shape.cpp",
    "lib/network/layers_transposed.cpp", "lib/network/convolution_layer.hpp",
    "lib/network/windows.cpp",           "lib/network/cell.cpp"};

// What the reader says of a network, or nothing.
std::string complaint(const Json& architecture) {
    try {
        static_cast<void>(Network<double>(architecture.dump()));
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

Json with_layer(const Json& input, const Json& layer) {
    return {{"input", input}, {"layers", {layer}}};
}

// An input that a layer takes.
Json input_for(const Json& layer) {
    for (const char* input :
         {R"({"shape": [6]})", R"({"shape": [2, 3]})", R"({"shape": [2, 5, 5]})",
          R"({"shape": [2, 3, 3, 3]})", R"({"shape": [5, 3], "axes": ["time", "feature"]})"})
        if (complaint(with_layer(Json::parse(input), layer)).empty()) return Json::parse(input);
    FAIL("no input suits " << layer << ": "
                           << complaint(with_layer(Json::parse(R"({"shape": [6]})"), layer)));
    return {};
}

// Whether the reader knows a key of one of the examples: a value of no kind that it takes must be
// refused for what it is.
bool reader_knows(const Json& definition, const std::string& key) {
    bool known = false;
    for (Json layer : definition["examples"]) {
        const Json input = input_for(layer);
        layer[key] = Json::object();
        const std::string message = complaint(with_layer(input, layer));
        REQUIRE(!message.empty());
        known |= message.find("unknown key") == std::string::npos;
    }
    return known;
}

bool is_layer(const Json& definition) {
    return definition.contains("examples");
}

} // namespace

TEST_CASE("the schema has the reader's layer types", "[network][schema]") {
    const Json whole = schema(), definitions = whole["definitions"];
    std::set<std::string> types;
    for (const auto& [name, definition] : definitions.items())
        if (is_layer(definition))
            for (const auto& type : definition["properties"]["type"]["enum"]) types.insert(type);
    CHECK(types == found_in(kReaders, R"rx(LayerRegistration \w+\("(\w+)")rx"));
    const Json list = whole["properties"]["layers"]["items"]["oneOf"];
    for (const auto& [name, definition] : definitions.items()) {
        const Json reference{{"$ref", "#/definitions/" + name}};
        CHECK((std::find(list.begin(), list.end(), reference) != list.end()) ==
              is_layer(definition));
    }
}

TEST_CASE("the schema has the reader's keys, type by type", "[network][schema]") {
    const Json definitions = schema()["definitions"];
    std::set<std::string> all{"no_such_key"};
    for (const auto& [name, definition] : definitions.items())
        if (is_layer(definition))
            for (const auto& [key, unused] : definition["properties"].items()) all.insert(key);
    for (const auto& key :
         found_in(kReaders, R"rx((?:keys|request\.keys)(?:->|\.)\w+\(\s*"(\w+)")rx"))
        CHECK(all.count(key) == 1);
    for (const auto& [name, definition] : definitions.items()) {
        if (!is_layer(definition)) continue;
        for (const auto& key : all) {
            if (key == "type") continue;
            CAPTURE(name, key);
            CHECK(reader_knows(definition, key) == definition["properties"].contains(key));
        }
    }
}

TEST_CASE("the schema has the reader's words", "[network][schema]") {
    const Json definitions = schema()["definitions"];
    for (const auto& [name, definition] : definitions.items()) {
        if (!is_layer(definition)) continue;
        for (const auto& [key, property] : definition["properties"].items()) {
            if (!property.contains("enum") || key == "type") continue;
            std::vector<std::string> words = property["enum"];
            CAPTURE(name, key);
            bool listed = false;
            for (Json layer : definition["examples"]) {
                const Json input = input_for(layer);
                layer[key] = "no such word";
                const std::string message = complaint(with_layer(input, layer));
                listed |= message.find("expected one of " + join(words, ", ") + "; found") !=
                          std::string::npos;
            }
            CHECK(listed);
        }
    }
}

TEST_CASE("what the schema requires is missed by the reader", "[network][schema]") {
    const Json definitions = schema()["definitions"];
    for (const auto& [name, definition] : definitions.items()) {
        if (!is_layer(definition)) continue;
        for (const auto& [key, property] : definition["properties"].items()) {
            if (key == "type" || key == "inputs" || key == "name") continue;
            const auto& required = definition["required"];
            Json layer = definition["examples"][0];
            if (!layer.contains(key)) continue; // needless, as the example is read without it
            const Json input = input_for(layer);
            layer.erase(key);
            CAPTURE(name, key);
            const bool missed =
                complaint(with_layer(input, layer)).find("missing") != std::string::npos;
            CHECK(missed == (std::find(required.begin(), required.end(), key) != required.end()));
        }
    }
}

TEST_CASE("the schema has the reader's keys around the layers", "[network][schema]") {
    const Json properties = schema()["properties"];
    const Json good = with_layer({{"shape", {6}}}, {{"type", "dense"}, {"units", 2}});
    REQUIRE(complaint(good).empty());
    std::set<std::string> all{"no_such_key", "shape", "axes"};
    for (const auto& [key, unused] : properties.items()) all.insert(key);
    for (const auto& key : all) {
        CAPTURE(key);
        Json changed = good;
        changed[key] = Json::array({Json::array()});
        const bool known = complaint(changed).find("unknown key") == std::string::npos;
        CHECK(known == properties.contains(key));
        changed = good;
        changed["input"][key] = Json::object();
        const bool known_input = complaint(changed).find("unknown key") == std::string::npos;
        CHECK(known_input == properties["input"]["properties"].contains(key));
    }
    for (const auto& key :
         found_in({"lib/network/network.cpp"}, R"rx((?:root|input)\.\w+\("(\w+)")rx"))
        CHECK(all.count(key) == 1);
}
