// The map of a data set out of its noise, by singular values that are shrunk each for itself
// (Gavish and Donoho 2017): what stopping gradient descent early approaches.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/spiked.hpp>

namespace assay::lindyn {

struct Denoised {
    Matrix map;       // N3 x N1, of the original inputs
    Vector s, shrunk; // singular values of the least-squares map, and what stands in their place
    NoiseReport noise;
    double expected_error = 0; // |W - W*|^2 / |W*|^2; NaN where nothing stands out
};

// `unit` is sqrt(N1) times the std of the noise in an entry of Syx. Throws Error where it is not
// above 0, inputs are not white, or modes are missing.
[[nodiscard]] ASSAY_API Denoised denoise(const Problem& problem, double unit, ShrinkageLoss loss);

} // namespace assay::lindyn
