// The evidence of a fit whose noise variance was learned: free entropies are relative to noise
// alone of the same variance, so they compare only where that is equal.
#pragma once

#include <assay/core/export.hpp>

namespace assay::tensor_amp {

// Log evidence per N over that of noise alone, both with their best noise variance:
//     Phi + [n (1 + log(|Y|^2 / n)) - |Y|^2 / Delta - n log Delta] / (2 N),
// with Phi per N at noise variance Delta, |Y|^2 of the n observed entries, N = `mean_dimension`.
[[nodiscard]] ASSAY_API double log_evidence(double free_entropy, double noise_variance,
                                            double squared_norm, double entries,
                                            double mean_dimension);

// The same where slices have noise variances of their own: `weighted_norm` is the sum over slices
// of |Y_i|^2 / Delta_i, `log_noise` that of n_i log Delta_i.
struct NoiseOfSlices {
    double weighted_norm = 0, log_noise = 0;
};
[[nodiscard]] ASSAY_API double log_evidence(double free_entropy, const NoiseOfSlices& noise,
                                            double squared_norm, double entries,
                                            double mean_dimension);

} // namespace assay::tensor_amp
