// Keras layers that normalise.
#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/formats/keras_fields.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::formats {
namespace {

using network::Keys;

std::vector<std::string> scale_and_offset(Keys& keys) {
    std::vector<std::string> names;
    if (keys.flag("scale", true)) names.emplace_back("gamma");
    if (keys.flag("center", true)) names.emplace_back("beta");
    return names;
}

// Parameters of that size in which no scale is 1 and no offset 0.
void keep_normalisation(KerasBuilder& builder, const StoredLayer& layer,
                        const std::vector<std::string>& present, const hdf5::Shape& shape) {
    builder.keep(layer, present);
    const auto size = static_cast<std::size_t>(plausible_count(shape));
    for (const std::string name : {"gamma", "beta"})
        if (std::find(present.begin(), present.end(), name) == present.end())
            builder.keep(layer.name, name,
                         {shape, std::vector<double>(size, name == "gamma" ? 1.0 : 0.0)});
}

// tf.keras writes a list of one.
Index channel_axis(Keys& keys) {
    if (keys.has("axis") && keys.value("axis").is_array()) {
        const auto axes = keys.integers("axis", 1, -16);
        return axes.front();
    }
    return axis_of(keys, "axis");
}

KerasTensor normalised_input(KerasBuilder& builder, const KerasCall& call, Keys& keys) {
    const KerasTensor& input = only_input(call);
    const auto rank = static_cast<Index>(input.rank());
    const Index mode = keys.count("mode", 0, 2, 0), axis = mode == 2 ? -1 : channel_axis(keys);
    if (mode == 1) keys.refuse("mode", "expected 0 or 2, found 1");
    if (axis == -1 || axis == rank) return builder.channels_first(input);
    if (axis == 1) return builder.keras_order(input);
    throw Error(concat("normalises axis ", axis, " of ", rank, "; the channels are expected"));
}

// Releases before 1.1 kept a standard deviation under the name that later held a variance.
void square_deviation(KerasArrays& arrays, const KerasBuilder& builder) {
    if (builder.options().keras1_bn != "std") return;
    for (auto& [role, array] : arrays)
        if (role == "running_std")
            for (double& value : array.values) value *= value;
}

} // namespace

KerasTensor keras_batch_normalization(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = normalised_input(builder, call, keys);
    std::vector<std::string> names = scale_and_offset(keys);
    const std::vector<std::string> statistics{"moving_mean", "moving_variance"};
    std::vector<std::string> roles = names;
    roles.insert(roles.end(), statistics.begin(), statistics.end());
    KerasArrays arrays = builder.arrays(call, roles);
    square_deviation(arrays, builder);
    const StoredLayer layer = converted_layer(call.name, std::move(arrays), {});
    const DenseArray* mean = layer.find("moving_mean", false);
    keep_normalisation(builder, layer, names, mean == nullptr ? hdf5::Shape{0} : mean->shape);
    builder.keep(layer, statistics);
    // Keras weighs the old value.
    return builder.emit(call.name, "batch_norm",
                        {{"epsilon", keys.number("epsilon", 1e-3)},
                         {"momentum", 1 - keys.number("momentum", 0.99)}},
                        {input}, input.shape);
}

KerasTensor keras_layer_normalization(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = builder.keras_order(only_input(call));
    const auto rank = static_cast<Index>(input.rank());
    std::vector<Index> axes =
        keys.has("axis") ? keys.integers("axis", keys.value("axis").is_array() ? -1 : 1, -16)
                         : std::vector<Index>{-1};
    for (Index& axis : axes) axis = axis < 0 ? rank + axis : axis - 1;
    const bool last = axes == std::vector<Index>{rank - 1};
    if (!last && static_cast<Index>(axes.size()) != rank)
        throw Error("normalises some of its axes; the last or all are expected");
    const std::vector<std::string> names = scale_and_offset(keys);
    const StoredLayer layer = converted_layer(call.name, builder.arrays(call, names), {});
    const hdf5::Shape shape = !layer.arrays.empty() ? layer.arrays.front().array.shape
                              : last                ? hdf5::Shape{input.shape.back()}
                                                    : input.shape;
    if (known_size(shape) == kUnknownExtent) throw Error("the number of its features is not told");
    keep_normalisation(builder, layer, names, shape);
    Json settings{{"epsilon", keys.number("epsilon", 1e-3)}};
    if (!last) settings["axes"] = "all";
    return builder.emit(call.name, "layer_norm", settings, {input}, input.shape);
}

} // namespace assay::formats
