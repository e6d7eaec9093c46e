// The classes of Keras layers we have layers for: a table, and the functions of the small ones.
#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/formats/keras_fields.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace assay::formats {
namespace {

using network::Keys;

// --- dense, embedding ---

KerasTensor dense(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor input = builder.keras_features(only_input(call));
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

// Whether steps are taken like any others for all that a layer masks them.
bool ignores_masks(const ModelOptions& options) {
    return std::find(options.treat.begin(), options.treat.end(),
                     std::pair<std::string, std::string>{"mask_zero", "identity"}) !=
           options.treat.end();
}

KerasTensor embedding(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    const KerasTensor& input = only_input(call);
    const Index vocabulary = keys.count("input_dim", 1, kMostUnits),
                units = keys.count("output_dim", 1, kMostUnits);
    const bool masks = keys.flag("mask_zero", false);
    if (masks) builder.note("layer '" + call.name + "' masks token 0, which is not done here");
    const KerasArrays arrays = builder.arrays(call, {"embeddings"});
    if (arrays.empty()) throw Error("embeddings is missing");
    builder.keep(call.name, "weight", arrays.front().array);
    hdf5::Shape shape = input.shape;
    shape.push_back(units);
    KerasTensor output = builder.emit(
        call.name, "embedding", {{"vocabulary", vocabulary}, {"units", units}}, {input}, shape);
    output.masked = masks && !ignores_masks(builder.options());
    return output;
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

// tf.keras writes the number, or a list of one; 0 where it is missing.
double number_or_list(Keys& keys, const std::string& key) {
    if (!keys.has(key) || !keys.value(key).is_array()) return keys.number(key, 0);
    const auto numbers = keys.numbers(key);
    if (numbers.size() != 1) keys.refuse(key, "expected one number");
    return numbers.front();
}

KerasTensor relu(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    if (keys.has("max_value")) keys.refuse("max_value", "a bound is not known here");
    if (number_or_list(keys, "threshold") != 0) keys.refuse("threshold", "expected 0");
    return leaky(builder, call, number_or_list(keys, "negative_slope"));
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
    static_cast<void>(plausible_count(shape));
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
        DenseArray repeated{wanted, {}, array.type};
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
        {"Conv1D", keras_convolution},
        {"Conv2D", keras_convolution},
        {"Conv3D", keras_convolution},
        {"Convolution1D", keras_convolution},
        {"Convolution2D", keras_convolution},
        {"Convolution3D", keras_convolution},
        {"DepthwiseConv1D", keras_depthwise},
        {"DepthwiseConv2D", keras_depthwise},
        {"SeparableConv1D", keras_separable},
        {"SeparableConv2D", keras_separable},
        {"Conv1DTranspose", keras_transposed},
        {"Conv2DTranspose", keras_transposed},
        {"Conv3DTranspose", keras_transposed},
        {"MaxPooling1D", keras_pooling},
        {"MaxPooling2D", keras_pooling},
        {"MaxPooling3D", keras_pooling},
        {"AveragePooling1D", keras_pooling},
        {"AveragePooling2D", keras_pooling},
        {"AveragePooling3D", keras_pooling},
        {"GlobalMaxPooling1D", keras_global_pooling},
        {"GlobalMaxPooling2D", keras_global_pooling},
        {"GlobalMaxPooling3D", keras_global_pooling},
        {"GlobalAveragePooling1D", keras_global_pooling},
        {"GlobalAveragePooling2D", keras_global_pooling},
        {"GlobalAveragePooling3D", keras_global_pooling},
        {"ZeroPadding1D", keras_margins},
        {"ZeroPadding2D", keras_margins},
        {"ZeroPadding3D", keras_margins},
        {"Cropping1D", keras_margins},
        {"Cropping2D", keras_margins},
        {"Cropping3D", keras_margins},
        {"UpSampling1D", keras_upsampling},
        {"UpSampling2D", keras_upsampling},
        {"UpSampling3D", keras_upsampling},
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
        {"BatchNormalization", keras_batch_normalization},
        {"LayerNormalization", keras_layer_normalization},
        {"Activation", activation},
        {"ReLU", relu},
        {"LeakyReLU", leaky_relu},
        {"ELU", elu},
        {"Softmax", softmax},
        {"ParametricSoftplus", parametric_softplus},
        {"SimpleRNN", keras_recurrent},
        {"GRU", keras_recurrent},
        {"LSTM", keras_recurrent},
        {"CuDNNGRU", keras_recurrent},
        {"CuDNNLSTM", keras_recurrent},
        {"RNN", keras_recurrent},
        {"Bidirectional", keras_bidirectional},
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

} // namespace assay::formats
