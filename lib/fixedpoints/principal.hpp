// Principal components of rows, as the analyses of line attractors need them.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

namespace assay::fixedpoints {

struct PrincipalComponents {
    Vector mean;      // S
    Vector variances; // S, falling, >= 0 (divisor: rows)
    Matrix axes;      // S x S, columns; the largest entry of each is positive
};

// Of n rows (n x S): eigenvectors of the covariance. Scatter over fixed blocks, summed in a fixed
// tree. O(n S^2 + S^3).
[[nodiscard]] PrincipalComponents principal_components(const RowMatrix& rows, const Execution& run);

} // namespace assay::fixedpoints
