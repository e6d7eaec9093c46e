// Architectures that one word names, fitted to data: mlp:256,256[:tanh], linear, conv:16,32[:relu],
// rnn:64[:relu], gru:64, lstm:64, ugrnn:64, janet:64, ctrnn:64. So that a first network needs no
// JSON file.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/preprocessing.hpp>

#include <string>

namespace assay::training {

// What a network must fit.
struct NetworkShape {
    network::Shape input_shape;
    std::vector<std::string> input_axes;
    Index outputs = 1;
    bool outputs_per_step = false; // a prediction for every step of a sequence
    Index vocabulary = 0;          // inputs are token ids below it
};

[[nodiscard]] ASSAY_API bool is_architecture_word(const std::string& text);
// The architecture as JSON. Throws Error for a word that does not fit the data.
[[nodiscard]] ASSAY_API std::string named_architecture(const std::string& word,
                                                       const NetworkShape& shape);
// The shape that samples call for: classes (largest + 1) or values. Throws Error where token ids
// are too large for a vocabulary.
[[nodiscard]] ASSAY_API NetworkShape shape_of(const network::SampleSource& samples,
                                              const Survey& survey);

} // namespace assay::training
