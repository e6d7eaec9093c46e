#include <assay/formats/tensorflow_cells.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace assay::formats {
namespace {

// Blocks of columns of a kernel, in TensorFlow's order and under our names of gates.
struct CellWord {
    const char* word;  // in the name of the variables' scope
    const char* gates; // "": one block
    int blocks;
    int offset; // the block to which forget_bias is added; -1: none
};
constexpr CellWord kCellWords[]{
    {"ugrnn_cell", "u,c", 2, 0}, {"lstm_cell", "i,g,f,o", 4, 2}, {"basic_rnn_cell", "", 1, -1}};

constexpr const char* kGates = "/gates/kernel"; // of a GRU

// "rnn/gru_cell/gates/kernel:0" -> "rnn/gru_cell/gates/kernel".
std::string without_output_index(const std::string& name) {
    return ends_with(name, ":0") ? name.substr(0, name.size() - 2) : name;
}

std::string scope_of(const std::string& name) {
    const auto slash = name.rfind('/');
    return slash == std::string::npos ? "" : name.substr(0, slash);
}

class CellReader {
  public:
    CellReader(NamedArrays& arrays, const std::string& where, const ModelOptions& options,
               OpenedModel& opened)
        : arrays_(arrays), where_(where), options_(options), opened_(opened) {
        for (std::size_t i = 0; i < arrays.size(); ++i)
            places_.emplace(without_output_index(arrays[i].name), i);
    }

    std::vector<StoredLayer> read() {
        for (const auto& [name, place] : places_) {
            if (ends_with(name, kGates))
                add_gru(name.substr(0, name.size() - std::string(kGates).size()));
            else if (const CellWord* word = word_of(name);
                     word != nullptr && places_.count(scope_of(name) + "/recurrent_kernel") == 0)
                add_cell(scope_of(name), *word); // with both kernels it is one of Keras
        }
        if (layers_.empty()) return {};
        for (const auto& [name, place] : places_)
            if (ends_with(name, "/kernel") && used_.count(place) == 0) add_dense(scope_of(name));
        NamedArrays rest;
        for (std::size_t i = 0; i < arrays_.size(); ++i)
            if (used_.count(i) == 0) rest.push_back(std::move(arrays_[i]));
        arrays_ = std::move(rest);
        return std::move(layers_);
    }

  private:
    static const CellWord* word_of(const std::string& name) {
        const std::string scope = scope_of(name), last = scope.substr(scope.rfind('/') + 1);
        if (!ends_with(name, "/kernel")) return nullptr;
        const auto* const found =
            std::find_if(std::begin(kCellWords), std::end(kCellWords), [&](const CellWord& cell) {
                return last.find(cell.word) != std::string::npos;
            });
        return found == std::end(kCellWords) ? nullptr : found;
    }

    const DenseArray& take(const std::string& name, std::size_t rank) {
        const auto found = places_.find(name);
        if (found == places_.end()) throw Error(where_ + ": '" + printable(name) + "' is missing");
        const DenseArray& array = arrays_[found->second].array;
        if (array.shape.size() != rank)
            throw Error(concat(where_, ": '", printable(name), "' has ", array.shape.size(),
                               " axes; ", rank, " are expected"));
        used_.insert(found->second);
        return array;
    }

    // Columns of a kernel (inputs and units, blocks units), transposed, below those before.
    static void add_columns(const DenseArray& kernel, Index units, DenseArray& inputs,
                            DenseArray& recurrent) {
        const Index rows = kernel.shape[0], columns = kernel.shape[1];
        for (Index column = 0; column < columns; ++column)
            for (Index row = 0; row < rows; ++row)
                (row < rows - units ? inputs : recurrent)
                    .values.push_back(
                        kernel.values[static_cast<std::size_t>(row * columns + column)]);
        inputs.shape = {(inputs.shape.empty() ? 0 : inputs.shape[0]) + columns, rows - units};
        recurrent.shape = {inputs.shape[0], units};
        inputs.type = recurrent.type = kernel.type;
    }

