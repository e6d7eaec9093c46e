#include <assay/fixedpoints/slow_modes.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>

#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr Index kGuard = 8;           // vectors beside those wanted: the rest converge faster
constexpr double kOffShift = 1e-8;    // from 1, where J - I is singular
constexpr double kLeastPivot = 1e-14; // smallest pivot against the largest

Matrix orthonormal(const Matrix& columns) {
    return Eigen::HouseholderQR<Matrix>(columns).householderQ() *
           Matrix::Identity(columns.rows(), columns.cols());
}

Matrix first_vectors(Index size, Index count) {
    const Random random(0, "fixedpoints/slow_modes");
    Matrix v(size, count);
    for (Index i = 0; i < v.size(); ++i) v.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return orthonormal(v);
}

Eigen::PartialPivLU<Matrix> factor(const Matrix& jacobian, double shift) {
    Matrix a = jacobian;
    a.diagonal().array() -= shift;
    return Eigen::PartialPivLU<Matrix>(a);
}

Eigen::PartialPivLU<Matrix> factor_near_one(const Matrix& jacobian) {
    auto lu = factor(jacobian, 1);
    const Vector pivots = lu.matrixLU().diagonal().cwiseAbs();
    if (pivots.minCoeff() > kLeastPivot * pivots.maxCoeff()) return lu;
    return factor(jacobian, 1 + kOffShift);
}

// Ritz values nearest to 1 and their vectors from an orthonormal basis.
struct Ritz {
    ComplexVector values;
    ComplexMatrix vectors; // S x k, columns of unit norm
    Vector residual;
};

Ritz ritz(const Matrix& map, const Matrix& basis, Index count) {
    const Matrix image = map * basis;
    const EigenSystem small =
        eigen_system(basis.transpose() * image, basis.cols(), EigenvalueOrder::nearest_one);
    const Index kept = std::min(count, basis.cols());
    Ritz result;
    result.values = small.values.head(kept);
    const ComplexMatrix chosen = small.right.leftCols(kept);
    result.vectors = basis * chosen;
    result.residual =
        (image * chosen - result.vectors * result.values.asDiagonal()).colwise().norm().transpose();
    return result;
}

// Iterates v <- orth(solve(v)) until the Ritz vectors of `map` are exact.
template <class Solve>
Ritz iterate(const Matrix& map, Index count, const SlowModeOptions& options, Solve&& solve,
             Index& iterations, bool& converged) {
    const Index size = map.rows();
    Matrix v = first_vectors(size, std::min(size, count + kGuard));
    const double enough = options.tolerance * std::max(map.norm(), 1e-300);
    Ritz found;
    for (Index i = 1; i <= options.max_iterations; ++i) {
        v = orthonormal(solve(v));
        found = ritz(map, v, count);
        iterations = std::max(iterations, i);
        if (found.residual.maxCoeff() <= enough) return found;
    }
    converged = false;
    return found;
}

} // namespace

SlowModes slow_modes(const Matrix& jacobian, Index count, const SlowModeOptions& options) {
    const Index size = jacobian.rows();
    if (size == 0 || jacobian.cols() != size || !jacobian.allFinite())
        throw Error(concat("a Jacobian of ", size, " x ", jacobian.cols(),
                           " is not square, or not finite"));
    if (count < 1) throw Error(concat("slow modes ", count, ": must be >= 1"));
    const auto lu = factor_near_one(jacobian);
    const auto transposed = lu.transpose();
    SlowModes result;
    result.converged = true;
    const Ritz right = iterate(
        jacobian, count, options, [&](const Matrix& v) { return Matrix(lu.solve(v)); },
        result.iterations, result.converged);
    const Ritz left = iterate(
        jacobian.transpose(), right.values.size(), options,
        [&](const Matrix& v) { return Matrix(transposed.solve(v)); }, result.iterations,
        result.converged);
    const Index kept = std::min(right.values.size(), left.values.size());
    EigenSystem& system = result.system;
    system.values = right.values.head(kept);
    system.right = right.vectors.leftCols(kept);
    for (Index a = 0; a < kept; ++a) normalise_mode(system.right.col(a));
    // Both span what the same eigenvalues span: the left vectors that are dual to the right ones.
    const ComplexMatrix rows = left.vectors.leftCols(kept).transpose();
    system.left = (rows * system.right).partialPivLu().solve(rows);
    system.condition =
        system.left.rowwise().norm().cwiseProduct(system.right.colwise().norm().transpose());
    system.defective = !(system.condition.maxCoeff() <= kDefectiveCondition);
    result.residual = right.residual.head(kept);
    return result;
}

} // namespace assay::fixedpoints
