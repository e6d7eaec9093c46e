// Singular values without vectors: Householder bidiagonalisation, then the implicit QR iteration on
// the symmetric tridiagonal matrix of Golub and Kahan 1965 (SIAM J. Numer. Anal. B 2(2)), whose
// eigenvalues are those of the bidiagonal matrix and their negatives. Small ones keep the absolute
// accuracy that the roots of a Gram matrix's eigenvalues would lose.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::linalg {

// All min(m, n) singular values of a matrix (m x n), descending, to about 1e-15 of the largest;
// O(m n min(m, n)). Throws Error on numbers that are not finite.
[[nodiscard]] ASSAY_API Vector singular_values(Matrix matrix);
// Their sum.
[[nodiscard]] ASSAY_API double nuclear_norm(const Matrix& matrix);

} // namespace assay::linalg
