// Averages over the channel of state evolution (vector_channel.hpp) for priors that are mixtures of
// points or normal densities: discrete ones and spike and slab. Under each term the field is normal
// and the posterior mean linear in it, so that along a line of fields all terms are vectors:
//     density(u) = sum_s exp(offset_s + linear_s . u - u^T precision_s u / 2)
//     f(u) = sum_s share_s (base_s + gain_s u),   B = basis u.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/prior.hpp>

#include <vector>

namespace assay::tensor_amp {

// One term, for fields u in d directions.
struct MixtureTerm {
    double offset = 0;
    VectorXd linear;     // d
    MatrixXd precision;  // d x d
    VectorXd base;       // r
    MatrixXd gain;       // r x d
    MatrixXd covariance; // r x r, of x given the term and u
};

// The terms at Qhat (r x r), with B = `basis` u (r x d). Throws Error for a prior that is neither
// discrete nor spike and slab.
[[nodiscard]] std::vector<MixtureTerm> mixture_terms(const Prior& prior, const MatrixXd& qhat,
                                                     const MatrixXd& basis);

// low, low + step, .. up to the first at or beyond high.
struct FieldAxis {
    double low = 0, high = 0;
    [[nodiscard]] Index points(double step) const;
};

enum class WithResponse { no, yes };

// Sums over all points of a grid of the density (mass), density log Z, density f f^T (r^2) and, if
// wanted, density Sigma (x) Sigma (r^4), Sigma the posterior covariance, times the volume of a
// cell. O(points terms (r + 1)), with the response O(points terms r^2 + points r^4).
[[nodiscard]] VectorXd mixture_sums(const std::vector<MixtureTerm>& terms,
                                    const std::vector<FieldAxis>& axes, double step,
                                    WithResponse response, const Execution& run);

} // namespace assay::tensor_amp
