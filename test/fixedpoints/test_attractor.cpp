// Dimension, approach, axis and alignment against closed forms: planted clouds, linear maps, a relu
// line attractor, random unit vectors.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/attractor.hpp>
#include <assay/fixedpoints/starts.hpp>

#include "lines.hpp"

#include <Eigen/LU>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

// An orthogonal matrix.
Matrix rotation(Index size) {
    return Eigen::HouseholderQR<Matrix>(lines::normal("rotation", size, size)).householderQ();
}

// Six states whose variances along the columns of a rotation are 6, 3 and 1, all around `mean`.
RowMatrix cross(const Matrix& axes, const Vector& mean) {
    RowMatrix rows(6, axes.rows());
    const double sizes[] = {std::sqrt(18.0), 3.0, std::sqrt(3.0)};
    for (Index a = 0; a < 3; ++a) {
        rows.row(2 * a) = (mean + sizes[a] * axes.col(a)).transpose();
        rows.row(2 * a + 1) = (mean - sizes[a] * axes.col(a)).transpose();
    }
    return rows;
}

} // namespace

TEST_CASE("a planted cloud has its variances, directions and participation ratio",
          "[fixedpoints][attractor]") {
    const Matrix axes = rotation(7);
    const Vector mean = Vector::LinSpaced(7, -100, 200);
    const auto found = dimensionality(cross(axes, mean), {});
    CHECK(found.samples == 6);
    CHECK((found.mean - mean).norm() < 1e-11);
    CHECK_THAT(found.variances(0), WithinRel(6.0, 1e-12));
    CHECK_THAT(found.variances(1), WithinRel(3.0, 1e-12));
    CHECK_THAT(found.variances(2), WithinRel(1.0, 1e-12));
    CHECK(found.variances.tail(4).cwiseAbs().maxCoeff() < 1e-10);
    CHECK_THAT(found.ratios(0), WithinRel(0.6, 1e-12));
    CHECK_THAT(found.participation_ratio, WithinRel(100.0 / 46.0, 1e-12));
    for (Index a = 0; a < 3; ++a)
        CHECK_THAT(std::abs(found.axes.col(a).dot(axes.col(a))), WithinAbs(1.0, 1e-12));
    const auto still = dimensionality(RowMatrix::Ones(3, 2), {});
    CHECK(still.participation_ratio == 0);
    CHECK(still.ratios.isZero(0));
    RowMatrix broken = RowMatrix::Ones(3, 2);
    broken(1, 1) = std::numeric_limits<double>::infinity();
    CHECK_THROWS_AS(dimensionality(broken, {}), Error);
    CHECK_THROWS_AS(dimensionality(RowMatrix(0, 3), {}), Error);
}

TEST_CASE("only valid steps count for the dimension, whatever the number of threads",
          "[fixedpoints][attractor]") {
    const RowMatrix rows = cross(rotation(5), Vector::Ones(5));
    auto padded = lines::trajectories_of(Matrix::Constant(9, 5, 77), 3, 1);
    padded.lengths = {3, 1, 2};
    const Index valid[] = {0, 1, 2, 3, 6, 7};
    for (Index i = 0; i < 6; ++i) padded.states.row(valid[i]) = rows.row(i);
    CHECK(valid_states(padded) == rows);
    const auto found = dimensionality(padded, {});
    CHECK(found.samples == 6);
    CHECK_THAT(found.variances.sum(), WithinRel(10.0, 1e-12));
    const RowMatrix many = lines::normal("many", 20000, 4);
    CHECK(dimensionality(many, Execution{1}).axes == dimensionality(many, Execution{3}).axes);
}

TEST_CASE("speeds of approach are those of a linear map", "[fixedpoints][attractor]") {
    Matrix w = Matrix::Identity(2, 2);
    w(1, 1) = 0.5;
    const Dynamics dynamics(lines::linear(w, Matrix::Zero(2, 1)));
    const auto data = lines::trajectories_of((Matrix(1, 2) << 3.0, 4.0).finished(), 1, 1);
    ApproachOptions options;
    options.starts = 300;
    options.steps = 4;
    const auto approach = approach_speeds(dynamics, data, RowMatrix::Zero(1, 1), options, {});
    REQUIRE(approach.speed.rows() == 4);
    for (Index t = 0; t < 4; ++t) {
        const double y = 4 * std::pow(0.5, t);
        for (Index q = 0; q < approach.speed.cols(); ++q)
            CHECK_THAT(approach.speed(t, q), WithinRel(0.5 * y / std::hypot(3.0, y), 1e-14));
    }
    // Of states with speeds 0 and 1/2, drawn equally often, the quartiles are these two.
    const auto two = lines::trajectories_of(Matrix::Identity(2, 2), 1, 1);
    const auto mixed = approach_speeds(dynamics, two, RowMatrix::Zero(1, 1), options, {});
    CHECK(mixed.speed(0, 1) == 0);
    CHECK(mixed.speed(0, 3) == 0.5);
    CHECK(mixed.speed ==
          approach_speeds(dynamics, two, RowMatrix::Zero(1, 1), options, Execution{3}).speed);
    auto none = two;
    none.lengths = {0, 0};
    CHECK_THROWS_AS(approach_speeds(dynamics, none, RowMatrix::Zero(1, 1), options, {}), Error);
}

