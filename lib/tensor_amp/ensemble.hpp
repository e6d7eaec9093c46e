// What theory knows of a tensor: the ratios of its dimensions and the prior of every mode.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/prior.hpp>

#include <vector>

namespace assay::tensor_amp {

struct Ensemble {
    VectorXd aspect;                  // n_a = N_a / N, of product 1
    std::vector<PriorPointer> priors; // one a mode, all of the same rank

    [[nodiscard]] Index order() const { return aspect.size(); }
    [[nodiscard]] Index rank() const { return priors.front()->rank(); }
    [[nodiscard]] const Prior& prior(Index mode) const {
        return *priors[static_cast<std::size_t>(mode)];
    }
};

// Of dimensions or of any numbers proportional to them.
[[nodiscard]] ASSAY_API Ensemble make_ensemble(const VectorXd& dimensions,
                                               std::vector<PriorPointer> priors);
// Throws Error for an order outside 2..8, dimensions that are not positive, priors that are not one
// a mode, differ in rank, or have an inexact denoiser.
ASSAY_API void check_ensemble(const Ensemble& ensemble);
// Throws Error unless positive and finite.
ASSAY_API void check_noise(double noise_var, const char* name = "noise_var");

// Whether all priors are Gaussian; whether all dimensions are equal.
[[nodiscard]] ASSAY_API bool is_gaussian(const Ensemble& ensemble);
[[nodiscard]] ASSAY_API bool is_cubic(const Ensemble& ensemble);

} // namespace assay::tensor_amp
