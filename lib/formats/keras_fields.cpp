#include <assay/formats/keras_fields.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::formats {

using network::Keys;

Keys keys_of(const KerasCall& call) {
    return {*call.layer->config, "config"};
}

// Keras 1 called many fields otherwise.
std::string either(const Keys& keys, const std::string& now, const std::string& before) {
    return keys.has(now) || !keys.has(before) ? now : before;
}

const KerasTensor& only_input(const KerasCall& call) {
    if (call.inputs.size() != 1)
        throw Error(concat("takes ", call.inputs.size(), " inputs; one is expected"));
    return call.inputs.front();
}

void refuse_mask(const KerasTensor& input) {
    if (input.masked)
        throw Error("would leave out steps of token 0 (mask_zero), which is not done here; --treat "
                    "mask_zero=identity takes them like any others");
}

bool is_version_one(const KerasBuilder& builder) {
    return builder.origin().version == 1;
}

bool uses_bias(Keys& keys) {
    return keys.flag(either(keys, "use_bias", "bias"), true);
}

std::vector<std::string> weight_roles(bool bias) {
    if (bias) return {"kernel", "bias"};
    return {"kernel"};
}

std::vector<std::string> weight_names(bool bias) {
    if (bias) return {"weight", "bias"};
    return {"weight"};
}

KerasTensor with_activation(KerasBuilder& builder, const KerasCall& call, const Keys& keys,
                            const KerasTensor& output) {
    const std::string function = function_name(keys, *call.layer->config, "activation", "linear");
    if (function == "linear") return output;
    return builder.activate(builder.unique_name(call.name + "_" + function), function, output);
}

Index axis_of(Keys& keys, const std::string& field) {
    const double axis = keys.number(field, -1);
    if (axis != -1 && !(axis > -16 && axis < 16 && axis == static_cast<int>(axis)))
        keys.refuse(field, "expected an axis");
    return static_cast<Index>(axis);
}

Index known_size(const hdf5::Shape& shape) {
    for (const Index extent : shape)
        if (extent == kUnknownExtent) return kUnknownExtent;
    return hdf5::element_count(shape, "its shape");
}

Index plausible_count(const hdf5::Shape& shape) {
    constexpr Index kMost = Index{1} << 26;
    const Index count = hdf5::element_count(shape, "its parameters");
    if (count > kMost)
        throw Error(concat("its parameters would be ", count, " numbers; at most ", kMost,
                           " are expected of what the file does not hold"));
    return count;
}

Index spatial_rank(const std::string& class_name) {
    const std::string transpose = "Transpose";
    if (ends_with(class_name, transpose))
        return spatial_rank(class_name.substr(0, class_name.size() - transpose.size()));
    if (starts_with(class_name, "SpatialDropout") || class_name.size() < 2 ||
        class_name.back() != 'D')
        return 0;
    const char digit = class_name[class_name.size() - 2];
    return digit >= '1' && digit <= '3' ? digit - '0' : 0;
}

bool has_channels_first(const Json& config) {
    for (const char* field : {"data_format", "dim_ordering"}) {
        const auto found = config.is_object() ? config.find(field) : config.end();
        if (found == config.end() || !found->is_string()) continue;
        const auto& order = found->get_ref<const std::string&>();
        if (order == "channels_first" || order == "th") return true;
    }
    return false;
}

Json keras_function(const std::string& name, const KerasBuilder& builder) {
    for (const auto& [theirs, ours] : builder.options().treat)
        if (name == theirs) return {{"function", ours}};
    if (name == "hard_sigmoid" && builder.origin().version == 3)
        throw Error("hard_sigmoid of Keras 3 (slope 1/6) has no counterpart here; --treat "
                    "hard_sigmoid=FUNCTION names a stand-in");
    if (name == "linear") return {{"function", "identity"}};
    if (name == "swish") return {{"function", "silu"}};
    if (name == "elu") return {{"function", name}, {"alpha", 1.0}};
    if (name == "leaky_relu") return {{"function", name}, {"slope", 0.2}};
    const std::vector<std::string> same{"relu",     "tanh",        "sigmoid",    "hard_sigmoid",
                                        "softmax",  "softplus",    "gelu",       "silu",
                                        "softsign", "exponential", "log_softmax"};
    if (std::find(same.begin(), same.end(), name) == same.end())
        throw Error("the activation '" + printable(name, 60) +
                    "' is not known; --treat NAME=identity|relu|... names a stand-in");
    return {{"function", name}};
}

// "relu", or {"class_name": "function", "config": "relu"}.
std::string function_name(const Keys& keys, const Json& config, const std::string& field,
                          const std::string& otherwise) {
    if (!keys.has(field)) return otherwise;
    const Json& value = config[field];
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object() && value.contains("config") && value["config"].is_string())
        return value["config"].get<std::string>();
    if (value.is_object() && value.contains("class_name") && value["class_name"].is_string())
        return value["class_name"].get<std::string>();
    keys.refuse(field, "expected the name of a function");
}

} // namespace assay::formats
