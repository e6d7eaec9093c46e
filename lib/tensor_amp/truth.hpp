// The ground truth of a synthetic tensor.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

// What a generator knows. In model units.
struct Truth {
    Factors factors; // N_a x r
    double noise_variance = 0;
    VectorXd slice_noise; // of the slices of `noise_mode`; empty where all are equal
    Index noise_mode = -1;
    std::vector<std::string> priors; // of each mode; empty where there are none
    std::vector<std::string> mode_names;
};

} // namespace assay::tensor_amp
