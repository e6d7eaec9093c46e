#include <assay/linalg/spectral_norm.hpp>

#include <Eigen/Eigenvalues>

#include <cmath>
#include <limits>

namespace assay::linalg {
namespace {

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
