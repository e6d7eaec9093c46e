// Canonical correlation analysis on orthonormal bases: the left singular basis of centred data,
// reduced to the directions that hold most of the variance (SVCCA: Raghu et al. 2017, arXiv
// 1706.05806), and the correlations of two of them, the singular values of U_i' U_j.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <limits>

namespace assay::linalg {

struct LeftBasis {
    Matrix vectors;                  // T x k, orthonormal columns, each of mean 0
    Vector singular_values;          // k, descending
    double total_sum_of_squares = 0; // of the centred data
};

// The fewest left singular vectors of the centred columns of `data` (T x N) whose squared singular
// values reach `share` of their sum, at most `most`. With share 1, all directions above the
// rounding of the data (max(T, N) eps of the largest). By eigen-decomposition of the smaller Gram
// matrix, O(T N min(T, N)); where the kept singular values span more than 1e6, by QR and SVD.
// Throws Error on data that are constant or not finite, and on a share outside (0, 1].
[[nodiscard]] ASSAY_API LeftBasis left_basis(const RowMatrix& data, double share,
                                             Index most = std::numeric_limits<Index>::max());

// Canonical correlations of two orthonormal bases from their product U' V (k x l): min(k, l)
// values, descending, clipped to [0, 1].
[[nodiscard]] ASSAY_API Vector canonical_correlations(const Matrix& product);

// With the directions within the first basis that belong to them: the canonical variable m is
// U * directions.col(m). All k of them where k <= l; otherwise the last k - l correlations are 0.
struct CanonicalDirections {
    Vector correlations; // k, descending, clipped to [0, 1]
    Matrix directions;   // k x k, orthogonal
};
[[nodiscard]] ASSAY_API CanonicalDirections canonical_directions(const Matrix& product);

} // namespace assay::linalg
