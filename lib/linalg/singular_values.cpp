#include <assay/linalg/singular_values.hpp>

#include <assay/core/error.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/Householder>

namespace assay::linalg {
namespace {

// The upper bidiagonal form of a matrix with at least as many rows as columns, as the off-diagonal
// of the tridiagonal matrix of Golub and Kahan: d1, e1, d2, e2, ..., dn.
Vector bidiagonal(Matrix& matrix) {
    const Index rows = matrix.rows(), columns = matrix.cols();
    Vector entries(2 * columns - 1), workspace(rows);
    for (Index k = 0; k < columns; ++k) {
        double tau = 0, beta = 0;
        auto column = matrix.col(k).tail(rows - k);
        column.makeHouseholderInPlace(tau, beta);
        entries(2 * k) = beta;
        const Index right = columns - k - 1;
        if (right == 0) break;
        matrix.bottomRightCorner(rows - k, right)
            .applyHouseholderOnTheLeft(column.tail(rows - k - 1), tau, workspace.data());
        auto row = matrix.row(k).tail(right);
        row.makeHouseholderInPlace(tau, beta);
        entries(2 * k + 1) = beta;
        matrix.bottomRightCorner(rows - k - 1, right)
            .applyHouseholderOnTheRight(row.tail(right - 1).transpose(), tau, workspace.data());
    }
    return entries;
}

} // namespace

Vector singular_values(Matrix matrix) {
    if (!matrix.allFinite()) throw Error("singular values: the matrix has non-finite entries");
    if (matrix.rows() < matrix.cols()) matrix = Matrix(matrix.transpose());
    const Index count = matrix.cols();
    if (count == 0) return {};
    const double scale = matrix.cwiseAbs().maxCoeff();
    if (scale == 0) return Vector::Zero(count);
    matrix /= scale;
    const Vector entries = bidiagonal(matrix);
    Eigen::SelfAdjointEigenSolver<Matrix> solver;
    solver.computeFromTridiagonal(Vector::Zero(2 * count), entries, Eigen::EigenvaluesOnly);
    if (solver.info() != Eigen::Success) throw Error("singular values: no convergence");
    return scale * solver.eigenvalues().tail(count).reverse().cwiseMax(0.0);
}

double nuclear_norm(const Matrix& matrix) {
    return singular_values(matrix).sum();
}

} // namespace assay::linalg
