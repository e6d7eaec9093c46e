#include <assay/formats/recurrent_stack.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace assay::formats {
namespace {

struct CellChoice {
    std::string type, activation; // activation: empty for the usual one
};

CellChoice chosen_cell(const std::string& text) {
    const auto dash = text.find('-');
    CellChoice choice{text.substr(0, dash), dash == std::string::npos ? "" : text.substr(dash + 1)};
    if (cell_type(choice.type) == nullptr || choice.type == "ctrnn")
        throw UsageError("--cell: '" + printable(text, 40) +
                         "' is no cell; rnn-tanh, rnn-relu, gru, lstm, ugrnn, janet or linear is "
                         "expected");
    return choice;
}

struct Recurrent {
    Index units = 0, inputs = 0, gates = 0;
};

Recurrent sizes_of(const StoredLayer& layer, const std::string& where) {
    const DenseArray *kernel = layer.find("kernel", false),
                     *recurrent = layer.find("recurrent", false);
    const bool matrices = kernel->shape.size() == 2 && recurrent->shape.size() == 2;
    if (!matrices || recurrent->shape[1] == 0 || kernel->shape[0] != recurrent->shape[0] ||
        kernel->shape[1] == 0 || recurrent->shape[0] % recurrent->shape[1] != 0)
        throw Error(where + ": layer '" + layer.name + "' has a kernel of " +
                    hdf5::shape_text(kernel->shape) + " and a recurrent matrix of " +
                    hdf5::shape_text(recurrent->shape) +
                    "; gates*units x inputs and gates*units x units are expected");
    return {recurrent->shape[1], kernel->shape[1], recurrent->shape[0] / recurrent->shape[1]};
}

CellChoice cell_by_rows(const StoredLayer& layer, Index gates, const std::string& where,
                        OpenedModel& opened) {
    if (gates == 1) {
        opened.notes.push_back("layer '" + layer.name +
                               "': the file does not tell the nonlinearity; tanh was assumed "
                               "(--cell rnn-relu)");
        return {"rnn", "tanh"};
    }
    if (gates == 3) return {"gru", ""};
    if (gates == 4) return {"lstm", ""};
    throw Error(concat(where, ": layer '", layer.name, "' has ", gates,
                       " blocks of rows; 1 (rnn), 3 (gru) or 4 (lstm) are expected, or --cell"));
}

// Builds the architecture of one stack of cells and perhaps a readout.
class RecurrentBuilder {
  public:
    RecurrentBuilder(const std::string& where, const ModelOptions& options, OpenedModel& opened)
        : where_(where), options_(options), opened_(opened) {}

    void add_cell(const StoredLayer& layer) {
        const Recurrent sizes = sizes_of(layer, where_);
        if (units_ == 0) inputs_ = sizes.inputs;
        if (units_ != 0 && units_ != sizes.inputs)
            throw Error(concat(where_, ": layer '", layer.name, "' takes ", sizes.inputs,
                               " inputs; the ", units_, " units below it are expected"));
        const CellChoice cell = choose(layer, sizes.gates);
        const CellType& type = *cell_type(cell.type);
        units_ = sizes.units;
        OrderedJson object{{"name", layer.name}, {"type", cell.type}, {"units", units_}};
        if (!cell.activation.empty()) object["activation"] = cell.activation;
        if (cell.type == "gru") object["reset_after"] = layer.reset_after.value_or(true);
        for (const char* bias : {"bias", "recurrent_bias"})
            object[bias] = add_vector(layer, bias, type.gates * units_);
        if (add_vector(layer, "initial_state", kAnyExtent)) object["initial_state"] = true;
        object["return_sequences"] = true;
        layers_.push_back(object);
        for (const char* matrix : {"kernel", "recurrent"}) add(layer, matrix);
        if (!layer.gates.empty()) opened_.model.gates.push_back({layer.name, layer.gates});
    }

    [[nodiscard]] bool takes(const StoredLayer& layer) const {
        const DenseArray* weight = layer.find("weight", false);
        return weight != nullptr && weight->shape.size() == 2 && weight->shape[1] == units_ &&
               weight->shape[0] > 0;
    }

    void add_readout(const StoredLayer& layer) {
        const Index outputs = layer.find("weight", false)->shape[0];
        add(layer, "weight");
        layers_.push_back({{"name", layer.name},
                           {"type", "dense"},
                           {"units", outputs},
                           {"bias", add_vector(layer, "bias", outputs)}});
    }

    void finish() {
        const OrderedJson architecture{
            {"format", "assay-architecture/1"},
            {"input", {{"shape", {1, inputs_}}, {"axes", {"time", "feature"}}}},
            {"layers", layers_},
            {"output", OrderedJson::array({layers_.back()["name"]})}};
        opened_.model.architecture = architecture.dump();
        opened_.notes.emplace_back("the number of time steps is not in the file; the architecture "
                                   "says 1");
    }

  private:
    [[nodiscard]] CellChoice choose(const StoredLayer& layer, Index gates) const {
        if (options_.cell.empty()) return cell_by_rows(layer, gates, where_, opened_);
        CellChoice cell = chosen_cell(options_.cell);
        const Index expected = cell_type(cell.type)->gates;
        if (expected != gates)
            throw Error(concat(where_, ": layer '", layer.name, "' has ", gates,
                               " blocks of rows; ", expected, " of a ", cell.type,
                               " (--cell) are expected"));
        if (cell.type == "rnn" && cell.activation.empty()) cell.activation = "tanh";
        return cell;
    }

    void add(const StoredLayer& layer, const std::string& name) {
        keep_parameter(opened_, layer.name, name, *layer.find(name, false));
    }

    bool add_vector(const StoredLayer& layer, const std::string& name, Index size) {
        const DenseArray* array = layer.find(name, false);
        if (array == nullptr) return false;
        if (!fits(array->shape, {size}))
            throw Error(where_ + ": " + name + " of layer '" + layer.name + "' is " +
                        hdf5::shape_text(array->shape) + "; " + expectation_text({size}) +
                        " is expected");
        add(layer, name);
        return true;
    }

    std::string where_;
    const ModelOptions& options_;
    OpenedModel& opened_;
    OrderedJson layers_ = OrderedJson::array();
    Index units_ = 0, inputs_ = 0;
};

} // namespace

bool build_recurrent(const std::vector<StoredLayer>& layers, const std::string& where,
                     const ModelOptions& options, OpenedModel& opened) {
    std::vector<const StoredLayer*> cells, others;
    std::set<std::string> stacks;
    for (const auto& layer : layers) {
        (layer.is_cell() ? cells : others).push_back(&layer);
        if (layer.is_cell()) stacks.insert(layer.stack);
    }
    if (stacks.size() > 1)
        opened.notes.push_back(concat("holds ", stacks.size(), " recurrent parts (",
                                      join({stacks.begin(), stacks.end()}, ", "),
                                      "); --architecture tells how they are connected"));
    if (stacks.size() != 1) return false;
    std::sort(cells.begin(), cells.end(),
              [](const auto* a, const auto* b) { return a->depth < b->depth; });
    RecurrentBuilder builder(where, options, opened);
    for (const auto* cell : cells) builder.add_cell(*cell);
    const bool readout = others.size() == 1 && builder.takes(*others.front());
    if (readout) builder.add_readout(*others.front());
    for (const auto* layer : others)
        if (!readout)
            opened.notes.push_back("layer '" + layer->name + "' (" + layer->array_names() +
                                   ") is left out: how it is connected needs --architecture");
    builder.finish();
    return true;
}

} // namespace assay::formats
