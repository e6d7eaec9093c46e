#include <assay/fixedpoints/launch.hpp>

#include <assay/core/random.hpp>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr double kTurn = 6.28318530717958647693;
constexpr Index kPhases = 8;

} // namespace

RowMatrix Launch::states(const Matrix& directions) const {
    RowMatrix result = (columns * directions).transpose();
    result.rowwise() += centre.row(0);
    return result;
}

Vector Launch::direction(const RowMatrix& state) const {
    const Vector offset = (state - centre).transpose();
    return Eigen::HouseholderQR<Matrix>(columns).solve(offset).normalized();
}

Launch launch_from_sphere(const RowMatrix& centre, const EigenSystem& system, double epsilon) {
    return {centre, epsilon * unstable_basis(system), {}};
}

Launch launch_from_ellipsoid(const RowMatrix& centre, const EigenSystem& system, double epsilon,
                             double scale, double largest_share) {
    UnstableVectors modes = unstable_vectors(system);
    if (modes.rate.size() > 0) {
        const double fastest = modes.rate.maxCoeff();
        for (Index k = 0; k < modes.rate.size(); ++k) {
            const double length = scale * std::pow(epsilon / scale, modes.rate(k) / fastest);
            modes.columns.col(k) *= std::max(epsilon, std::min(length, largest_share * scale));
        }
    }
    return {centre, std::move(modes.columns), std::move(modes.pairs)};
}

Matrix circle_directions(Index count) {
    Matrix u(2, count);
    for (Index i = 0; i < count; ++i) {
        const double angle = kTurn * static_cast<double>(i) / static_cast<double>(count);
        u.col(i) << std::cos(angle), std::sin(angle);
    }
    return u;
}

Matrix random_directions(Index dimensions, Index count, std::uint64_t seed, Index point) {
    const Random random(seed, "fixedpoints/topology/direction");
    Matrix u(dimensions, count);
    for (Index i = 0; i < count; ++i) {
        for (Index k = 0; k < dimensions; ++k)
            u(k, i) =
                random.normal(static_cast<std::uint64_t>(k), {static_cast<std::uint64_t>(point),
                                                              static_cast<std::uint64_t>(i), 0});
        u.col(i).normalize();
    }
    return u;
}

Matrix axis_directions(const Launch& launch) {
    const Index n = launch.dimensions();
    Matrix u = Matrix::Zero(n, 2 * n + kPhases * static_cast<Index>(launch.pairs.size()));
    for (Index k = 0; k < n; ++k) {
        u(k, 2 * k) = 1;
        u(k, 2 * k + 1) = -1;
    }
    Index column = 2 * n;
    for (const Index first : launch.pairs) {
        u.block(first, column, 2, kPhases) = circle_directions(kPhases);
        column += kPhases;
    }
    return u;
}

} // namespace assay::fixedpoints