    // `parts`: scopes of kernels that follow each other, with so many blocks each.
    StoredLayer cell_of(const std::string& scope,
                        const std::vector<std::pair<std::string, Index>>& parts) {
        DenseArray kernel, recurrent, bias;
        Index units = 0;
        for (const auto& [part, blocks] : parts) {
            const DenseArray &matrix = take(part + "/kernel", 2),
                             &offsets = take(part + "/bias", 1);
            if (units == 0) units = matrix.shape[1] / blocks;
            if (units == 0 || matrix.shape[1] != blocks * units || matrix.shape[0] <= units ||
                offsets.shape[0] != matrix.shape[1])
                throw Error(concat(where_, ": '", printable(part), "' has a kernel of ",
                                   hdf5::shape_text(matrix.shape), " and a bias of ",
                                   hdf5::shape_text(offsets.shape), "; inputs and units x ", blocks,
                                   " units are expected"));
            add_columns(matrix, units, kernel, recurrent);
            bias.values.insert(bias.values.end(), offsets.values.begin(), offsets.values.end());
            bias.type = offsets.type;
            if (kernel.shape[1] != matrix.shape[0] - units)
                throw Error(where_ + ": the kernels of '" + printable(scope) +
                            "' take different numbers of inputs");
        }
        bias.shape = {static_cast<Index>(bias.values.size())};
        refuse_extras(scope);
        StoredLayer layer;
        layer.name = scope;
        std::replace(layer.name.begin(), layer.name.end(), '/', '.');
        layer.arrays = {{"kernel", kernel}, {"recurrent", recurrent}, {"bias", bias}};
        place_in_stack(layer);
        return layer;
    }

    void refuse_extras(const std::string& scope) const {
        for (const auto& [name, place] : places_)
            if (starts_with(name, scope + "/") &&
                (ends_with(name, "_diag") || name.find("/projection/") != std::string::npos))
                throw Error(where_ + ": '" + printable(name) +
                            "' belongs to a cell with peepholes or a projection; cells without "
                            "are expected");
    }

    // "rnn.multi_rnn_cell.cell_1.gru_cell" is the second of "rnn.multi_rnn_cell".
    static void place_in_stack(StoredLayer& layer) {
        layer.stack = layer.name;
        const auto at = layer.name.find(".cell_");
        if (at == std::string::npos) return;
        const auto begin = at + std::string(".cell_").size();
        const auto depth =
            parse_integer(layer.name.substr(begin, layer.name.find('.', begin) - begin));
        if (!depth || *depth < 0) return;
        layer.stack = layer.name.substr(0, at);
        layer.depth = *depth;
    }

    void add_gru(const std::string& scope) {
        StoredLayer layer = cell_of(scope, {{scope + "/gates", 2}, {scope + "/candidate", 1}});
        layer.gates = "r,z,n";
        layer.reset_after = false;
        layers_.push_back(std::move(layer));
    }

    void add_cell(const std::string& scope, const CellWord& word) {
        StoredLayer layer = cell_of(scope, {{scope, word.blocks}});
        layer.gates = word.gates;
        if (word.offset >= 0) {
            auto& bias = layer.arrays.back().array;
            const Index units = bias.shape[0] / word.blocks;
            for (Index i = 0; i < units; ++i)
                bias.values[static_cast<std::size_t>(word.offset * units + i)] +=
                    options_.forget_bias;
            opened_.notes.push_back(concat("layer '", layer.name, "': ", options_.forget_bias,
                                           " is added to the bias of its gate, for files do not "
                                           "hold it (--forget-bias)"));
        }
        layers_.push_back(std::move(layer));
    }

    void add_dense(const std::string& scope) {
        StoredLayer layer;
        layer.name = layer.stack = scope;
        std::replace(layer.name.begin(), layer.name.end(), '/', '.');
        layer.arrays.push_back({"weight", permuted(take(scope + "/kernel", 2), {1, 0})});
        if (places_.count(scope + "/bias") != 0)
            layer.arrays.push_back({"bias", take(scope + "/bias", 1)});
        layers_.push_back(std::move(layer));
    }

    NamedArrays& arrays_;
    const std::string& where_;
    const ModelOptions& options_;
    OpenedModel& opened_;
    std::map<std::string, std::size_t> places_;
    std::set<std::size_t> used_;
    std::vector<StoredLayer> layers_;
};

} // namespace

std::vector<StoredLayer> take_tensorflow_cells(NamedArrays& arrays, const std::string& where,
                                               const ModelOptions& options, OpenedModel& opened) {
    return CellReader(arrays, where, options, opened).read();
}

} // namespace assay::formats
