// The scalar channel of state evolution at rank 1: of a value x0 ~ P one sees B = h x0 + sqrt(h) z,
// z ~ N(0, 1), and
//     q(h) = E f(h, B)^2,   psi(h) = E log Z(h, B),   dpsi/dh = q / 2,   dq/dh = E sigma(h, B)^2
// (Lesieur, Miolane, Lelarge, Krzakala, Zdeborova 2017, arXiv 1701.08010). Gaussian priors have
// closed forms; for the others a trapezoid over B is halved until it has settled: its error falls
// exponentially in the number of points, also where states of a discrete prior stand far apart.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/prior.hpp>

namespace assay::tensor_amp {

// Throws Error where the prior's denoiser is an approximation: no theory holds for it.
ASSAY_API void check_exact(const Prior& prior);

struct ScalarOverlap {
    double q = 0;     // q(h)
    double slope = 0; // dq/dh
    double psi = 0;   // psi(h)
};
// At precision h >= 0, to 1e-9 relative or better, and to what rounding leaves of numbers of the
// size h x^2, x being typical values. Throws Error for rank above 1, an inexact prior, and where
// the quadrature does not settle.
[[nodiscard]] ASSAY_API ScalarOverlap scalar_overlap(const Prior& prior, double h);

// One step of mismatched state evolution (4.2 of tensor-amp's manual): the data are
// B = mhat x0 + sqrt(t) z with x0 ~ truth, the denoiser is f(qhat, B) of `assumed`.
struct MismatchedOverlap {
    double m = 0; // E f x0
    double q = 0; // E f^2
};
[[nodiscard]] ASSAY_API MismatchedOverlap mismatched_overlap(const Prior& truth,
                                                             const Prior& assumed, double mhat,
                                                             double qhat, double t);

} // namespace assay::tensor_amp
