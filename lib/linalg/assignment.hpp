// The linear assignment problem: one partner for each row (or column, if there are fewer) so that
// the costs sum to the least. Shortest augmenting paths with potentials (Jonker and Volgenant 1987,
// Computing 38; Crouse 2016, section II), for real costs and rectangular matrices.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::linalg {

struct Assignment {
    std::vector<Index> column; // of each row; -1: none
    double cost = 0;           // the sum
};

// min(n, m) pairs of least total cost (n x m); ties go to the lower index, so that equal matrices
// give equal pairs. O(min(n, m)^2 max(n, m)). Throws Error on costs that are not finite.
[[nodiscard]] ASSAY_API Assignment assign(const Matrix& cost);

} // namespace assay::linalg
