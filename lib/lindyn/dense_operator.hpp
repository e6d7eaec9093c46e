// A matrix in memory as the operator of linalg/svd.hpp.
#pragma once

#include <assay/linalg/svd.hpp>

namespace assay::lindyn {

// `matrix` must outlive it.
[[nodiscard]] inline linalg::LinearOperator dense_operator(const Matrix& matrix) {
    return {matrix.rows(), matrix.cols(),
            [&matrix](const Matrix& right) { return Matrix(matrix * right); },
            [&matrix](const Matrix& left) { return Matrix(matrix.transpose() * left); }};
}

} // namespace assay::lindyn
