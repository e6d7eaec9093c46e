#include <assay/formats/keras_graph.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace assay::formats {
namespace {

using network::Keys;

constexpr int kMostNested = 8; // models inside models
constexpr std::size_t kMostLayers = 100'000;

bool is_model_class(const std::string& name) {
    return name == "Sequential" || name == "Model" || name == "Functional";
}

// "Custom>Noise" -> "Noise".
std::string plain_class(const std::string& name) {
    return name.substr(name.find('>') == std::string::npos ? 0 : name.find('>') + 1);
}

// --- references to tensors ---

// [name, node, output, ...].
bool is_reference(const Json& json) {
    return json.is_array() && json.size() >= 3 && json[0].is_string() &&
           json[1].is_number_integer() && json[2].is_number_integer();
}

void add_reference(const Json& reference, std::vector<std::string>& names) {
    if (reference[2] != 0)
        throw Error("takes output " + printable(reference[2].dump(), 20) + " of layer '" +
                    printable(reference[0].get<std::string>(), 60) +
                    "'; layers with one output are expected");
    names.push_back(reference[0].get<std::string>());
}

// Everything in a call that is a tensor, however deep: Keras 1 and 2 nest lists, Keras 3 objects.
void collect_references(const Json& json, std::vector<std::string>& names) {
    if (is_reference(json)) {
        add_reference(json, names);
        for (std::size_t i = 3; i < json.size(); ++i) collect_references(json[i], names);
    } else if (json.is_object() && json.contains("keras_history")) {
        collect_references(json["keras_history"], names);
    } else if (json.is_structured()) {
        for (const auto& member : json) collect_references(member, names);
    }
}

std::vector<std::string> references(const Json& json) {
    std::vector<std::string> names;
    collect_references(json, names);
    return names;
}

std::vector<std::string> inputs_of(const Json& layer) {
    const auto nodes = layer.find("inbound_nodes");
    if (nodes == layer.end() || !nodes->is_array()) return {};
    const bool flat = !nodes->empty() && is_reference(nodes->front());
    if (nodes->size() > 1 && !flat)
        throw Error(concat("is applied ", nodes->size(),
                           " times; layers that share weights with themselves are not known"));
    return references(*nodes);
}

// --- layers ---

KerasGraph graph_of(const Json& json, int level);

KerasLayer layer_of(const Json& json, int level) {
    Keys keys(json, "");
    KerasLayer layer;
    layer.class_name = plain_class(keys.text("class_name"));
    layer.config = &keys.value("config");
    Json const& config = *layer.config;
    const std::string inner =
        config.is_object() && config.contains("name") && config["name"].is_string()
            ? config["name"].get<std::string>()
            : "";
    layer.name = keys.text("name", inner);
    if (layer.name.empty() && !config.is_array()) keys.refuse("config.name", "missing");
    if (is_model_class(layer.class_name)) layer.model.push_back(graph_of(json, level + 1));
    return layer;
}

KerasLayer named_layer(const Json& json, std::size_t i, int level) {
    return at_place(concat("layers[", i, "]"), [&] { return layer_of(json, level); });
}

const Json& layer_list(const Json& config) {
    if (config.is_array()) return config; // Keras before 2.2.3
    Keys keys(config, "config");
    const Json& list = keys.value("layers");
    if (!list.is_array() || list.empty()) keys.refuse("layers", "expected a list of layers");
    if (list.size() > kMostLayers) keys.refuse("layers", "has implausibly many layers");
    return list;
}

KerasGraph sequential(const Json& config, int level) {
    KerasGraph graph;
    std::string before = kGraphInput;
    const Json& list = layer_list(config);
    for (std::size_t i = 0; i < list.size(); ++i) {
        KerasLayer layer = named_layer(list[i], i, level);
        if (layer.class_name == "InputLayer" && i == 0) {
            graph.inputs = {layer.name};
        } else {
            layer.inputs = {before};
        }
        before = layer.name;
        graph.layers.push_back(std::move(layer));
    }
    if (graph.inputs.empty()) graph.inputs = {kGraphInput};
    graph.outputs = {before};
    return graph;
}

KerasGraph functional(const Json& config, int level) {
    KerasGraph graph;
    Keys keys(config, "config");
    const Json& list = layer_list(config);
    for (std::size_t i = 0; i < list.size(); ++i) {
        KerasLayer layer = named_layer(list[i], i, level);
        layer.inputs = at_place("layer '" + printable(layer.name, 60) + "'",
                                [&] { return inputs_of(list[i]); });
        graph.layers.push_back(std::move(layer));
    }
    graph.inputs = references(keys.value("input_layers"));
    graph.outputs = references(keys.value("output_layers"));
    return graph;
}

void refuse_shared_names(const KerasGraph& graph) {
    std::set<std::string> names;
    for (const auto& layer : graph.layers)
        if (!names.insert(layer.name).second)
            throw Error("has two layers of the name '" + printable(layer.name, 60) + "'");
}

// Keras lists layers roughly in order; a layer may still stand before one that feeds it.
std::vector<std::size_t> topological(const KerasGraph& graph) {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < graph.layers.size(); ++i) places[graph.layers[i].name] = i;
    std::vector<std::vector<std::size_t>> feeds(graph.layers.size());
    std::vector<std::size_t> waiting(graph.layers.size(), 0), order;
    for (std::size_t i = 0; i < graph.layers.size(); ++i)
        for (const auto& input : graph.layers[i].inputs) {
            if (input == kGraphInput) continue;
            const auto place = places.find(input);
            if (place == places.end())
                throw Error("layer '" + printable(graph.layers[i].name, 60) +
                            "' takes the output of '" + printable(input, 60) +
                            "', which is not there");
            feeds[place->second].push_back(i);
            ++waiting[i];
        }
    std::set<std::size_t> ready; // the first of them next, so that the file's order is kept
    for (std::size_t i = 0; i < waiting.size(); ++i)
        if (waiting[i] == 0) ready.insert(i);
    while (!ready.empty()) {
        order.push_back(*ready.begin());
        ready.erase(ready.begin());
        for (const std::size_t fed : feeds[order.back()])
            if (--waiting[fed] == 0) ready.insert(fed);
    }
    if (order.size() != graph.layers.size()) throw Error("its layers feed each other in a circle");
    return order;
}

void sort_layers(KerasGraph& graph) {
    refuse_shared_names(graph);
    std::vector<KerasLayer> sorted;
    graph.file_order.resize(graph.layers.size());
    for (const std::size_t i : topological(graph)) {
        graph.file_order[i] = sorted.size();
        sorted.push_back(std::move(graph.layers[i]));
    }
    graph.layers = std::move(sorted);
}

KerasGraph graph_of(const Json& json, int level) {
    if (level > kMostNested)
        throw Error(concat("nests models deeper than ", kMostNested, " levels"));
    Keys keys(json, "");
    const std::string class_name = plain_class(keys.text("class_name"));
    const Json& config = keys.value("config");
    if (!is_model_class(class_name))
        throw Error("the model is of the class '" + printable(class_name, 60) +
                    "'; Sequential, Model or Functional is expected");
    KerasGraph graph =
        class_name == "Sequential" ? sequential(config, level) : functional(config, level);
    graph.config = &config;
    graph.whole = &json;
    sort_layers(graph);
    return graph;
}

} // namespace

bool is_keras_json(const Json& json) {
    return json.is_object() && json.contains("class_name");
}

KerasGraph keras_graph(const Json& json) {
    return graph_of(json, 0);
}

} // namespace assay::formats