TEST_CASE("a constant input far from the mean input is named", "[fixedpoints][attractor]") {
    const RowMatrix inputs = (RowMatrix(4, 2) << 3, 4.4, -3, 4.4, 3, -3.6, -3, -3.6).finished();
    const auto zero = input_offset(inputs, Eigen::RowVector2d::Zero());
    CHECK_THAT(zero.mean_norm, WithinRel(0.4, 1e-12));
    CHECK_THAT(zero.token_norm, WithinRel((std::hypot(3, 4.4) + std::hypot(3, 3.6)) / 2, 1e-12));
    CHECK_THAT(zero.warning, Catch::Contains("lies 0.4 from the mean input, 7.99%"));
    CHECK(input_offset(inputs, zero.mean.transpose()).warning.empty());
    CHECK(input_offset(inputs, Eigen::RowVector2d(0, 0.2)).warning.empty());
    CHECK_THROWS_AS(input_offset(inputs, Eigen::RowVector3d::Zero()), Error);
}

TEST_CASE("the axis of a relu line is its right vector, turned to the readout",
          "[fixedpoints][attractor]") {
    const auto line = lines::relu_line(6, 3);
    const auto points = lines::points_on(line, Vector::LinSpaced(11, 0.5, 3.0));
    // Its points rest.
    const RowMatrix next = line.dynamics.step(points.input, points.state);
    CHECK((next - points.state).cwiseAbs().maxCoeff() < 1e-13);

    // States that vary along the first coordinates, by falling amounts.
    RowMatrix states = RowMatrix::Zero(12, 6);
    for (Index a = 0; a < 6; ++a) {
        states(2 * a, a) = 6.0 - static_cast<double>(a);
        states(2 * a + 1, a) = -states(2 * a, a);
    }
    const Vector readout = -Vector::Ones(6);
    const auto axis = attractor_axis(points.state, readout, dimensionality(states, {}), {});
    const Vector m = -line.r.normalized();
    CHECK((axis.direction - m).norm() < 1e-12);
    CHECK_THAT(axis.dot_readout, WithinRel(line.r.sum() / line.r.norm(), 1e-12));
    CHECK_THAT(axis.cosine, WithinRel(line.r.sum() / line.r.norm() / std::sqrt(6.0), 1e-12));
    CHECK_THAT(axis.variance, WithinRel(1.0, 1e-12));
    REQUIRE(axis.inside_states.size() == 3);
    for (Index k = 0; k < 3; ++k)
        CHECK_THAT(axis.inside_states(k), WithinRel(m.head(k + 1).squaredNorm(), 1e-12));

    CHECK(readout_direction(line.dynamics, points.state, 4) == Vector::Unit(6, 4));
    CHECK_THROWS_WITH(readout_direction(line.dynamics, points.state, 6),
                      "readout 6: the network has 6 outputs");
    CHECK_THROWS_AS(
        attractor_axis(points.state.topRows(1), readout, dimensionality(states, {}), {}), Error);
    CHECK_THROWS_AS(attractor_axis(RowMatrix::Ones(3, 6), readout, dimensionality(states, {}), {}),
                    Error);
}

