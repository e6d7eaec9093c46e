// Keras HDF5: whole models (model.save) and weights alone (save_weights), from every version.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture_match.hpp>
#include <assay/formats/keras_archive.hpp>
#include <assay/formats/keras_graph.hpp>
#include <assay/formats/keras_model.hpp>
#include <assay/formats/recurrent_stack.hpp>
#include <assay/formats/scalar_types.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace assay::formats {
namespace {

// A list of names; beyond 64 KB Keras splits it into <name>0, <name>1, ... An empty list is an
// array of numbers of length 0.
std::vector<std::string> all_parts(const hdf5::Object& object, const std::string& name) {
    if (const auto text = object.text_attribute(name))
        return text->empty() ? std::vector<std::string>{} : split(*text, '\n');
    std::vector<std::string> all;
    for (int part = 0; object.has_attribute(name + std::to_string(part)); ++part) {
        const auto text = object.text_attribute(name + std::to_string(part));
        const auto names = split(text.value_or(""), '\n');
        all.insert(all.end(), names.begin(), names.end());
    }
    return all;
}

std::vector<std::string> list_attribute(const hdf5::Object& object, const std::string& name) {
    auto all = all_parts(object, name);
    std::set<std::string> seen;
    for (const auto& one : all)
        if (!seen.insert(one).second)
            throw Error(object.where() + ": attribute '" + name + "' lists '" + printable(one, 60) +
                        "' twice");
    return all;
}

bool has_list(const hdf5::Object& object, const std::string& name) {
    return object.has_attribute(name) || object.has_attribute(name + "0");
}

// Whether the name of a weight goes through the layer: "model/conv1/kernel:0".
bool goes_through(const std::string& weight_name, const std::string& layer) {
    return ("/" + weight_name).find("/" + layer + "/") != std::string::npos ||
           starts_with(weight_name, layer + "_"); // Keras 1
}

class Hdf5Weights : public KerasWeights {
  public:
    explicit Hdf5Weights(const hdf5::Group& group) : group_(group) {}

    [[nodiscard]] KerasArrays of(const KerasPlace& place) const override {
        if (!group_.has_group(place.names.front())) return {};
        const hdf5::Group layer = group_.group(place.names.front());
        KerasArrays arrays;
        for (const auto& name : list_attribute(layer, "weight_names")) {
            if (place.names.size() > 1 && !goes_through(name, place.names.back())) continue;
            const hdf5::Dataset dataset = layer.dataset(name);
            arrays.push_back({keras_role(name), dense_array(dataset)});
            used_.insert(dataset.where());
        }
        return arrays;
    }

    // Weights that no layer of the model asked for.
    void note_unused(OpenedModel& opened) const {
        for (const auto& name : list_attribute(group_, "layer_names")) {
            if (!group_.has_group(name)) continue;
            const hdf5::Group layer = group_.group(name);
            for (const auto& weight : list_attribute(layer, "weight_names"))
                if (layer.has_dataset(weight) && used_.count(layer.dataset(weight).where()) == 0)
                    opened.notes.push_back("weight '" + printable(weight, 80) + "' of layer '" +
                                           printable(name, 60) + "' was not used");
        }
    }

