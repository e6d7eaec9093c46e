// What is done to the data of a run before it learns from them: a part is held out, inputs are
// scaled and standardised by statistics of the training split. The run keeps it, so that whoever
// reads raw data later can do the same again.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/samples.hpp>
#include <assay/training/config.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::training {

// Inputs x become (scale x - mean) factor. `mean` and `factor` have one number for every stretch of
// inputs / groups consecutive numbers of a sample: for every number, every channel, or one for all.
struct Preprocessing {
    double scale = 1;
    std::string standardize = "none"; // the kind of DataSettings
    std::vector<double> mean, factor; // as long as each other; empty: not standardised
    Index inputs = 0;                 // numbers of a sample
    std::vector<Index> held_out; // rows of the training split, in the order of the held-out part

    [[nodiscard]] bool does_something() const {
        return scale != 1 || !mean.empty() || !held_out.empty();
    }
};

// Scale and statistics of `train` (as it is before scaling), by population variance; where a
// deviation is 0 the factor is 1. Cost: a few passes over the inputs.
[[nodiscard]] ASSAY_API Preprocessing measure_inputs(const network::Samples& train,
                                                     const DataSettings& settings);
// Scales and standardises in place. Throws Error where a sample has other than `inputs` numbers.
ASSAY_API void apply(const Preprocessing& preprocessing, network::Samples& samples);

// Which rows of `count` samples are held out where `fraction` stay for training, by seed. Throws
// Error where one of the two parts is empty.
[[nodiscard]] ASSAY_API std::vector<Index> held_out_rows(Index count, double fraction,
                                                         std::uint64_t seed);
// Some rows of samples, in the order given.
[[nodiscard]] ASSAY_API network::Samples choose_rows(const network::Samples& samples,
                                                     const std::vector<Index>& rows);
// The rows below `count` that are not held out, ascending.
[[nodiscard]] ASSAY_API std::vector<Index> other_rows(Index count,
                                                      const std::vector<Index>& held_out);
// Of inputs, targets, lengths and mask with their shapes: tells whether data are the same.
[[nodiscard]] ASSAY_API std::string digest_of_samples(const network::Samples& samples);

} // namespace assay::training
