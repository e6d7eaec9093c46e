#include <assay/formats/keras_builder.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace assay::formats {

struct KerasBuilder::Parts {
    OrderedJson input, layers = OrderedJson::array();
};

KerasBuilder::KerasBuilder(const KerasWeights& weights, const KerasOrigin& origin,
                           const ModelOptions& options, OpenedModel& opened)
    : weights_(weights), origin_(origin), options_(options), opened_(opened), names_{"input"},
      parts_(std::make_unique<Parts>()) {}

KerasBuilder::~KerasBuilder() = default;

void KerasBuilder::note(const std::string& text) {
    const auto& notes = opened_.notes;
    if (std::find(notes.begin(), notes.end(), text) == notes.end()) opened_.notes.push_back(text);
}

std::string KerasBuilder::unique_name(const std::string& wanted) {
    std::string plain = wanted;
    std::replace(plain.begin(), plain.end(), '/', '_'); // would open a group in our files
    if (plain.empty() || plain == ".") plain = "layer";
    std::string name = plain;
    for (int i = 2; !names_.insert(name).second; ++i) name = concat(plain, "_", i);
    return name;
}

KerasTensor KerasBuilder::emit(const std::string& name, const std::string& type,
                               const nlohmann::json& keys, const std::vector<KerasTensor>& inputs,
                               const hdf5::Shape& shape) {
    OrderedJson layer{{"name", name}, {"type", type}};
    for (const auto& [key, value] : keys.items()) layer[key] = value;
    const std::string before =
        parts_->layers.empty() ? "input" : parts_->layers.back()["name"].get<std::string>();
    std::vector<std::string> names;
    for (const auto& input : inputs) names.push_back(input.layer);
    if (names != std::vector<std::string>{before}) layer["inputs"] = names;
    parts_->layers.push_back(std::move(layer));
    const bool masked = std::any_of(inputs.begin(), inputs.end(),
                                    [](const KerasTensor& input) { return input.masked; });
    return {name, shape, !inputs.empty() && inputs.front().moved, masked};
}

KerasTensor KerasBuilder::activate(const std::string& name, const std::string& function,
                                   const KerasTensor& input) {
    const nlohmann::json keys = keras_function(function, *this);
    const std::string ours = keys["function"].get<std::string>();
    if (ours == "identity") return input;
    // Over the last axis as Keras has it.
    const bool last_axis = ours == "softmax" || ours == "log_softmax";
    const KerasTensor& taken = last_axis ? keras_features(input) : input;
    return emit(name, "activation", keys, {taken}, taken.shape);
}

KerasTensor KerasBuilder::keras_order(const KerasTensor& tensor) {
    if (!tensor.moved) return tensor;
    std::vector<std::size_t> axes(tensor.rank());
    std::iota(axes.begin(), axes.end(), std::size_t{1});
    axes.back() = 0;
    KerasTensor turned = emit(unique_name(tensor.layer + "_channels_last"), "permute",
                              {{"axes", axes}}, {tensor}, tensor.shape);
    turned.moved = false;
    return turned;
}

KerasTensor KerasBuilder::keras_features(const KerasTensor& tensor) {
    KerasTensor ordered = keras_order(tensor);
    if (ordered.rank() != 2) return ordered;
    const auto maker =
        std::find_if(parts_->layers.rbegin(), parts_->layers.rend(), [&](const OrderedJson& layer) {
            return layer["name"].get<std::string>() == ordered.layer;
        });
    if (maker == parts_->layers.rend()) return ordered; // an input
    const std::string type = (*maker)["type"].get<std::string>();
    if (type == "permute" || type == "reshape") (*maker)["sequence"] = true;
    return ordered;
}

KerasTensor KerasBuilder::channels_first(const KerasTensor& tensor) {
    if (tensor.moved || tensor.rank() < 2) return tensor;
    std::vector<std::size_t> axes(tensor.rank());
    std::iota(axes.begin() + 1, axes.end(), std::size_t{0});
    axes.front() = tensor.rank() - 1;
    KerasTensor turned = emit(unique_name(tensor.layer + "_channels_first"), "permute",
                              {{"axes", axes}}, {tensor}, tensor.shape);
    turned.moved = true;
    return turned;
}

KerasArrays KerasBuilder::arrays(const KerasCall& call,
                                 const std::vector<std::string>& roles) const {
    KerasArrays arrays = weights_.of(call.place);
    std::size_t next = 0;
    for (auto& array : arrays) {
        if (!array.role.empty()) continue;
        if (next >= roles.size())
            throw Error(concat("holds ", arrays.size(), " arrays; ", roles.size(),
                               " are expected (", join(roles, ", "), ")"));
        array.role = roles[next++];
    }
    return arrays;
}

void KerasBuilder::keep(const std::string& layer, const std::string& name,
                        const DenseArray& array) {
    keep_parameter(opened_, layer, name, array);
}

void KerasBuilder::keep(const StoredLayer& layer, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        const DenseArray* array = layer.find(name, false);
        if (array == nullptr)
            throw Error(name + " is missing; the file holds " +
                        (layer.arrays.empty() ? "no arrays of it" : layer.array_names()));
        keep(layer.name, name, *array);
    }
}

void KerasBuilder::keep_gates(const std::string& layer, const std::string& gates) {
    if (!gates.empty()) opened_.model.gates.push_back({layer, gates});
}

KernelLayout KerasBuilder::layout(bool theano_ordering) {
    return kernel_layout(origin_, options_, theano_ordering, opened_);
}

void KerasBuilder::set_input(const hdf5::Shape& shape, const std::vector<std::string>& axes) {
    parts_->input = OrderedJson{{"shape", shape}, {"axes", axes}};
}

void KerasBuilder::finish(const std::vector<KerasTensor>& outputs) {
    OrderedJson names = OrderedJson::array();
    for (KerasTensor tensor : outputs) {
        if (tensor.layer == "input")
            tensor = emit(unique_name("output"), "activation", {{"function", "identity"}}, {tensor},
                          tensor.shape);
        names.push_back(tensor.layer);
    }
    const OrderedJson architecture{{"format", "assay-architecture/1"},
                                   {"input", parts_->input},
                                   {"layers", parts_->layers},
                                   {"output", names}};
    opened_.model.architecture = architecture.dump();
}

} // namespace assay::formats
