#include <assay/linalg/spectral_norm.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::linalg {
namespace {

constexpr Index kBlock = 4; // vectors of a block, so that as many large eigenvalues may be close
constexpr Index kMostKrylovBlocks = 40;

// Whether all eigenvalues of a tridiagonal matrix lie below x: all pivots of T - x I are negative.
bool all_below(const Vector& diagonal, const Vector& squared_below, double x) {
    double pivot = diagonal(0) - x;
    for (Index i = 1; i < diagonal.size() && pivot < 0; ++i)
        pivot = diagonal(i) - x - squared_below(i - 1) / pivot;
    return pivot < 0;
}

// Gershgorin's bound of the spectrum of a tridiagonal matrix, from above.
double gershgorin(const Vector& diagonal, const Vector& below) {
    Vector ends = diagonal;
    ends.head(below.size()) += below.cwiseAbs();
    ends.tail(below.size()) += below.cwiseAbs();
    return ends.maxCoeff();
}

// Orthonormal columns in the directions of `block` outside a space; no more than there is room for.
// Twice, so that rounding leaves no part of the space in them.
Matrix new_directions(const Matrix& space, const Matrix& block) {
    const Index fresh = std::min(block.cols(), space.rows() - space.cols());
    Matrix next = block.leftCols(fresh);
    for (int pass = 0; pass < 2; ++pass)
        next = orthonormalised(next - space * (space.transpose() * next));
    return next;
}

} // namespace

double largest_eigenvalue(const Matrix& symmetric) {
    if (symmetric.size() == 0) return 0;
    if (!symmetric.allFinite()) return std::numeric_limits<double>::infinity();
    const double scale = symmetric.cwiseAbs().maxCoeff();
    if (scale == 0) return 0;
    const Eigen::Tridiagonalization<Matrix> tridiagonal(symmetric / scale);
    const Vector diagonal = tridiagonal.diagonal(), below = tridiagonal.subDiagonal(),
                 squared = below.cwiseAbs2();
    double low = diagonal.maxCoeff(), high = gershgorin(diagonal, below);
    // Until there is no number between them.
    for (double middle = 0.5 * (low + high); low < middle && middle < high;
         middle = 0.5 * (low + high))
        (all_below(diagonal, squared, middle) ? high : low) = middle;
    return scale * high;
}

Eigenvalue largest_eigenvalue(Index n, const std::function<Matrix(const Matrix&)>& product,
                              double tolerance) {
    Matrix space(n, 0), image(n, 0),
        next = random_orthonormal({0, "linalg/spectral_norm/start"}, n, std::min(n, kBlock));
    for (Index products = 1;; ++products) {
        const Index known = space.cols(), count = known + next.cols();
        space.conservativeResize(n, count);
        image.conservativeResize(n, count);
        space.rightCols(next.cols()) = next;
        image.rightCols(next.cols()) = product(next);
        if (!image.rightCols(next.cols()).allFinite())
            throw Error("largest eigenvalue: the matrix has non-finite entries");
        const Eigen::SelfAdjointEigenSolver<Matrix> small(space.transpose() * image);
        const double value = small.eigenvalues()(count - 1);
        const Index best = std::min(count, kBlock);
        const Matrix weights = small.eigenvectors().rightCols(best);
        const Matrix residual =
            image * weights - space * weights * small.eigenvalues().tail(best).asDiagonal();
        const double size = residual.col(best - 1).norm();
        if (size <= tolerance * value || products == kMostKrylovBlocks || count == n)
            return {value, size};
        next = new_directions(space, residual.rowwise().reverse());
    }
}

double spectral_norm(const Matrix& a) {
    if (a.size() == 0) return 0;
    if (!a.allFinite()) return std::numeric_limits<double>::infinity();
    const double scale = a.cwiseAbs().maxCoeff();
    if (scale == 0) return 0;
    const Matrix scaled = a / scale;
    const Matrix gram = a.rows() < a.cols() ? Matrix(scaled * scaled.transpose())
                                            : Matrix(scaled.transpose() * scaled);
    return scale * std::sqrt(largest_eigenvalue(gram));
}

} // namespace assay::linalg
