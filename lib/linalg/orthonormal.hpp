// Orthonormal columns from given ones.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/random.hpp>
#include <assay/core/recording.hpp>

namespace assay::linalg {

// The factor Q of columns = Q R with a positive diagonal of R, by Householder reflections; of
// independent normal numbers it is uniform (Haar) among all. m x k, k <= m; O(m k^2).
[[nodiscard]] ASSAY_API Matrix orthonormalised(const Matrix& columns);

// Orthonormal columns (rows x columns, columns <= rows), uniform among all: of the normal numbers
// that `random` holds at 0, 1, ..., column by column.
[[nodiscard]] ASSAY_API Matrix random_orthonormal(const Random& random, Index rows, Index columns);

} // namespace assay::linalg
