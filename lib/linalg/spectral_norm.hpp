// The largest eigenvalue of a symmetric matrix and the spectral norm, without the rest of the
// spectrum: Householder tridiagonalisation, then bisection on Sturm counts (Barth, Martin,
// Wilkinson 1967, Numer. Math. 9). Of a matrix known by its products only, block Lanczos (Golub,
// Underwood 1977).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <functional>

namespace assay::linalg {

// From above, to rounding (about 1e-15 of the largest entry times n), of a symmetric matrix (n x n,
// the lower half is read); 0 for an empty one, infinity where an entry is not finite. O(4/3 n^3).
[[nodiscard]] ASSAY_API double largest_eigenvalue(const Matrix& symmetric);
// |A|_2, the largest singular value (m x n), from the smaller Gram matrix; the same special cases.
[[nodiscard]] ASSAY_API double spectral_norm(const Matrix& a);

// A value with |A b - value b| for its unit vector b; an eigenvalue of A is no further away.
struct Eigenvalue {
    double value = 0, residual = 0;
};
// Largest eigenvalue of a symmetric matrix (n x n, n >= 1) known by its products with blocks of
// vectors (n x b), from below: until the residual is at most `tolerance` of it, or after 40
// products with blocks of 4, whichever comes first; the residual says which. Throws Error on
// products that are not finite.
[[nodiscard]] ASSAY_API Eigenvalue largest_eigenvalue(
    Index n, const std::function<Matrix(const Matrix& block)>& product, double tolerance);

} // namespace assay::linalg
