// What a network is trained and judged on: inputs with targets, row by row.
#pragma once

#include <assay/network/model.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::network {

struct Samples {
    Shape input_shape;                   // of one sample: {1, 8, 8}, {steps, features}
    std::vector<std::string> input_axes; // "channel", "height", "width"; as long as input_shape
    RowMatrix inputs;                    // samples x product of input_shape, C order within a row
    // Either classes (integers; one a sample, or one a step) or values.
    std::vector<std::int64_t> classes;
    Shape target_shape; // of one sample's values: {k}, {steps, k}
    RowMatrix values;   // samples x product of target_shape
    // Sequences: how many steps of a sample are valid (empty: all), and which count in the loss
    // (samples x steps, 1 = counted; empty: all valid ones).
    std::vector<Index> lengths;
    RowMatrix mask;

    [[nodiscard]] Index count() const { return inputs.rows(); }
};

} // namespace assay::network
