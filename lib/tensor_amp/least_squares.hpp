// Least squares for the rows of one factor, the others fixed: rows x of X minimise
//     x W x^T - 2 m x^T + ridge |x|^2
// with W the Hadamard product of the other modes' Gram matrices, common to all rows or, where
// entries are missing, one of every row, and m the row of the MTTKRP.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/model.hpp>

namespace assay::tensor_amp {

// The matrices W of the rows: one for all, or one a row, as `packed` upper triangles.
struct NormalMatrices {
    MatrixXd common; // r x r; empty where every row has its own
    MatrixXd packed; // N_a x r(r+1)/2, pairs (0,0), (0,1), .., (1,1), ..

    [[nodiscard]] MatrixXd of_row(Index row, Index rank) const;
};

// Number and order of the packed pairs; the products X(:, i) X(:, j) in that order.
[[nodiscard]] inline Index pair_count(Index rank) {
    return rank * (rank + 1) / 2;
}
[[nodiscard]] MatrixXd pair_products(const MatrixXd& x);

// The unconstrained minimum (N_a x r): by Cholesky, or where W is close to singular the solution of
// least norm (eigenvalues below 1e-12 of the largest count as 0).
[[nodiscard]] MatrixXd solve_rows(const NormalMatrices& normal, const MatrixXd& products,
                                  double ridge, int threads);

// Three rounds of hierarchical alternating least squares (Cichocki, Phan 2009) from `x`, whose
// entries stay nonnegative: each column in turn x_c <- max(0, x_c + (m_c - X W_c) / W_cc).
void improve_nonnegative(MatrixXd& x, const NormalMatrices& normal, const MatrixXd& products,
                         double ridge, int threads);

// sum_i x_i W_i x_i^T, the squared norm of the model over the observed entries.
[[nodiscard]] double model_norm(const MatrixXd& x, const NormalMatrices& normal);

} // namespace assay::tensor_amp
