// Modes followed along a line: planted curves that cross, and matching against all permutations.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/mode_tracking.hpp>

#include "lines.hpp"

#include <Eigen/LU>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("time constants are continuous curves through a crossing", "[fixedpoints][tracking]") {
    // Eigenvalues 0.9 - 0.3 s, 0.7, 0.2 + 0.25 s and a pair of modulus 0.1 in one fixed basis.
    const Matrix v = lines::normal("tracking", 5, 5), inverse = v.inverse();
    const Vector theta = (Vector(6) << 0.8, 0.0, 0.4, 1.0, 0.2, 0.6).finished();
    std::vector<EigenSystem> systems;
    for (const double s : theta) {
        Matrix blocks = Matrix::Zero(5, 5);
        blocks.diagonal().head(3) << 0.9 - 0.3 * s, 0.7, 0.2 + 0.25 * s;
        blocks.bottomRightCorner(2, 2) << 0.06, -0.08, 0.08, 0.06;
        systems.push_back(eigen_system(v * blocks * inverse, 5));
    }
    const auto found = track_modes(systems, theta, 3, {});
    CHECK(found.order == std::vector<Index>{1, 4, 2, 5, 0, 3});
    for (Index i = 0; i < 6; ++i) {
        const double s = found.theta(i);
        CHECK_THAT(s, WithinAbs(0.2 * static_cast<double>(i), 1e-15));
        CHECK_THAT(found.eigenvalues(i, 0).real(), WithinAbs(0.9 - 0.3 * s, 1e-11));
        CHECK_THAT(found.eigenvalues(i, 1).real(), WithinAbs(0.7, 1e-11));
        CHECK_THAT(found.eigenvalues(i, 2).real(), WithinAbs(0.2 + 0.25 * s, 1e-11));
        CHECK_THAT(found.eigenvalues(i, 3).imag(), WithinAbs(0.08, 1e-11));
        CHECK_THAT(found.time_constants(i, 1), WithinRel(-1 / std::log(0.7), 1e-10));
        CHECK_THAT(found.slowest(i, 0),
                   WithinRel(-1 / std::log(std::max(0.7, 0.9 - 0.3 * s)), 1e-10));
        if (i < 5) CHECK_THAT(found.overlaps(i, 0), WithinAbs(1.0, 1e-10));
    }
    REQUIRE(found.crossings.size() == 1);
    CHECK(found.crossings[0].first == 0);
    CHECK(found.crossings[0].second == 1);
    CHECK(found.crossings[0].step == 3);
    CHECK_THAT(found.crossings[0].theta, WithinAbs(2.0 / 3.0, 1e-10));
    CHECK(track_modes(systems, theta, 0, {}).crossings.empty());
    CHECK(track_modes(systems, theta, 3, Execution{3}).eigenvalues == found.eigenvalues);
}

TEST_CASE("a crossing on a point is found once", "[fixedpoints][tracking]") {
    const Vector theta = Vector::LinSpaced(5, -1, 1);
    std::vector<EigenSystem> systems;
    for (const double s : theta) {
        EigenSystem system;
        system.values = (ComplexVector(2) << 0.5 + 0.1 * s, 0.5 - 0.1 * s).finished();
        system.right = system.left = ComplexMatrix::Identity(2, 2);
        systems.push_back(system);
    }
    const auto found = track_modes(systems, theta, 2, {});
    REQUIRE(found.crossings.size() == 1);
    CHECK(found.crossings[0].step == 1);
    CHECK_THAT(found.crossings[0].theta, WithinAbs(0.0, 1e-12));
}

TEST_CASE("modes are matched as well as any permutation can", "[fixedpoints][tracking]") {
    const int seed = GENERATE(range(0, 20));
    constexpr Index kModes = 5;
    EigenSystem here, next;
    here.values = next.values = ComplexVector::Ones(kModes);
    next.right = ComplexMatrix::Identity(kModes, kModes);
    const Matrix overlap =
        lines::normal("matching" + std::to_string(seed), kModes, kModes).cwiseAbs();
    here.left = overlap.cast<std::complex<double>>();
    here.right = next.left = ComplexMatrix::Identity(kModes, kModes);
    const auto found = track_modes({here, next}, Vector::LinSpaced(2, 0, 1), 5, {});
    std::vector<Index> permutation(kModes);
    std::iota(permutation.begin(), permutation.end(), 0);
    double best = 0;
    do {
        double sum = 0;
        for (Index a = 0; a < kModes; ++a)
            sum += overlap(a, permutation[static_cast<std::size_t>(a)]);
        best = std::max(best, sum);
    } while (std::next_permutation(permutation.begin(), permutation.end()));
    CHECK_THAT(found.overlaps.sum(), WithinRel(best, 1e-12));
    auto used = found.modes[1];
    std::sort(used.begin(), used.end());
    CHECK(used == std::vector<Index>{0, 1, 2, 3, 4});
}

TEST_CASE("few points and odd shapes along a line", "[fixedpoints][tracking]") {
    CHECK(track_modes({}, Vector(), 3, {}).modes.empty());
    const auto system = eigen_system(Matrix::Identity(2, 2) * 0.5, 2);
    const auto one = track_modes({system}, Vector::Zero(1), 3, {});
    CHECK(one.time_constants.rows() == 1);
    CHECK(one.overlaps.rows() == 0);
    CHECK_THROWS_AS(track_modes({system}, Vector::Zero(2), 3, {}), Error);
    CHECK_THROWS_AS(track_modes({eigen_system(Matrix::Identity(2, 2), 0)}, Vector::Zero(1), 3, {}),
                    Error);
    auto broken = system;
    broken.left(0, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(track_modes({broken, system}, Vector::Zero(2), 3, {}), Error);
}
