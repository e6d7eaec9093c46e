#include <assay/fixedpoints/linearise.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/spectral_norm.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

namespace assay::fixedpoints {
namespace {

constexpr double kTie = 1e-12;          // magnitudes that count as equal
constexpr double kUnitCircle = 1e-15;   // |lambda| = 1
constexpr double kBeyondCircle = 1e-12; // rounding of an eigenvalue that is 1
constexpr double kHuge = 1e100;
constexpr double kVectorSlack = 1 + 1e-6; // rounding of eigenvectors of condition up to 1e8
constexpr int kDoublings = 6;             // of powers that may prove a point stable
constexpr int kSignSteps = 16;            // of Newton's method for the matrix sign
constexpr double kSignSettled = 1e-5;     // of its relative change, which squares in a step
constexpr double kNearCircle = 1e8;       // of the Cayley transform or its inverse

double sort_key(const Complex& value, EigenvalueOrder order) {
    switch (order) {
    case EigenvalueOrder::magnitude:
        return std::abs(value);
    case EigenvalueOrder::real:
        return value.real();
    case EigenvalueOrder::nearest_one:
        return -std::abs(value - 1.0);
    }
    return 0;
}

// Falling keys; among keys that are equal within rounding, falling real, then imaginary part.
std::vector<Index> sorted(const ComplexVector& values, EigenvalueOrder order) {
    std::vector<Index> rows(static_cast<std::size_t>(values.size()));
    std::iota(rows.begin(), rows.end(), Index{0});
    std::vector<double> keys;
    for (Index a = 0; a < values.size(); ++a) keys.push_back(sort_key(values(a), order));
    const auto key = [&](Index a) { return keys[static_cast<std::size_t>(a)]; };
    std::stable_sort(rows.begin(), rows.end(), [&](Index a, Index b) { return key(a) > key(b); });
    for (auto first = rows.begin(); first != rows.end();) {
        const double limit = key(*first) - kTie * std::max(1.0, std::abs(key(*first)));
        const auto last = std::find_if(first, rows.end(), [&](Index a) { return key(a) < limit; });
        std::stable_sort(first, last, [&](Index a, Index b) {
            if (values(a).real() != values(b).real()) return values(a).real() > values(b).real();
            return values(a).imag() > values(b).imag();
        });
        first = last;
    }
    return rows;
}

// Left vectors of nearly defective matrices: eigenvectors of J^T, matched by eigenvalue and scaled
// to l r = 1.
ComplexMatrix left_by_transpose(const Matrix& jacobian, const ComplexVector& values,
                                const ComplexMatrix& right) {
    const Eigen::EigenSolver<Matrix> solver(jacobian.transpose());
    const ComplexVector found = solver.eigenvalues();
    const ComplexMatrix vectors = solver.eigenvectors();
    std::vector<bool> taken(static_cast<std::size_t>(found.size()), false);
    ComplexMatrix left(right.cols(), right.rows());
    for (Index a = 0; a < right.cols(); ++a) {
        Index best = -1;
        for (Index b = 0; b < found.size(); ++b)
            if (!taken[static_cast<std::size_t>(b)] &&
                (best < 0 || std::abs(found(b) - values(a)) < std::abs(found(best) - values(a))))
                best = b;
        taken[static_cast<std::size_t>(best)] = true;
        const Complex overlap = (vectors.col(best).transpose() * right.col(a))(0);
        left.row(a) = vectors.col(best).transpose();
        if (std::abs(overlap) > 0) left.row(a) /= overlap;
    }
    return left;
}

// |J^k|_2 <= sum_a |l_a| |r_a| |lambda_a|^k, for k = 1 ... `steps`; infinite where modes are not
// known.
Vector power_bounds(const EigenSystem& system, Index size, Index steps) {
    if (system.defective || system.condition.size() < size)
        return Vector::Constant(steps, std::numeric_limits<double>::infinity());
    const Vector moduli = system.values.cwiseAbs();
    Vector terms = system.condition, bounds(steps);
    for (double& bound : bounds) {
        terms = terms.cwiseProduct(moduli);
        bound = terms.sum() * kVectorSlack;
    }
    return bounds;
}

// How many eigenvalues lie beyond the unit circle: those that the Cayley transform
// (J - I)^-1 (J + I) sends to the right half plane, by the trace of its matrix sign. Newton's
// method with scaled norms (Higham 2008, Functions of Matrices, 5.5). None where one lies so near
// the circle that it does not settle.
std::optional<Index> count_by_sign(const Matrix& jacobian) {
    const Index size = jacobian.rows();
    const Matrix one = Matrix::Identity(size, size);
    Matrix sign = (jacobian - one).partialPivLu().solve(jacobian + one);
    if (!(sign.norm() < kNearCircle)) return std::nullopt;
    for (int step = 0; step < kSignSteps; ++step) {
        const Matrix inverse = sign.partialPivLu().inverse();
        const double norm = sign.norm(), inverse_norm = inverse.norm();
        if (!(inverse_norm < kNearCircle)) return std::nullopt;
        const double scale = std::sqrt(inverse_norm / norm);
        const Matrix next = 0.5 * (scale * sign + inverse / scale);
        const double change = (next - sign).norm() / next.norm();
        sign = next;
        if (change > kSignSettled) continue;
        const double count = 0.5 * (static_cast<double>(size) + sign.trace());
        constexpr double kWhole = 1e-4;
        if (std::abs(count - std::round(count)) > kWhole) return std::nullopt;
        return static_cast<Index>(std::round(count));
    }
    return std::nullopt;
}

Matrix matrix_power(Matrix base, Index exponent) {
    Matrix power = Matrix::Identity(base.rows(), base.cols());
    for (;; base = Matrix(base * base)) {
        if (exponent % 2 == 1) power = Matrix(power * base);
        exponent /= 2;
        if (exponent == 0) return power;
    }
}

} // namespace

void normalise_mode(Eigen::Ref<Eigen::VectorXcd> v) {
    Index largest = 0;
    v.cwiseAbs().maxCoeff(&largest);
    const double size = std::abs(v(largest));
    if (!(size > 0)) return;
    v *= std::conj(v(largest)) / size;
    v /= v.norm();
    v(largest) = v(largest).real();
}

EigenSystem eigen_system(const Matrix& jacobian, Index modes, EigenvalueOrder order) {
    const Index size = jacobian.rows();
    if (jacobian.cols() != size || size == 0)
        throw Error(concat("a Jacobian of ", size, " x ", jacobian.cols(), " is not square"));
    const Eigen::EigenSolver<Matrix> solver(jacobian, modes > 0);
    if (solver.info() != Eigen::Success)
        throw Error("the eigenvalues of a Jacobian did not converge");
    const ComplexVector found = solver.eigenvalues();
    const auto rows = sorted(found, order);
    EigenSystem system;
    system.values.resize(size);
    for (Index a = 0; a < size; ++a) system.values(a) = found(rows[static_cast<std::size_t>(a)]);
    if (modes <= 0) return system;
    const ComplexMatrix vectors = solver.eigenvectors();
    ComplexMatrix right(size, size);
    for (Index a = 0; a < size; ++a) {
        right.col(a) = vectors.col(rows[static_cast<std::size_t>(a)]);
        normalise_mode(right.col(a));
    }
    const Index kept = std::min(modes, size);
    system.right = right.leftCols(kept);
    system.left = right.partialPivLu().inverse().topRows(kept);
    const auto condition = [&] {
        return Vector(
            system.left.rowwise().norm().cwiseProduct(system.right.colwise().norm().transpose()));
    };
    system.condition = condition();
    if (!(system.condition.maxCoeff() <= kDefectiveCondition)) {
        system.defective = true;
        system.left = left_by_transpose(jacobian, system.values, system.right);
        system.condition = condition();
    }
    return system;
}

Index fewest_modes(const std::vector<EigenSystem>& systems) {
    Index fewest = systems.empty() ? 0 : systems.front().right.cols();
    for (const EigenSystem& system : systems) fewest = std::min(fewest, system.right.cols());
    return fewest;
}

double time_constant(std::complex<double> eigenvalue) {
    const double size = std::abs(eigenvalue);
    if (size == 0) return 0;
    if (std::abs(size - 1) <= kUnitCircle) return std::numeric_limits<double>::infinity();
    return std::abs(1 / std::log(size));
}

double frequency(std::complex<double> eigenvalue, double dt) {
    return std::abs(std::arg(eigenvalue)) / (2 * std::acos(-1.0) * dt);
}

Stability classify(const ComplexVector& eigenvalues, double marginal) {
    const Eigen::ArrayXd size = eigenvalues.array().abs();
    if ((size < 1 - marginal).all()) return Stability::attractor;
    if ((size > 1 + marginal).all()) return Stability::repeller;
    return (size <= 1 + marginal).all() ? Stability::marginal : Stability::saddle;
}

Index count_unstable(const ComplexVector& eigenvalues) {
    return (eigenvalues.array().abs() > 1 + kBeyondCircle).count();
}

Index unstable_dimensions(const Matrix& jacobian) {
    Matrix power = jacobian;
    for (int doubling = 0; doubling < kDoublings; ++doubling) {
        power = Matrix(power * power);
        if (power.norm() < 1) return 0;
        // The trace is the sum of the eigenvalues.
        if (!(std::abs(power.trace()) < static_cast<double>(power.rows()))) break;
    }
    const auto count = count_by_sign(jacobian);
    return count ? *count : count_unstable(eigen_system(jacobian, 0).values);
}

double henrici(const Matrix& jacobian, const ComplexVector& eigenvalues) {
    const double whole = jacobian.squaredNorm();
    if (whole == 0) return 0;
    return std::sqrt(std::max(0.0, whole - eigenvalues.squaredNorm()) / whole);
}

double max_transient(const Matrix& jacobian, const EigenSystem& system, Index steps) {
    Vector bounds = power_bounds(system, jacobian.rows(), steps);
    Index likely = steps - 1;
    if (bounds.allFinite()) bounds.maxCoeff(&likely);
    const Matrix first = matrix_power(jacobian, likely + 1);
    double largest = first.norm() < kHuge ? linalg::spectral_norm(first) : 0;
    bounds(likely) = 0;
    // All others that may be larger, in order. |A|_2 <= |A|_F.
    Matrix power = jacobian;
    for (Index k = 0; k < steps && bounds.tail(steps - k).maxCoeff() > largest; ++k) {
        if (k > 0) power = Matrix(power * jacobian);
        const double size = power.norm();
        if (!(size < kHuge)) break;
        if (size > largest && bounds(k) > largest)
            largest = std::max(largest, linalg::spectral_norm(power));
        if (size <= 1) break; // |J^(k + j)| <= |J^k| |J^j|
    }
    return largest;
}

UnstableVectors unstable_vectors(const EigenSystem& system) {
    UnstableVectors result;
    result.columns.resize(system.right.rows(), 0);
    const auto append = [&](const Vector& column, double rate) {
        const Index count = result.rate.size();
        result.columns.conservativeResize(Eigen::NoChange, count + 1);
        result.columns.col(count) = column;
        result.rate.conservativeResize(count + 1);
        result.rate(count) = rate;
    };
    for (Index a = 0; a < system.right.cols(); ++a) {
        const Complex value = system.values(a);
        if (std::abs(value) <= 1 + kBeyondCircle || value.imag() < 0) continue;
        const double rate = std::log(std::abs(value));
        if (value.imag() > 0) result.pairs.push_back(result.rate.size());
        append(system.right.col(a).real(), rate);
        if (value.imag() > 0) append(system.right.col(a).imag(), rate);
    }
    return result;
}

Matrix unstable_basis(const EigenSystem& system) {
    const Matrix columns = unstable_vectors(system).columns;
    if (columns.cols() == 0) return columns;
    return Eigen::HouseholderQR<Matrix>(columns).householderQ() *
           Matrix::Identity(columns.rows(), columns.cols());
}

} // namespace assay::fixedpoints
