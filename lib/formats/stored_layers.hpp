// Internal to lib/formats: the arrays of a state dict put together by layer, under our names.
#pragma once

#include <assay/formats/model_parts.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::formats {

struct StoredLayer {
    std::string name;   // "encoder.rnn"; layers of a stack "encoder.rnn_l0", "encoder.rnn_l1"
    NamedArrays arrays; // under our parameter names, in the order of the file
    std::string stack;  // a recurrent layer's name without its place in the stack
    Index depth = 0;    // and that place
    std::string gates;  // the order of its rows, where the file's format tells
    std::optional<bool> reset_after; // of a GRU, likewise

    // Null where it is missing. PyTorch calls the scale of a normalisation weight, its offset bias.
    [[nodiscard]] const DenseArray* find(const std::string& parameter, bool normalisation) const;
    [[nodiscard]] bool is_cell() const;         // has a kernel and a recurrent matrix
    [[nodiscard]] Index blocks_of_rows() const; // of the recurrent matrix; 0 where it is odd
    [[nodiscard]] std::string array_names() const;
};

// Keeps the arrays of a file that has no architecture, and says so.
void keep_without_architecture(const std::vector<StoredLayer>& layers, OpenedModel& opened);

// Layers in the order of the file. Prefixes that wrappers put before every name are taken off, and
// counters are left out. Throws Error for names that appear twice and for cells we have no type of.
[[nodiscard]] std::vector<StoredLayer> stored_layers(NamedArrays arrays, const std::string& where);

// Throws Error for names that cannot stand in an architecture or in our files, or stand twice.
void check_layer_names(const std::vector<StoredLayer>& layers, const std::string& where);

} // namespace assay::formats
