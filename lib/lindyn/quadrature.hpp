// Integration rules: Gauss-Legendre, and averages over the bulk of singular values that noise alone
// has (Marchenko and Pastur; spiked.hpp), in s^2 = 1 + A + 2 sqrt(A) cos(phi), 0 <= phi <= pi,
// where the density is 2A sin^2(phi) / (pi min(A, 1) s^2) dphi.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

struct Rule {
    Vector node, weight; // integral of f ~ sum weight f(node)
};

// On [0, 1], `count` >= 1 nodes; exact for polynomials below degree 2 count. O(count^2), the usual
// 128 nodes once.
[[nodiscard]] ASSAY_API Rule gauss_legendre(Index count);

inline constexpr Index kUsualNodes = 128;

// Averages over the largest `share` (0 < share <= 1) of the bulk's singular values: nodes are
// singular values, descending, weights sum to 1. Whole bulks away from A = 1 by Gauss-Chebyshev
// quadrature of the second kind, which converges exponentially (128 nodes: 1e-14); near A = 1,
// where the density has a pole close to its lower edge, and for parts of the bulk by
// Gauss-Legendre. Precondition: aspect > 0.
[[nodiscard]] ASSAY_API Rule noise_bulk(double aspect, Index nodes = kUsualNodes, double share = 1);

// Share of the bulk's singular values above `s`, in closed form.
[[nodiscard]] ASSAY_API double bulk_share_above(double s, double aspect);
// Density of the bulk at `s`, of unit mass.
[[nodiscard]] ASSAY_API double bulk_density(double s, double aspect);

} // namespace assay::lindyn
