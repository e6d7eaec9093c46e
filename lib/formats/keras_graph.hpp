// Internal to lib/formats: the layers of a Keras model and what feeds them, whatever version of
// Keras wrote the JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace assay::formats {

struct KerasGraph;

struct KerasLayer {
    std::string class_name, name;
    const nlohmann::json* config = nullptr;
    std::vector<std::string> inputs; // layers; kGraphInput for what the model is given
    std::vector<KerasGraph> model;   // one where the layer is itself a model
};

struct KerasGraph {
    std::vector<KerasLayer> layers;   // each after its inputs
    std::vector<std::string> inputs;  // names of its InputLayers; kGraphInput for a Sequential
    std::vector<std::string> outputs; // names of layers
    const nlohmann::json* config = nullptr;
    const nlohmann::json* whole = nullptr; // with class_name around the config
    // Layers in the file's order, by place in `layers`: archives count repeated classes in it.
    std::vector<std::size_t> file_order;
};

inline constexpr const char* kGraphInput = "";

[[nodiscard]] bool is_keras_json(const nlohmann::json& json);

// `json` must outlive the result. Throws Error naming the layer that cannot be understood.
[[nodiscard]] KerasGraph keras_graph(const nlohmann::json& json);

} // namespace assay::formats
