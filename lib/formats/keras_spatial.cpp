// Keras layers over space: convolutions, pooling, margins.
#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/formats/keras_fields.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace assay::formats {
namespace {

using network::Keys;

constexpr Index kMostExtent = Index{1} << 24;

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
    for (const auto* extents : {&w.kernel, &w.stride, &w.dilation})
        for (const Index extent : *extents)
            if (extent > kMostExtent) throw Error("its windows are implausibly large");
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

} // namespace

KerasTensor keras_convolution(KerasBuilder& builder, const KerasCall& call) {
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

namespace {

// A filter or more of every channel's own, under a name; its arrays are a kernel and perhaps a
// bias.
KerasTensor depthwise(KerasBuilder& builder, Keys& keys, const KerasTensor& input,
                      const std::string& name, KerasArrays arrays, bool bias) {
    const auto rank = static_cast<Index>(input.rank()) - 1;
    const Windows windows = convolution_windows(keys, rank);
    const StoredLayer layer = converted_layer(name, std::move(arrays), builder.layout(false));
    builder.keep(layer, weight_names(bias));
    const auto* weight = layer.find("weight", false);
    if (weight == nullptr || weight->shape.empty())
        throw Error("depthwise_kernel is missing or a single number");
    const Index multiplier = keys.count("depth_multiplier", 1, kMostUnits, 1),
                filters = weight->shape[0];
    if (filters % multiplier != 0)
        throw Error(concat("depthwise_kernel makes ", filters, " channels; a multiple of ",
                           multiplier, " is expected"));
    Json settings = window_keys(windows, filters, bias);
    settings["groups"] = filters / multiplier;
    return builder.emit(name, concat("conv", rank, "d"), settings, {input},
                        windowed_shape(input, windows, filters));
}

KerasArrays with_roles(const KerasArrays& arrays, const std::vector<std::string>& roles) {
    KerasArrays found;
    std::copy_if(arrays.begin(), arrays.end(), std::back_inserter(found), [&](const auto& array) {
        return std::find(roles.begin(), roles.end(), array.role) != roles.end();
    });
    return found;
}

} // namespace

KerasTensor keras_depthwise(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = spatial_input(builder, call, spatial_rank(call.layer->class_name));
    const bool bias = uses_bias(keys);
    KerasArrays arrays =
        builder.arrays(call, bias ? std::vector<std::string>{"depthwise_kernel", "bias"}
                                  : std::vector<std::string>{"depthwise_kernel"});
    return with_activation(builder, call, keys,
                           depthwise(builder, keys, input, call.name, std::move(arrays), bias));
}

// A depthwise convolution without bias, and one of single cells over its channels.
KerasTensor keras_separable(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const KerasTensor input = spatial_input(builder, call, rank);
    const Index filters = keys.count("filters", 1, kMostUnits);
    const bool bias = uses_bias(keys);
    std::vector<std::string> roles{"depthwise_kernel", "pointwise_kernel"};
    if (bias) roles.emplace_back("bias");
    const KerasArrays arrays = builder.arrays(call, roles);
    const KerasTensor deep =
        depthwise(builder, keys, input, builder.unique_name(call.name + "_depthwise"),
                  with_roles(arrays, {"depthwise_kernel"}), false);
    builder.keep(converted_layer(call.name, with_roles(arrays, {"pointwise_kernel", "bias"}), {}),
                 weight_names(bias));
    Windows cells;
    cells.kernel = cells.stride = cells.dilation =
        std::vector<Index>(static_cast<std::size_t>(rank), 1);
    cells.padding = "valid";
    return with_activation(builder, call, keys,
                           builder.emit(call.name, concat("conv", rank, "d"),
                                        window_keys(cells, filters, bias), {deep},
                                        windowed_shape(deep, cells, filters)));
}

namespace {

// What TensorFlow makes of an axis: with an output_padding of its own the convolution back pads
// that axis by as much as its windows reach beyond the output, the smaller half in front.
struct TransposedAxis {
    Index before = 0, after = 0, more = 0; // cut off, and left empty at the end
};

TransposedAxis transposed_axis(const Windows& w, std::size_t i, const std::optional<Index>& more) {
    const Index reach = (w.kernel[i] - 1) * w.dilation[i] + 1, stride = w.stride[i];
    const bool same = w.padding == "same";
    // Cells beyond (n - 1) stride.
    const Index beyond = more   ? reach - (same ? 2 * (reach / 2) : 0) + *more
                         : same ? stride
                                : std::max(reach, stride);
    const Index cut = std::max<Index>(reach - beyond, 0);
    return {cut / 2, cut - cut / 2, std::max<Index>(beyond - reach, 0)};
}

} // namespace

KerasTensor keras_transposed(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const Index rank = spatial_rank(call.layer->class_name);
    const KerasTensor input = spatial_input(builder, call, rank);
    const Index filters = keys.count("filters", 1, kMostUnits);
    const Windows w = convolution_windows(keys, rank);
    if (w.padding == "causal") keys.refuse("padding", "expected valid or same, found causal");
    const bool bias = uses_bias(keys);
    builder.keep(
        converted_layer(call.name, builder.arrays(call, weight_roles(bias)), builder.layout(false)),
        weight_names(bias));
    std::optional<std::vector<Index>> stated;
    if (keys.has("output_padding")) stated = keys.integers("output_padding", rank, 0);
    if (stated && *std::max_element(stated->begin(), stated->end()) > kMostExtent)
        throw Error("its output_padding is implausibly large");
    Json cut = Json::array(), more = Json::array();
    hdf5::Shape shape = input.shape;
    shape[input.moved ? shape.size() - 1 : 0] = filters;
    for (std::size_t i = 0; i < w.kernel.size(); ++i) {
        const auto axis =
            transposed_axis(w, i, stated ? std::optional((*stated)[i]) : std::nullopt);
        cut.push_back({axis.before, axis.after});
        more.push_back(axis.more);
        Index& extent = shape[i + (input.moved ? 0 : 1)];
        if (extent != kUnknownExtent)
            extent = hdf5::element_count({extent - 1, w.stride[i]}, "its output") +
                     (w.kernel[i] - 1) * w.dilation[i] + 1 + axis.more - axis.before - axis.after;
        if (extent != kUnknownExtent && (extent < 1 || extent > kMostExtent))
            throw Error(concat("its output has the extent ", extent, "; 1 to ", kMostExtent,
                               " are expected"));
    }
    Json settings = window_keys(w, filters, bias);
    settings["padding"] = cut;
    settings["output_padding"] = more;
    return with_activation(
        builder, call, keys,
        builder.emit(call.name, concat("conv", rank, "d_transpose"), settings, {input}, shape));
}

KerasTensor keras_pooling(KerasBuilder& builder, const KerasCall& call) {
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

KerasTensor keras_global_pooling(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    if (keys.flag("keepdims", false)) keys.refuse("keepdims", "expected false, found true");
    const KerasTensor input = spatial_input(builder, call, spatial_rank(call.layer->class_name));
    const bool maximum = starts_with(call.layer->class_name, "GlobalMax");
    if (!maximum) refuse_mask(input); // Keras means over what is left
    KerasTensor output =
        builder.emit(call.name, maximum ? "global_max_pool" : "global_average_pool", Json::object(),
                     {input}, {channels_of(input)});
    output.moved = false;
    return output;
}

KerasTensor keras_margins(KerasBuilder& builder, const KerasCall& call) {
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

KerasTensor keras_upsampling(KerasBuilder& builder, const KerasCall& call) {
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

} // namespace assay::formats
