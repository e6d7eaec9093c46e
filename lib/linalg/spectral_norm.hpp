// The largest eigenvalue of a symmetric matrix and the spectral norm, without the rest of the
// spectrum: Householder tridiagonalisation, then bisection on Sturm counts (Barth, Martin,
// Wilkinson 1967, Numer. Math. 9).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::linalg {

// From above, to rounding (about 1e-15 of the largest entry times n), of a symmetric matrix (n x n,
// the lower half is read); 0 for an empty one, infinity where an entry is not finite. O(4/3 n^3).
[[nodiscard]] ASSAY_API double largest_eigenvalue(const Matrix& symmetric);
// |A|_2, the largest singular value (m x n), from the smaller Gram matrix; the same special cases.
[[nodiscard]] ASSAY_API double spectral_norm(const Matrix& a);

} // namespace assay::linalg