  private:
    const hdf5::Group& group_;
    mutable std::set<std::string> used_;
};

int major_version(const std::string& text) {
    return !text.empty() && text[0] >= '1' && text[0] <= '3' ? text[0] - '0' : 0;
}

// Keras 1 wrote neither attribute.
KerasOrigin origin_of(const hdf5::Group& root, const hdf5::Group& weights) {
    const auto attribute = [&](const char* name) {
        const auto inner = weights.text_attribute(name);
        return inner ? inner : root.text_attribute(name);
    };
    const std::string version = attribute("keras_version").value_or("");
    return {version.empty() ? 1 : major_version(version), attribute("backend").value_or("")};
}

// --- weights without a Keras model ---

// A group may hold the weights of several layers, where it is a model itself.
std::vector<StoredLayer> layers_of_group(const hdf5::Group& group, const std::string& name,
                                         const KernelLayout& layout) {
    std::vector<std::pair<std::string, KerasArrays>> layers;
    for (const auto& weight : list_attribute(group, "weight_names")) {
        const hdf5::Dataset dataset = group.dataset(weight);
        const std::string role = keras_role(weight);
        const auto parts = split(weight, '/');
        const std::string owner = parts.size() > 1 ? parts[parts.size() - 2] : name;
        if (layers.empty() || layers.back().first != owner) layers.push_back({owner, {}});
        layers.back().second.push_back({role, dense_array(dataset)});
    }
    std::vector<StoredLayer> converted;
    for (auto& [owner, arrays] : layers)
        converted.push_back(converted_layer(layers.size() == 1 ? name : name + "." + owner,
                                            std::move(arrays), layout));
    return converted;
}

std::vector<StoredLayer> all_layers(const hdf5::Group& weights, const KernelLayout& layout) {
    std::vector<StoredLayer> layers;
    for (const auto& name : list_attribute(weights, "layer_names")) {
        if (!weights.has_group(name)) continue;
        auto inside = at_place(weights.where() + ": layer '" + printable(name, 60) + "'",
                               [&] { return layers_of_group(weights.group(name), name, layout); });
        std::move(inside.begin(), inside.end(), std::back_inserter(layers));
    }
    return layers;
}

void fill_from_weights(const hdf5::Group& weights, const KerasOrigin& origin,
                       const ModelOptions& options, OpenedModel& opened) {
    const bool theano = origin.version == 1 && options.keras_backend == "theano";
    auto layers = all_layers(weights, kernel_layout(origin, options, theano, opened));
    if (layers.empty()) throw Error(weights.where() + ": holds no weights");
    if (!options.architecture.empty())
        match_to_architecture(std::move(layers), options.architecture, weights.where(), opened);
    else
        keep_without_architecture(layers, opened);
}

// --- the file ---

std::optional<hdf5::Group> weights_group(const hdf5::Group& root) {
    if (root.has_group("model_weights")) return root.group("model_weights");
    if (has_list(root, "layer_names")) return root;
    return std::nullopt;
}

hdf5::Group chosen_group(const ModelSource& source) {
    return source.address.path.empty() ? *source.root : source.root->group(source.address.path);
}

bool recognises_keras_hdf5(const ModelSource& source) {
    if (source.root == nullptr) return false;
    if (!source.address.path.empty() && !source.root->has_group(source.address.path)) return false;
    const hdf5::Group root = chosen_group(source);
    return root.has_attribute("model_config") || weights_group(root) || is_keras_v3_weights(root);
}

bool is_keras_text(const std::string& json) {
    return !json.empty() && is_keras_json(network::parse_json(json, "--architecture"));
}

void note_metadata(const KerasOrigin& origin, const hdf5::Group& root, OpenedModel& opened) {
    if (const auto version = root.text_attribute("keras_version"))
        opened.metadata.emplace_back("keras_version", printable(*version, 40));
    if (!origin.backend.empty())
        opened.metadata.emplace_back("backend", printable(origin.backend, 40));
}

void read_keras_hdf5(const ModelSource& source, const ModelOptions& options, OpenedModel& opened) {
    const hdf5::Group root = chosen_group(source);
    if (is_keras_v3_weights(root)) {
        read_keras_v3_weights(root, options, opened);
        return;
    }
    const auto weights = weights_group(root);
    if (!weights) throw Error(root.where() + ": has a model_config but no weights");
    const KerasOrigin origin = origin_of(root, *weights);
    note_metadata(origin, root, opened);
    std::string config = root.text_attribute("model_config").value_or("");
    if (is_keras_text(options.architecture)) config = options.architecture;
    if (config.empty() || (!options.architecture.empty() && config != options.architecture)) {
        fill_from_weights(*weights, origin, options, opened);
        return;
    }
    at_place(root.where(), [&] {
        const Hdf5Weights arrays(*weights);
        fill_from_keras(config, arrays, origin, options, opened);
        arrays.note_unused(opened);
    });
}

} // namespace

const ModelFormat kKerasHdf5{"keras-h5", recognises_keras_hdf5, read_keras_hdf5};

} // namespace assay::formats
