// Products of one large matrix with a few columns. A general matrix product first copies ("packs")
// its operands, which costs as much as the product itself where the other side is narrow; these
// read the large matrix once, in place.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>

namespace assay::linalg {

// Rows that a matrix must have for narrow products, so that they read whole vectors and nothing
// beyond: `rows` and padding, which should be zero.
template <class Scalar>
[[nodiscard]] ASSAY_API Eigen::Index padded_rows(Eigen::Index rows);

// Columns up to which these are faster than a general product.
inline constexpr Eigen::Index kNarrow = 24;

// X B: X (rows x n), B (n x columns). Precondition: padded_rows(rows) == rows. On one thread, sums
// in a fixed order.
template <class Scalar>
[[nodiscard]] ASSAY_API Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>
narrow_product(const Eigen::Ref<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>>& x,
               const Eigen::Ref<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>>& b);

// X^T B: X (rows x n), B (rows x columns); the result is n x columns. The same precondition.
template <class Scalar>
[[nodiscard]] ASSAY_API Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>
narrow_transposed_product(
    const Eigen::Ref<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>>& x,
    const Eigen::Ref<const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>>& b);

} // namespace assay::linalg
