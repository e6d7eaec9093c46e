// Multiplicative updates for the Kullback-Leibler divergence (Poisson likelihood of counts), over
// the non-zeros only.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

namespace assay::cnmf {

// Sum of X log(X / Xhat) - X + Xhat over seen entries, with 2.2e-16 added to Xhat.
[[nodiscard]] ASSAY_API double divergence(const Matrix& motifs, const TimeMatrix& activations,
                                          const Recording& data, const TimeAxis& axis,
                                          const Unseen& unseen, const Execution& run);
// W <- W * sum_t Q[n,t] H[k,t-l] / sum_{t>=l} H[k,t-l], Q = X / Xhat (1 at unseen entries).
ASSAY_API void poisson_update_motifs(Matrix& motifs, const TimeMatrix& activations,
                                     const Recording& data, const TimeAxis& axis,
                                     const Unseen& unseen, const Execution& run);
// H <- H * sum_{n,l} W[k,n,l] Q[n,t+l] / sum_{n, l <= T-1-t} W[k,n,l].
ASSAY_API void poisson_update_activations(TimeMatrix& activations, const Matrix& motifs,
                                          const Recording& data, const TimeAxis& axis,
                                          const Unseen& unseen, const Execution& run);
// Norm of the projected gradient of the divergence in W and H.
[[nodiscard]] ASSAY_API double poisson_gradient_norm(const Matrix& motifs,
                                                     const TimeMatrix& activations,
                                                     const Recording& data, const TimeAxis& axis,
                                                     const Unseen& unseen, const Execution& run);

} // namespace assay::cnmf
