// Certificates of roots: Newton-Kantorovich on the reduced map, which proves that a fixed point
// exists near a numerical one and that it is alone there. Rounding is not enclosed: the proof holds
// for the numbers as computed, whose errors are about 1e-15.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/points.hpp>

namespace assay::fixedpoints {

// The certificate of a root v (1 x reduced size) of R(v) = v under input x (1 x inputs). With A =
// dR/dh - I, beta = |A^-1|, eta = |A^-1 (R(v) - v)| and Lip a Lipschitz constant of dR/dh over the
// ball of radius rho: if kappa = beta eta Lip <= 1/2 and the existence radius 2 eta / (1 + sqrt(1 -
// 2 kappa)) <= rho, a root lies within it and no other within min(rho, (1 + sqrt(1 - 2 kappa)) /
// (beta Lip)); the largest such radius over rho = 1e-9 ... 10^0.5 is kept. Of a stack each layer is
// certified under what the layer below shows, whose own error enters eta; the uniqueness radius is
// then that of each layer's part.
[[nodiscard]] ASSAY_API Certificate certify(const Dynamics& dynamics, const RowMatrix& x,
                                            const RowMatrix& v);

} // namespace assay::fixedpoints
