// Principal components of rows: centred data, by eigen-decomposition of the smaller of the scatter
// matrix (features x features) and the Gram matrix (samples x samples). Directions are oriented so
// that the largest entry of each is positive.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::linalg {

struct Pca {
    Vector mean;           // N
    Matrix components;     // N x k, orthonormal columns
    Vector variance;       // k, descending: along each component, with divisor samples - 1
    Vector variance_ratio; // k: of the total variance; zeros where there is none
    double total_variance = 0;
    double participation_ratio = 0; // (sum of variances)^2 / sum of squares, over all of them

    // Scores of rows (B x N) along the components (B x k).
    [[nodiscard]] ASSAY_API RowMatrix project(const RowMatrix& rows) const;
};

// The first `components` of rows (T x N), at most min(T, N) of them; O(T N min(T, N)). Variances
// below about 1e-16 of the largest are rounding. Throws Error on no rows, numbers that are not
// finite, or components < 1.
[[nodiscard]] ASSAY_API Pca principal_components(const RowMatrix& rows, Index components);

} // namespace assay::linalg