TEST_CASE("the slowest mode of a relu line lies along it", "[fixedpoints][attractor]") {
    const auto line = lines::relu_line(8, 3);
    const auto points = lines::points_on(line, Vector::LinSpaced(7, 0.5, 3.0));
    const auto systems = lines::systems_of(line.dynamics, points);
    for (const auto& system : systems) CHECK_THAT(std::abs(system.values(0)), WithinAbs(1, 1e-12));
    const Vector axis = -line.r.normalized(), readout = Vector::LinSpaced(8, -2, 1);
    const auto modes = real_modes(systems, axis, 0);
    for (Index p = 0; p < 7; ++p) {
        CHECK(modes.pair[static_cast<std::size_t>(p)] == 0);
        CHECK((modes.right.row(p).transpose() - axis).norm() < 1e-11);
        CHECK((modes.left.row(p).transpose() + line.l * line.r.norm()).norm() < 1e-10);
    }
    const auto found = align(modes, axis, readout, 1000, 3);
    CHECK((found.axis - Vector::Ones(7)).cwiseAbs().maxCoeff() < 1e-11);
    CHECK((found.readout.array() - axis.dot(readout)).abs().maxCoeff() < 1e-10);
    CHECK_THAT(found.median, WithinAbs(1.0, 1e-11));
    CHECK_THAT(found.p_values.maxCoeff(), WithinRel(1.0 / 1001.0, 1e-12));
    CHECK_THROWS_AS(real_modes(systems, axis, 8), Error);
    CHECK_THROWS_WITH(align(modes, axis, readout, 0, 3), "--null 0: must be >= 1");
}

TEST_CASE("of a complex pair the real span counts", "[fixedpoints][attractor]") {
    // J = V diag(0.99 rotation, 0.6, 0.3, -0.2) V^-1.
    const Matrix v = lines::normal("pair", 5, 5), inverse = v.inverse();
    Matrix blocks = Matrix::Zero(5, 5);
    blocks.topLeftCorner(2, 2) << std::cos(0.2), -std::sin(0.2), std::sin(0.2), std::cos(0.2);
    blocks *= 0.99;
    blocks.diagonal().tail(3) << 0.6, 0.3, -0.2;
    const auto system = eigen_system(v * blocks * inverse, 5);
    const Vector axis = lines::normal("axis", 5, 1).normalized();
    const Matrix span = v.leftCols(2);
    const Vector nearest = span * (span.transpose() * span).inverse() * span.transpose() * axis;
    const Vector right = nearest.normalized();
    const Vector left = (right.transpose() * span * inverse.topRows(2))
                            .transpose(); // after the spectral projection
    for (const Index mode : {0, 1}) {
        const auto modes = real_modes({system}, axis, mode);
        CHECK(modes.pair[0] == 1);
        CHECK((modes.right.row(0).transpose() - right).norm() < 1e-10);
        CHECK((modes.left.row(0).transpose() - left).norm() < 1e-9);
        CHECK_THAT(modes.left.row(0).dot(modes.right.row(0)), WithinAbs(1.0, 1e-10));
        CHECK((modes.left.row(0) * v.rightCols(3)).norm() < 1e-9);
    }
}

TEST_CASE("the null of alignments is that of random unit vectors", "[fixedpoints][attractor]") {
    RealModes modes;
    modes.right = RowMatrix::Zero(2, 64);
    modes.right(0, 0) = 0.3;
    modes.right(1, 0) = 0.3;
    modes.left = modes.right;
    modes.pair = {0, 1};
    const auto found = align(modes, Vector::Unit(64, 0), Vector::Unit(64, 1), 10000, 0);
    // Quantiles of the square: beta(1/2, 63/2), scipy.stats.beta.ppf.
    CHECK_THAT(found.null_quantiles(0), WithinAbs(0.085160, 0.003));
    CHECK_THAT(found.null_quantiles(1), WithinAbs(0.244148, 0.006));
    CHECK_THAT(found.null_quantiles(2), WithinAbs(0.317345, 0.012));
    CHECK_THAT(std::sqrt(found.null.squaredNorm() / 10000.0), WithinAbs(0.125, 0.003));
    // Above 0.3 are 1.52% of vectors (scipy.stats.beta.sf), and (1 - 0.09)^31 of planes.
    CHECK_THAT(found.p_values(0), WithinAbs(0.01518, 0.004));
    CHECK_THAT(found.p_values(1), WithinAbs(std::pow(0.91, 31), 0.008));
    CHECK(align(modes, Vector::Unit(64, 0), Vector::Unit(64, 1), 100, 0).null ==
          align(modes, Vector::Unit(64, 0), Vector::Unit(64, 1), 100, 0).null);
    RealModes scalar;
    scalar.right = scalar.left = RowMatrix::Ones(1, 1);
    scalar.pair = {0};
    CHECK(align(scalar, Vector::Ones(1), Vector::Ones(1), 10, 0).null == Vector::Ones(10));
}
