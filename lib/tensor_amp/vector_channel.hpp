// The channel of state evolution at any rank: of a row x0 ~ P one sees B = Qhat x0 + Qhat^{1/2} z,
// z ~ N(0, I), and E f f^T, E log Z follow (Lesieur, Miolane, Lelarge, Krzakala, Zdeborova 2017,
// arXiv 1701.08010). Gaussian priors have closed forms, rank 1 is scalar_channel.hpp; elsewhere a
// trapezoid over the directions in which Qhat is not 0, if these are at most 3, else 2^14 Sobol
// points in 8 independent shifts.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/mixture_channel.hpp>
#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

struct ChannelAverages {
    MatrixXd overlap; // E f f^T, r x r
    // r^2 x r^2, E[Sigma (x) Sigma] of the posterior covariance Sigma: a change E of Qhat changes
    // vec(overlap) by response vec(E).
    MatrixXd response;
    double free_entropy = 0; // psi = E log Z
    // 0 in closed form; the change in the last halving of a trapezoid, whose error is about its
    // square; one standard error of Sobol points.
    double overlap_error = 0;
    double free_entropy_error = 0;
};

// At Qhat, symmetric and positive semidefinite, r x r. Throws Error for an inexact prior and where
// there are more directions than Sobol dimensions.
[[nodiscard]] ASSAY_API ChannelAverages channel_averages(const Prior& prior, const MatrixXd& qhat,
                                                         WithResponse response,
                                                         const Execution& run = {});

} // namespace assay::tensor_amp
