// Recurrent layers of Keras.
#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/formats/keras_fields.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

namespace assay::formats {
namespace {

using network::Keys;

struct KerasCell {
    const char *class_name, *type;
    bool cudnn; // fixed activations, two biases
};
constexpr KerasCell kKerasCells[]{{"SimpleRNN", "rnn", false}, {"GRU", "gru", false},
                                  {"LSTM", "lstm", false},     {"CuDNNGRU", "gru", true},
                                  {"CuDNNLSTM", "lstm", true}, {"SimpleRNNCell", "rnn", false},
                                  {"GRUCell", "gru", false},   {"LSTMCell", "lstm", false}};

const KerasCell& cell_of(const std::string& class_name) {
    for (const auto& cell : kKerasCells)
        if (class_name == cell.class_name) return cell;
    throw Error("its cell is of the class '" + printable(class_name, 60) +
                "'; SimpleRNNCell, GRUCell or LSTMCell is expected");
}

void refuse_unknown_modes(Keys& keys) {
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

// cuDNN keeps each gate's matrix as (units, inputs), row by row, in the place of an array (inputs,
// units).
void turn_cudnn_kernels(KerasArrays& arrays, Index gates) {
    for (auto& [role, array] : arrays) {
        if (role != "kernel" && role != "recurrent_kernel") continue;
        if (array.shape.size() != 2 || array.shape[1] % gates != 0) continue; // refused later
        const Index rows = array.shape[0], columns = array.shape[1], units = columns / gates;
        const DenseArray stored = array;
        for (Index row = 0; row < rows; ++row)
            for (Index column = 0; column < columns; ++column) {
                const Index gate = column / units, at = (column % units) * rows + row;
                array.values[static_cast<std::size_t>(row * columns + column)] =
                    stored.values[static_cast<std::size_t>((at / units) * columns + gate * units +
                                                           at % units)];
            }
    }
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

KerasTensor sequence_of(KerasBuilder& builder, const KerasCall& call) {
    const KerasTensor input = builder.keras_features(only_input(call));
    if (input.rank() != 2)
        throw Error(concat("takes a tensor of ", input.rank(),
                           " axes; time and features are "
                           "expected"));
    refuse_mask(input);
    return input;
}

KerasTensor reversed(KerasBuilder& builder, const std::string& name, const KerasTensor& input) {
    return builder.emit(builder.unique_name(name), "reverse", Json::object(), {input}, input.shape);
}

// The layer with its arrays. What goes backwards stays in the order in which it was made, as Keras
// has it.
KerasTensor recurrent(KerasBuilder& builder, const KerasCall& call, KerasArrays arrays) {
    Keys outer = keys_of(call);
    refuse_unknown_modes(outer);
    KerasTensor input = sequence_of(builder, call);
    if (outer.flag("go_backwards", false)) input = reversed(builder, call.name + "_input", input);
    // A layer RNN keeps its cell's settings in an object of their own.
    const bool wraps = call.layer->class_name == "RNN";
    Keys wrapped(wraps ? outer.value("cell") : *call.layer->config, "config.cell");
    const Json& config = wraps ? wrapped.value("config") : *call.layer->config;
    const KerasCell& cell = cell_of(wraps ? wrapped.text("class_name") : call.layer->class_name);
    Keys keys(config, wraps ? "config.cell.config" : "config");
    if (cell.cudnn) turn_cudnn_kernels(arrays, cell_type(cell.type)->gates);
    const StoredLayer layer = converted_layer(call.name, std::move(arrays), {});
    Json settings = cell_settings(builder, keys, config, cell, layer);
    const bool sequences = outer.flag("return_sequences", false);
    settings["return_sequences"] = sequences;
    keep_cell(builder, layer, settings, *cell_type(cell.type));
    const Index units = settings["units"].get<Index>();
    const hdf5::Shape shape = sequences ? hdf5::Shape{input.shape[0], units} : hdf5::Shape{units};
    return builder.emit(call.name, cell.type, settings, {input}, shape);
}

const std::vector<std::string> kRecurrentRoles{"kernel", "recurrent_kernel", "bias"};

// --- two layers over one sequence, from either end ---

// Arrays of both layers: those of archives stand in a folder each, else the second half belongs to
// the second layer.
std::array<KerasArrays, 2> arrays_of_both(KerasBuilder& builder, const KerasCall& call) {
    std::array<KerasArrays, 2> arrays;
    const KerasArrays all = builder.arrays(call, {});
    for (std::size_t i = 0; i < 2; ++i) {
        KerasCall inner = call;
        inner.place.folder += i == 0 ? "/forward_layer" : "/backward_layer";
        arrays[i] = builder.arrays(inner, kRecurrentRoles);
        if (all.empty()) continue;
        if (all.size() % 2 != 0)
            throw Error(concat("holds ", all.size(),
                               " arrays; as many of each of two layers are expected"));
        const auto half = static_cast<std::ptrdiff_t>(all.size() / 2);
        arrays[i].assign(all.begin() + static_cast<std::ptrdiff_t>(i) * half,
                         all.begin() + static_cast<std::ptrdiff_t>(i + 1) * half);
    }
    return arrays;
}

// The layer that reads from the front, or from the back; its steps in the order of the input.
KerasTensor from_one_end(KerasBuilder& builder, const KerasCall& call, bool back,
                         const KerasArrays& arrays) {
    Keys keys = keys_of(call);
    const bool own = back && keys.has("backward_layer");
    Keys inner(keys.value(own ? "backward_layer" : "layer"),
               own ? "config.backward_layer" : "config.layer");
    KerasLayer layer = *call.layer;
    layer.class_name = inner.text("class_name");
    Json config = inner.value("config");
    layer.config = &config;
    Keys fields(config, inner.path() + ".config");
    const bool sequences = fields.flag("return_sequences", false);
    // Without one of its own it is a copy of the first that goes the other way.
    if (back && !own) config["go_backwards"] = !fields.flag("go_backwards", false);
    KerasCall one = call;
    one.layer = &layer;
    one.name = builder.unique_name(call.name + (back ? "_backward" : "_forward"));
    const KerasTensor output = recurrent(builder, one, arrays);
    return back && sequences ? reversed(builder, one.name + "_output", output) : output;
}

} // namespace

KerasTensor keras_recurrent(KerasBuilder& builder, const KerasCall& call) {
    return recurrent(builder, call, builder.arrays(call, kRecurrentRoles));
}

KerasTensor keras_bidirectional(KerasBuilder& builder, const KerasCall& call) {
    Keys keys = keys_of(call);
    // Of null Keras gives two outputs.
    const bool apart = call.layer->config->contains("merge_mode") && !keys.has("merge_mode");
    const std::string mode = keys.text("merge_mode", apart ? "null" : "concat");
    const std::map<std::string, std::string> types{
        {"concat", "concatenate"}, {"sum", "add"}, {"mul", "multiply"}, {"ave", "average"}};
    if (types.count(mode) == 0)
        keys.refuse("merge_mode", "expected concat, sum, mul or ave, found " + printable(mode, 40));
    const auto arrays = arrays_of_both(builder, call);
    const KerasTensor front = from_one_end(builder, call, false, arrays[0]),
                      back = from_one_end(builder, call, true, arrays[1]);
    hdf5::Shape shape = front.shape;
    Json settings = Json::object();
    if (mode == "concat") {
        shape.back() += back.shape.back();
        settings["axis"] = shape.size() - 1;
    }
    return builder.emit(call.name, types.at(mode), settings, {front, back}, shape);
}

bool is_recurrent_class(const std::string& class_name) {
    return class_name == "RNN" || class_name == "TimeDistributed" ||
           class_name == "Bidirectional" || class_name == "Embedding" ||
           std::any_of(std::begin(kKerasCells), std::end(kKerasCells),
                       [&](const KerasCell& cell) { return class_name == cell.class_name; });
}

} // namespace assay::formats
