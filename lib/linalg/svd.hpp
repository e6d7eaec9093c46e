// Singular value decompositions with vectors: divide and conquer for a matrix in memory, and for
// the leading part of a large operator randomised block Krylov iteration (Musco and Musco 2015,
// arXiv 1504.05477), which finds equal singular values as often as they occur.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <functional>

namespace assay::linalg {

// matrix = u diag(s) v^T, s descending; the sign of a pair of vectors is not fixed.
struct Svd {
    Matrix u; // m x k, orthonormal columns
    Vector s; // k
    Matrix v; // n x k
};

// All k = min(m, n) singular triplets; O(m n min(m, n)). Throws Error on numbers that are not
// finite.
[[nodiscard]] ASSAY_API Svd thin_svd(const Matrix& matrix);

// An m x n matrix known by its products with blocks of vectors.
struct LinearOperator {
    Index rows = 0, cols = 0;
    std::function<Matrix(const Matrix& right)> apply;          // A X, X: n x b
    std::function<Matrix(const Matrix& left)> apply_transpose; // A^T Y, Y: m x b
};

// The first `count` triplets, to residuals |A v - s u|, |A^T u - s v| <= tolerance s_1. About 4 to
// 10 products with blocks of count + 8 vectors where the spectrum falls off. Throws Error when 300
// products do not suffice (a flat spectrum: ask for all of it), and on products that are not
// finite. Precondition: 1 <= count <= min(rows, cols).
[[nodiscard]] ASSAY_API Svd leading_svd(const LinearOperator& op, Index count, std::uint64_t seed,
                                        double tolerance = 1e-10);

} // namespace assay::linalg
