// The classes of Keras layers we have layers for, one function each.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/formats/keras_builder.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace assay::formats {
namespace {

using Json = nlohmann::json;
using network::Keys;

constexpr Index kMostUnits = Index{1} << 31;
constexpr Index kMostExtent = Index{1} << 24;

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

// --- dense, embedding ---

KerasTensor dense(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = builder.keras_order(only_input(call));
    const Index units = keys.count(either(keys, "units", "output_dim"), 1, kMostUnits);
    const bool bias = uses_bias(keys);
    hdf5::Shape shape = input.shape;
    if (shape.empty()) throw Error("takes a number; a vector is expected");
    shape.back() = units;
    builder.keep(converted_layer(call.name, builder.arrays(call, weight_roles(bias)), {}),
                 weight_names(bias));
    return with_activation(
        builder, call, keys,
        builder.emit(call.name, "dense", {{"units", units}, {"bias", bias}}, {input}, shape));
}

KerasTensor embedding(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor& input = only_input(call);
    const Index vocabulary = keys.count("input_dim", 1, kMostUnits),
                units = keys.count("output_dim", 1, kMostUnits);
    if (keys.flag("mask_zero", false))
        builder.note("layer '" + call.name + "' masks token 0, which is not done here");
    const KerasArrays arrays = builder.arrays(call, {"embeddings"});
    if (arrays.empty()) throw Error("embeddings is missing");
    builder.keep(call.name, "weight", arrays.front().array);
    hdf5::Shape shape = input.shape;
    shape.push_back(units);
    return builder.emit(call.name, "embedding", {{"vocabulary", vocabulary}, {"units", units}},
                        {input}, shape);
}

// --- convolution and pooling ---

struct Windows {
    std::vector<Index> kernel, stride, dilation;
    std::string padding; // valid, same or causal
};

Index windowed(Index extent, const Windows& w, std::size_t i) {
    if (extent == kUnknownExtent) return extent;
    const Index reach = (w.kernel[i] - 1) * w.dilation[i];
    const Index room = w.padding == "valid" ? extent - reach : extent;
    if (room <= 0)
        throw Error(concat("its window of ", reach + 1, " does not fit an extent of ", extent));
    return (room + w.stride[i] - 1) / w.stride[i];
}

// Spatial axes come first in Keras' order, or after the channels.
hdf5::Shape windowed_shape(const KerasTensor& input, const Windows& w, Index channels) {
    const std::size_t first = input.moved ? 0 : 1;
    hdf5::Shape shape = input.shape;
    for (std::size_t i = 0; i < w.kernel.size(); ++i)
        shape[first + i] = windowed(shape[first + i], w, i);
    shape[input.moved ? shape.size() - 1 : 0] = channels;
    return shape;
}

Json padding_of(const Windows& w) {
    if (w.padding != "causal") return w.padding;
    return Json::array({Json::array({(w.kernel[0] - 1) * w.dilation[0], 0})});
}

std::string padding_word(Keys& keys) {
    return keys.word(either(keys, "padding", "border_mode"), {"valid", "same", "causal"}, "valid");
}

// Channels first, in the way the layer wants them.
KerasTensor spatial_input(KerasBuilder& builder, const KerasCall& call, Index rank) {
    const KerasTensor& input = only_input(call);
    if (static_cast<Index>(input.rank()) != rank + 1)
        throw Error(
            concat("takes a tensor of ", input.rank(), " axes; ", rank + 1, " are expected"));
    return has_channels_first(*call.layer->config) ? builder.keras_order(input)
                                                   : builder.channels_first(input);
}

Index channels_of(const KerasTensor& tensor) {
    return tensor.shape.empty() ? kUnknownExtent
           : tensor.moved       ? tensor.shape.back()
                                : tensor.shape.front();
}

std::vector<Index> kernel_extents(Keys& keys, Index rank) {
    if (keys.has("kernel_size")) return keys.integers("kernel_size", rank, 1);
    const std::vector<std::vector<std::string>> names{
        {"filter_length"}, {"nb_row", "nb_col"}, {"kernel_dim1", "kernel_dim2", "kernel_dim3"}};
    std::vector<Index> extents;
    for (const auto& name : names[static_cast<std::size_t>(rank - 1)])
        extents.push_back(keys.count(name, 1, kMostExtent));
    return extents;
}

Windows convolution_windows(Keys& keys, Index rank) {
    const std::vector<Index> ones(static_cast<std::size_t>(rank), 1);
    Windows w;
    w.kernel = kernel_extents(keys, rank);
    w.stride = keys.integers(
        either(keys, "strides",
               rank == 1 && keys.has("subsample_length") ? "subsample_length" : "subsample"),
        rank, 1, ones);
    w.dilation = keys.integers("dilation_rate", rank, 1, ones);
    w.padding = padding_word(keys);
    return w;
}

// Keras 1 kept (out, in, k...) with "th"; one dimension has no ordering but shows it.
bool is_theano_ordered(const KerasBuilder& builder, const KerasCall& call,
                       const KerasArrays& arrays, Index filters) {
    if (!is_version_one(builder)) return false;
    if (call.layer->config->contains("dim_ordering"))
        return has_channels_first(*call.layer->config);
    const auto& shape = arrays.empty() ? hdf5::Shape{} : arrays.front().array.shape;
    return shape.size() == 4 && shape[0] == filters && shape[3] == 1 && shape[1] != 1;
}

Json window_keys(const Windows& w, Index filters, bool bias) {
    Json keys{{"filters", filters},
              {"kernel", w.kernel},
              {"stride", w.stride},
              {"padding", padding_of(w)},
              {"bias", bias}};
    if (std::any_of(w.dilation.begin(), w.dilation.end(), [](Index d) { return d != 1; }))
        keys["dilation"] = w.dilation;
    return keys;
}

void drop_unit_width(KerasArrays& arrays, const KernelLayout& layout) {
    for (auto& [role, array] : arrays) {
        if (array.shape.size() != 4) continue;
        const std::size_t width = layout.filters_first ? 3 : 1;
        if (array.shape[width] != 1)
            throw Error(role + " is " + hdf5::shape_text(array.shape) +
                        "; a width of 1 is expected in one dimension");
        array.shape.erase(array.shape.begin() + static_cast<std::ptrdiff_t>(width));
    }
}

KerasTensor convolution(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const KerasTensor input = spatial_input(builder, call, rank);
    const Index filters = keys.count(either(keys, "filters", "nb_filter"), 1, kMostUnits),
                groups = keys.count("groups", 1, filters, 1);
    const Windows windows = convolution_windows(keys, rank);
    const bool bias = uses_bias(keys);
    KerasArrays arrays = builder.arrays(call, weight_roles(bias));
    const KernelLayout layout = builder.layout(is_theano_ordered(builder, call, arrays, filters));
    if (is_version_one(builder) && rank == 1) drop_unit_width(arrays, layout);
    builder.keep(converted_layer(call.name, std::move(arrays), layout), weight_names(bias));
    Json settings = window_keys(windows, filters, bias);
    if (groups != 1) settings["groups"] = groups;
    return with_activation(builder, call, keys,
                           builder.emit(call.name, concat("conv", rank, "d"), settings, {input},
                                        windowed_shape(input, windows, filters)));
}

KerasTensor depthwise(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const KerasTensor input = spatial_input(builder, call, rank);
    const Windows windows = convolution_windows(keys, rank);
    const bool bias = uses_bias(keys);
    KerasArrays arrays =
        builder.arrays(call, bias ? std::vector<std::string>{"depthwise_kernel", "bias"}
                                  : std::vector<std::string>{"depthwise_kernel"});
    const StoredLayer layer = converted_layer(call.name, std::move(arrays), builder.layout(false));
    builder.keep(layer, weight_names(bias));
    const Index multiplier = keys.count("depth_multiplier", 1, kMostUnits, 1),
                filters = layer.find("weight", false)->shape[0];
    if (filters % multiplier != 0)
        throw Error(concat("depthwise_kernel makes ", filters, " channels; a multiple of ",
                           multiplier, " is expected"));
    Json settings = window_keys(windows, filters, bias);
    settings["groups"] = filters / multiplier;
    return with_activation(builder, call, keys,
                           builder.emit(call.name, concat("conv", rank, "d"), settings, {input},
                                        windowed_shape(input, windows, filters)));
}

KerasTensor pooling(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const KerasTensor input = spatial_input(builder, call, rank);
    const std::vector<Index> twos(static_cast<std::size_t>(rank), 2);
    Windows w;
    w.kernel = keys.integers(either(keys, "pool_size", "pool_length"), rank, 1, twos);
    w.stride = keys.integers(either(keys, "strides", "stride"), rank, 1, w.kernel);
    w.dilation.assign(w.kernel.size(), 1);
    w.padding = padding_word(keys);
    const bool maximum = starts_with(call.layer->class_name, "Max");
    Json settings{{"kernel", w.kernel}, {"stride", w.stride}, {"padding", w.padding}};
    if (!maximum) settings["count_include_pad"] = false;
    return builder.emit(call.name, maximum ? "max_pool" : "average_pool", settings, {input},
                        windowed_shape(input, w, channels_of(input)));
}

KerasTensor global_pooling(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    if (keys.flag("keepdims", false)) keys.refuse("keepdims", "expected false, found true");
    const KerasTensor input = spatial_input(builder, call, spatial_rank(call.layer->class_name));
    const bool maximum = starts_with(call.layer->class_name, "GlobalMax");
    KerasTensor output =
        builder.emit(call.name, maximum ? "global_max_pool" : "global_average_pool", Json::object(),
                     {input}, {channels_of(input)});
    output.moved = false;
    return output;
}

// 2, [2, 3] or [[1, 2], [3, 4]]: before and after each spatial axis.
Json pairs(Keys& keys, const std::string& field, Index rank) {
    const Json& value = keys.value(field);
    const bool nested = value.is_array() && !value.empty() && value.front().is_array();
    Json result = Json::array();
    if (nested) {
        for (const auto& pair : value) {
            const Json one{{field, pair}};
            result.push_back(Keys(one, "config").integers(field, 2, 0));
        }
        if (static_cast<Index>(result.size()) != rank)
            keys.refuse(field, concat("expected ", rank, " pairs, found ", result.size()));
        return result;
    }
    if (rank == 1) return Json::array({keys.integers(field, 2, 0)});
    for (const Index extent : keys.integers(field, rank, 0)) result.push_back({extent, extent});
    return result;
}

KerasTensor margins(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const bool crops = starts_with(call.layer->class_name, "Cropping");
    const std::string field = crops ? "cropping" : "padding";
    const KerasTensor input = spatial_input(builder, call, rank);
    const Json amounts = pairs(keys, field, rank);
    hdf5::Shape shape = input.shape;
    for (std::size_t i = 0; i < amounts.size(); ++i) {
        Index& extent = shape[i + (input.moved ? 0 : 1)];
        const Index both = amounts[i][0].get<Index>() + amounts[i][1].get<Index>();
        if (extent != kUnknownExtent) extent += crops ? -both : both;
        if (extent < kUnknownExtent || (crops && extent == 0))
            throw Error("crops more than there is");
    }
    return builder.emit(call.name, crops ? "cropping" : "zero_padding", {{field, amounts}}, {input},
                        shape);
}

KerasTensor upsampling(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    static_cast<void>(keys.word("interpolation", {"nearest"}, "nearest"));
    const KerasTensor input = spatial_input(builder, call, rank);
    const std::vector<Index> twos(static_cast<std::size_t>(rank), 2);
    const auto factors = keys.integers(either(keys, "size", "length"), rank, 1, twos);
    hdf5::Shape shape = input.shape;
    for (std::size_t i = 0; i < factors.size(); ++i) {
        Index& extent = shape[i + (input.moved ? 0 : 1)];
        if (factors[i] > kMostExtent) throw Error("its factor is implausibly large");
        if (extent != kUnknownExtent)
            extent = hdf5::element_count({extent, factors[i]}, "its output");
    }
    return builder.emit(call.name, "upsample", {{"factor", factors}}, {input}, shape);
}

// --- shapes ---

// Row-major over the tensor as Keras lays it out; "channels_first" of Keras 2 moves the channels
// to the end before that.
KerasTensor flatten(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor& input = only_input(call);
    const bool moves = keys.text("data_format", "channels_last") == "channels_first";
    if (input.moved && moves)
        throw Error("moves the first of the image's axes to the end; channels_last data need "
                    "\"data_format\": \"channels_last\"");
    const bool last = input.moved || (moves && input.rank() > 1);
    Index size = 1;
    for (const Index extent : input.shape)
        size = size == kUnknownExtent || extent == kUnknownExtent
                   ? kUnknownExtent
                   : hdf5::element_count({size, extent}, "its output");
    KerasTensor output =
        builder.emit(call.name, "flatten", {{"order", last ? "channels_last" : "channels_first"}},
                     {input}, {size});
    output.moved = false;
    return output;
}

Index known_size(const hdf5::Shape& shape) {
    for (const Index extent : shape)
        if (extent == kUnknownExtent) return kUnknownExtent;
    return hdf5::element_count(shape, "its shape");
}

// One extent may be -1: what is left.
hdf5::Shape resolved(hdf5::Shape target, Index size) {
    const auto open = std::count(target.begin(), target.end(), kUnknownExtent);
    if (open == 0 && (size == kUnknownExtent || known_size(target) == size)) return target;
    Index rest = 1;
    for (const Index extent : target)
        if (extent != kUnknownExtent) rest = hdf5::element_count({rest, extent}, "its shape");
    if (open != 1 || size == kUnknownExtent || rest == 0 || size % rest != 0)
        throw Error("the shape " + expectation_text(target) + " does not follow from " +
                    (size == kUnknownExtent ? std::string("an input of unknown size")
                                            : concat(size, " numbers")));
    std::replace(target.begin(), target.end(), kUnknownExtent, size / rest);
    return target;
}

KerasTensor reshape(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = builder.keras_order(only_input(call));
    const hdf5::Shape shape = resolved(keys.integers(either(keys, "target_shape", "dims"), -1, -1),
                                       known_size(input.shape));
    return builder.emit(call.name, "reshape", {{"shape", shape}}, {input}, shape);
}

KerasTensor permute(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = builder.keras_order(only_input(call));
    std::vector<Index> axes = keys.integers("dims", static_cast<Index>(input.rank()), 1);
    hdf5::Shape shape;
    for (Index& axis : axes) {
        if (--axis >= static_cast<Index>(input.rank()))
            keys.refuse("dims", concat("expected axes from 1 to ", input.rank()));
        shape.push_back(input.shape[static_cast<std::size_t>(axis)]);
    }
    return builder.emit(call.name, "permute", {{"axes", axes}}, {input}, shape);
}

// --- several inputs ---

std::vector<KerasTensor> aligned(KerasBuilder& builder, const KerasCall& call) {
    if (call.inputs.size() < 2)
        throw Error(concat("takes ", call.inputs.size(), " inputs; two or more are expected"));
    const bool moved = std::any_of(call.inputs.begin(), call.inputs.end(),
                                   [](const KerasTensor& t) { return t.moved; });
    std::vector<KerasTensor> inputs;
    for (const auto& input : call.inputs) {
        if (input.rank() != call.inputs.front().rank())
            throw Error("takes inputs with different numbers of axes");
        inputs.push_back(moved ? builder.channels_first(input) : input);
    }
    return inputs;
}

KerasTensor combine(KerasBuilder& builder, const KerasCall& call, const std::string& type) {
    const auto inputs = aligned(builder, call);
    return builder.emit(call.name, type, Json::object(), inputs, inputs.front().shape);
}

// Keras counts the batch as axis 0.
KerasTensor concatenated(KerasBuilder& builder, const KerasCall& call, Index axis) {
    const auto inputs = aligned(builder, call);
    const auto rank = static_cast<Index>(inputs.front().rank());
    const Index place = axis < 0 ? rank + axis : axis - 1;
    if (place < 0 || place >= rank)
        throw Error(concat("joins along axis ", axis, " of tensors with ", rank, " axes"));
    hdf5::Shape shape = inputs.front().shape;
    Index& joined = shape[static_cast<std::size_t>(place)];
    joined = 0;
    for (const auto& input : inputs) {
        const Index extent = input.shape[static_cast<std::size_t>(place)];
        if (extent == kUnknownExtent || joined == kUnknownExtent)
            joined = kUnknownExtent;
        else if (extent > kMostUnits - joined)
            throw Error("joins implausibly large tensors");
        else
            joined += extent;
    }
    const bool moved = inputs.front().moved;
    const Index ours = !moved ? place : place == rank - 1 ? 0 : place + 1;
    return builder.emit(call.name, "concatenate", {{"axis", ours}}, inputs, shape);
}

Index axis_of(Keys& keys, const std::string& field) {
    const double axis = keys.number(field, -1);
    if (axis != -1 && !(axis > -16 && axis < 16 && axis == static_cast<int>(axis)))
        keys.refuse(field, "expected an axis");
    return static_cast<Index>(axis);
}

KerasTensor concatenate(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    return concatenated(builder, call, axis_of(keys, "axis"));
}

template <const char* const& Type>
KerasTensor merging(KerasBuilder& builder, const KerasCall& call) {
    return combine(builder, call, Type);
}
const char* const kAdd = "add";
const char* const kSubtract = "subtract";
const char* const kMultiply = "multiply";
const char* const kAverage = "average";
const char* const kMaximum = "maximum";

// Keras 1.
KerasTensor merge(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const std::string mode = keys.word("mode", {"sum", "mul", "ave", "max", "concat"}, "sum");
    if (mode == "concat") return concatenated(builder, call, axis_of(keys, "concat_axis"));
    const std::map<std::string, std::string> types{
        {"sum", kAdd}, {"mul", kMultiply}, {"ave", kAverage}, {"max", kMaximum}};
    return combine(builder, call, types.at(mode));
}

// --- normalisation ---

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
    const auto size = static_cast<std::size_t>(hdf5::element_count(shape, "its parameters"));
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

KerasTensor batch_normalization(KerasBuilder& builder, const KerasCall& call) {
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

KerasTensor layer_normalization(KerasBuilder& builder, const KerasCall& call) {
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

// --- activations ---

KerasTensor activation(KerasBuilder& builder, const KerasCall& call) {
    const std::string function =
        function_name(keys_of(call), *call.layer->config, "activation", "linear");
    return builder.activate(call.name, function, only_input(call));
}

KerasTensor emit_function(KerasBuilder& builder, const KerasCall& call, const Json& settings) {
    const KerasTensor& input = only_input(call);
    return builder.emit(call.name, "activation", settings, {input}, input.shape);
}

KerasTensor leaky(KerasBuilder& builder, const KerasCall& call, double slope) {
    if (slope == 0) return emit_function(builder, call, {{"function", "relu"}});
    return emit_function(builder, call, {{"function", "leaky_relu"}, {"slope", slope}});
}

KerasTensor relu(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    if (keys.has("max_value")) keys.refuse("max_value", "a bound is not known here");
    if (keys.number("threshold", 0) != 0) keys.refuse("threshold", "expected 0");
    const Json& slope = *call.layer->config;
    // tf.keras writes the number, or a list of one.
    if (slope.contains("negative_slope") && slope["negative_slope"].is_array())
        return leaky(builder, call, keys.numbers("negative_slope").at(0));
    return leaky(builder, call, keys.number("negative_slope", 0));
}

KerasTensor leaky_relu(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    return leaky(builder, call, keys.number(either(keys, "negative_slope", "alpha"), 0.3));
}

KerasTensor elu(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    return emit_function(builder, call, {{"function", "elu"}, {"alpha", keys.number("alpha", 1)}});
}

KerasTensor softmax(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    if (axis_of(keys, "axis") != -1) keys.refuse("axis", "expected -1");
    return builder.activate(call.name, "softmax", only_input(call));
}

// Shared axes are written out: ours has a number a unit.
DenseArray per_unit(const DenseArray& array, const hdf5::Shape& shape) {
    if (array.shape.size() != shape.size() || known_size(shape) == kUnknownExtent)
        throw Error("its parameters are " + hdf5::shape_text(array.shape) + "; " +
                    expectation_text(shape) + " are expected");
    DenseArray full = array;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (full.shape[axis] == shape[axis]) continue;
        if (full.shape[axis] != 1)
            throw Error("its parameters are " + hdf5::shape_text(array.shape) + "; " +
                        expectation_text(shape) + " are expected");
        hdf5::Shape wanted = full.shape;
        wanted[axis] = shape[axis];
        Index inner = 1;
        for (std::size_t i = axis + 1; i < wanted.size(); ++i) inner *= wanted[i];
        DenseArray repeated{wanted, {}};
        for (auto at = full.values.begin(); at != full.values.end(); at += inner)
            for (Index i = 0; i < shape[axis]; ++i)
                repeated.values.insert(repeated.values.end(), at, at + inner);
        full = std::move(repeated);
    }
    return full;
}

KerasTensor parametric_softplus(KerasBuilder& builder, const KerasCall& call) {
    const KerasTensor& input = only_input(call);
    const StoredLayer layer =
        converted_layer(call.name, builder.arrays(call, {"alpha", "beta"}), {});
    for (const char* name : {"alpha", "beta"}) {
        const DenseArray* array = layer.find(name, false);
        if (array == nullptr) throw Error(std::string(name) + " is missing");
        DenseArray full = per_unit(*array, input.shape);
        if (input.moved) {
            std::vector<std::size_t> axes{input.rank() - 1};
            for (std::size_t i = 0; i + 1 < input.rank(); ++i) axes.push_back(i);
            full = permuted(full, axes);
        }
        builder.keep(call.name, name, full);
    }
    return builder.emit(call.name, "activation", {{"function", "parametric_softplus"}}, {input},
                        input.shape);
}

KerasTensor ignored(KerasBuilder&, const KerasCall& call) {
    return only_input(call);
}

// --- recurrent ---

struct KerasCell {
    const char *class_name, *type;
    bool cudnn; // fixed activations, two biases
};
constexpr KerasCell kCells[]{{"SimpleRNN", "rnn", false}, {"GRU", "gru", false},
                             {"LSTM", "lstm", false},     {"CuDNNGRU", "gru", true},
                             {"CuDNNLSTM", "lstm", true}, {"SimpleRNNCell", "rnn", false},
                             {"GRUCell", "gru", false},   {"LSTMCell", "lstm", false}};

const KerasCell& cell_of(const std::string& class_name) {
    for (const auto& cell : kCells)
        if (class_name == cell.class_name) return cell;
    throw Error("its cell is of the class '" + printable(class_name, 60) +
                "'; SimpleRNNCell, GRUCell or LSTMCell is expected");
}

void refuse_unknown_modes(Keys& keys) {
    if (keys.flag("go_backwards", false)) keys.refuse("go_backwards", "expected false, found true");
    if (keys.flag("time_major", false)) keys.refuse("time_major", "expected false, found true");
}

bool resets_after(Keys& cell_keys, const KerasCell& cell, const StoredLayer& layer) {
    const bool stored = cell.cudnn || layer.reset_after.value_or(false);
    const bool stated = cell_keys.flag("reset_after", stored);
    if (layer.find("bias", false) != nullptr && stated != stored)
        cell_keys.refuse("reset_after", "the biases in the file say otherwise");
    return stated;
}

Json cell_settings(KerasBuilder& builder, Keys& keys, const Json& config, const KerasCell& cell,
                   const StoredLayer& layer) {
    const auto ours = [&](const std::string& name) {
        const Json function = keras_function(name, builder);
        if (function.size() != 1)
            throw Error("the activation '" + printable(name, 40) +
                        "' has keys that a cell does not take");
        return function["function"];
    };
    Json settings{{"units", keys.count(either(keys, "units", "output_dim"), 1, kMostUnits)},
                  {"activation", ours(function_name(keys, config, "activation", "tanh"))},
                  {"bias", layer.find("bias", false) != nullptr},
                  {"recurrent_bias", layer.find("recurrent_bias", false) != nullptr}};
    if (std::string(cell.type) != "rnn")
        settings["recurrent_activation"] = ours(
            function_name(keys, config, either(keys, "recurrent_activation", "inner_activation"),
                          cell.cudnn ? "sigmoid" : "hard_sigmoid"));
    if (std::string(cell.type) == "gru") settings["reset_after"] = resets_after(keys, cell, layer);
    return settings;
}

void keep_cell(KerasBuilder& builder, const StoredLayer& layer, const Json& settings,
               const CellType& type) {
    std::vector<std::string> names{"kernel", "recurrent"};
    for (const char* bias : {"bias", "recurrent_bias"})
        if (settings[bias].get<bool>()) names.emplace_back(bias);
    builder.keep(layer, names);
    const Index units = settings["units"].get<Index>();
    if (!fits(layer.find("recurrent", false)->shape, {type.gates * units, units}))
        throw Error("recurrent_kernel has " +
                    hdf5::shape_text(layer.find("recurrent", false)->shape) + " (transposed); " +
                    hdf5::shape_text({type.gates * units, units}) + " are expected");
    builder.keep_gates(layer.name, layer.gates);
}

KerasTensor recurrent(KerasBuilder& builder, const KerasCall& call) {
    Keys outer = keys_of(call);
    refuse_unknown_modes(outer);
    const KerasTensor input = builder.keras_order(only_input(call));
    if (input.rank() != 2)
        throw Error(concat("takes a tensor of ", input.rank(),
                           " axes; time and features are "
                           "expected"));
    // A layer RNN keeps its cell's settings in an object of their own.
    const bool wraps = call.layer->class_name == "RNN";
    Keys wrapped(wraps ? outer.value("cell") : *call.layer->config, "config.cell");
    const Json& config = wraps ? wrapped.value("config") : *call.layer->config;
    const KerasCell& cell = cell_of(wraps ? wrapped.text("class_name") : call.layer->class_name);
    Keys keys(config, wraps ? "config.cell.config" : "config");
    const StoredLayer layer = converted_layer(
        call.name, builder.arrays(call, {"kernel", "recurrent_kernel", "bias"}), {});
    Json settings = cell_settings(builder, keys, config, cell, layer);
    const bool sequences = outer.flag("return_sequences", false);
    settings["return_sequences"] = sequences;
    keep_cell(builder, layer, settings, *cell_type(cell.type));
    const Index units = settings["units"].get<Index>();
    const hdf5::Shape shape = sequences ? hdf5::Shape{input.shape[0], units} : hdf5::Shape{units};
    return builder.emit(call.name, cell.type, settings, {input}, shape);
}

// Dense layers act on the last axis anyway, activations on each number.
KerasTensor time_distributed(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    Keys inner(keys.value("layer"), "config.layer");
    KerasLayer layer = *call.layer;
    layer.class_name = inner.text("class_name");
    layer.config = &inner.value("config");
    const std::vector<std::string> pointwise{"Dense", "Activation", "Dropout",
                                             "ReLU",  "LeakyReLU",  "ELU"};
    if (std::find(pointwise.begin(), pointwise.end(), layer.class_name) == pointwise.end())
        throw Error("repeats a layer of the class '" + printable(layer.class_name, 60) +
                    "' over time; Dense or an activation is expected");
    KerasCall each = call;
    each.layer = &layer;
    each.place.folder += "/layer";
    return keras_class(layer.class_name)(builder, each);
}

const std::map<std::string, KerasClass>& classes() {
    static const std::map<std::string, KerasClass> kClasses{
        {"Dense", dense},
        {"Embedding", embedding},
        {"Conv1D", convolution},
        {"Conv2D", convolution},
        {"Conv3D", convolution},
        {"Convolution1D", convolution},
        {"Convolution2D", convolution},
        {"Convolution3D", convolution},
        {"DepthwiseConv1D", depthwise},
        {"DepthwiseConv2D", depthwise},
        {"MaxPooling1D", pooling},
        {"MaxPooling2D", pooling},
        {"MaxPooling3D", pooling},
        {"AveragePooling1D", pooling},
        {"AveragePooling2D", pooling},
        {"AveragePooling3D", pooling},
        {"GlobalMaxPooling1D", global_pooling},
        {"GlobalMaxPooling2D", global_pooling},
        {"GlobalMaxPooling3D", global_pooling},
        {"GlobalAveragePooling1D", global_pooling},
        {"GlobalAveragePooling2D", global_pooling},
        {"GlobalAveragePooling3D", global_pooling},
        {"ZeroPadding1D", margins},
        {"ZeroPadding2D", margins},
        {"ZeroPadding3D", margins},
        {"Cropping1D", margins},
        {"Cropping2D", margins},
        {"Cropping3D", margins},
        {"UpSampling1D", upsampling},
        {"UpSampling2D", upsampling},
        {"UpSampling3D", upsampling},
        {"Flatten", flatten},
        {"Reshape", reshape},
        {"Permute", permute},
        {"Add", merging<kAdd>},
        {"Subtract", merging<kSubtract>},
        {"Multiply", merging<kMultiply>},
        {"Average", merging<kAverage>},
        {"Maximum", merging<kMaximum>},
        {"Concatenate", concatenate},
        {"Merge", merge},
        {"BatchNormalization", batch_normalization},
        {"LayerNormalization", layer_normalization},
        {"Activation", activation},
        {"ReLU", relu},
        {"LeakyReLU", leaky_relu},
        {"ELU", elu},
        {"Softmax", softmax},
        {"ParametricSoftplus", parametric_softplus},
        {"SimpleRNN", recurrent},
        {"GRU", recurrent},
        {"LSTM", recurrent},
        {"CuDNNGRU", recurrent},
        {"CuDNNLSTM", recurrent},
        {"RNN", recurrent},
        {"TimeDistributed", time_distributed},
        {"Dropout", ignored},
        {"SpatialDropout1D", ignored},
        {"SpatialDropout2D", ignored},
        {"SpatialDropout3D", ignored},
        {"GaussianNoise", ignored},
        {"GaussianDropout", ignored},
        {"AlphaDropout", ignored},
        {"ActivityRegularization", ignored}};
    return kClasses;
}

} // namespace

KerasClass keras_class(const std::string& name) {
    const auto found = classes().find(name);
    return found == classes().end() ? nullptr : found->second;
}

Index spatial_rank(const std::string& class_name) {
    if (starts_with(class_name, "SpatialDropout") || class_name.size() < 2 ||
        class_name.back() != 'D')
        return 0;
    const char digit = class_name[class_name.size() - 2];
    return digit >= '1' && digit <= '3' ? digit - '0' : 0;
}

bool is_recurrent_class(const std::string& class_name) {
    return class_name == "RNN" || class_name == "TimeDistributed" || class_name == "Embedding" ||
           std::any_of(std::begin(kCells), std::end(kCells),
                       [&](const KerasCell& cell) { return class_name == cell.class_name; });
}

bool has_channels_first(const Json& config) {
    for (const char* field : {"data_format", "dim_ordering"}) {
        const auto found = config.is_object() ? config.find(field) : config.end();
        if (found != config.end() && (*found == "channels_first" || *found == "th")) return true;
    }
    return false;
}

// --- functions ---

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
