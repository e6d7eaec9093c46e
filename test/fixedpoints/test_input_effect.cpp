// Input projections and retained responses against closed forms of linear maps and a relu line, and
// against finite differences of a gated cell.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/input_effect.hpp>
#include <assay/fixedpoints/mode_response.hpp>

#include "lines.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

Matrix power(const Matrix& base, Index exponent) {
    Matrix result = Matrix::Identity(base.rows(), base.cols());
    for (Index k = 0; k < exponent; ++k) result = Matrix(result * base);
    return result;
}

} // namespace

TEST_CASE("input projections on a relu line are those of its left vector",
          "[fixedpoints][inputs]") {
    const auto line = lines::relu_line(8, 5);
    auto points = lines::points_on(line, Vector::LinSpaced(6, 2, 4));
    points.input.row(4) = 1e-3 * lines::normal("at", 1, 5);
    const Vector axis = line.r.normalized();
    const auto modes = real_modes(lines::systems_of(line.dynamics, points), axis, 0);
    const RowMatrix words = lines::normal("words", 1100, 5);
    const auto gains = input_gains(line.dynamics, points, modes.left, {});
    const auto found = input_projections(gains, words, points.input, {});
    REQUIRE(found.rows() == 6);
    REQUIRE(found.cols() == 1100);
    const Vector per_word = line.r.norm() * words * line.kernel.transpose() * line.l;
    const double at_rest =
        line.r.norm() * (points.input.row(4) * line.kernel.transpose()).dot(line.l);
    CHECK((found.row(0).transpose() - per_word).cwiseAbs().maxCoeff() < 1e-10);
    CHECK((found.row(4).transpose().array() - (per_word.array() - at_rest)).abs().maxCoeff() <
          1e-10);
    // What is left of a word long after it was heard moves the state along the line by that much.
    const RowMatrix word = 1e-3 * words.row(7);
    RowMatrix state = line.dynamics.step(word, points.state.row(2));
    state = advance(line.dynamics, RowMatrix::Zero(1, 5), state, 200);
    CHECK_THAT((state.row(0) - points.state.row(2)).dot(axis.transpose()),
               WithinRel(1e-3 * found(2, 7), 1e-8));
    CHECK(input_projections(gains, words, points.input, Execution{3}) == found);
    CHECK_THROWS_AS(input_projections(gains, words.leftCols(4), points.input, {}), Error);
    CHECK_THROWS_AS(input_gains(line.dynamics, points, modes.left.topRows(2), {}), Error);
}

TEST_CASE("gains of a gated cell are derivatives of its step", "[fixedpoints][inputs]") {
    const Dynamics dynamics(lines::cell(network::CellKind::ugrnn, network::Function::tanh,
                                        0.5 * lines::normal("gated", 8, 4),
                                        lines::normal("gates", 8, 3)));
    Points points;
    points.state = lines::normal("gated/h", 2, 4);
    points.input = lines::normal("gated/x", 2, 3);
    const RowMatrix left = lines::normal("gated/l", 2, 4);
    const auto gains = input_gains(dynamics, points, left, {});
    constexpr double kStep = 1e-6;
    for (Index p = 0; p < 2; ++p)
        for (Index j = 0; j < 3; ++j) {
            const Eigen::RowVectorXd d = kStep * Eigen::RowVectorXd::Unit(3, j);
            const RowMatrix up = dynamics.step(points.input.row(p) + d, points.state.row(p)),
                            down = dynamics.step(points.input.row(p) - d, points.state.row(p));
            CHECK_THAT(gains(p, j),
                       WithinAbs(left.row(p).dot((up - down).row(0)) / (2 * kStep), 1e-8));
        }
}

TEST_CASE("the plane of input effects holds their variance", "[fixedpoints][inputs]") {
    // K takes the inputs to coordinates 3, 0 and 1 with gains 1, 5 and 2.
    Matrix kernel = Matrix::Zero(4, 3);
    kernel(3, 0) = 1;
    kernel(0, 1) = 5;
    kernel(1, 2) = 2;
    const Dynamics dynamics(lines::linear(0.5 * Matrix::Identity(4, 4), kernel));
    Points points;
    points.state = RowMatrix::Zero(2, 4);
    points.input = RowMatrix::Zero(2, 3);
    points.input.row(1) << 0, 1, 3;
    RealModes modes;
    modes.right = (RowMatrix(2, 4) << 1, 0, 0, 0, 0.6, 0.8, 0, 0).finished();
    modes.left = 2 * modes.right;
    modes.pair = {0, 0};
    RowMatrix words(6, 3);
    words << RowMatrix::Identity(3, 3), -RowMatrix::Identity(3, 3);
    const auto plane = input_plane(dynamics, points, 1, words, modes, {});
    CHECK((plane.directions.col(0) - Vector::Unit(4, 0)).norm() < 1e-12);
    CHECK((plane.directions.col(1) - Vector::Unit(4, 1)).norm() < 1e-12);
    CHECK_THAT(plane.ratios(0), WithinRel(25.0 / 30.0, 1e-12));
    CHECK_THAT(plane.ratios(1), WithinRel(4.0 / 30.0, 1e-12));
    CHECK_THAT(plane.coordinates(1, 0), WithinAbs(0.0, 1e-12));  // 5 (1 - 1)
    CHECK_THAT(plane.coordinates(5, 1), WithinAbs(-8.0, 1e-12)); // 2 (-1 - 3)
    CHECK((plane.left - Eigen::RowVector2d(1.2, 1.6)).norm() < 1e-12);
    CHECK((plane.right - Eigen::RowVector2d(0.6, 0.8)).norm() < 1e-12);
    CHECK_THROWS_AS(input_plane(dynamics, points, 2, words, modes, {}), Error);
}

TEST_CASE("class means and correlations of projections", "[fixedpoints][inputs]") {
    RowMatrix projections(2, 6);
    projections << 3, 1, -2, -4, 0.5, -0.5, -3, -1, 2, 4, 9, 9;
    WordClasses classes;
    classes.positive = {0, 1};
    classes.negative = {2, 3};
    classes.neutral = {4, 5};
    const auto means = class_means(projections, classes);
    CHECK(means == (RowMatrix(2, 3) << 2, -3, 0, -2, 3, 9).finished());
    const auto bars = class_histogram(means, 4);
    CHECK(bars.edges == Vector::LinSpaced(5, -3, 9));
    CHECK(bars.counts == (Matrix(3, 4) << 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1).finished());
    const Vector values = (Vector(6) << 6, 2, -4, -8, 100, -100).finished();
    const auto found = projection_correlations(projections, values, {0, 1, 2, 3});
    CHECK_THAT(found(0), WithinAbs(1.0, 1e-12));
    CHECK_THAT(found(1), WithinAbs(-1.0, 1e-12));
    CHECK_THROWS_AS(projection_correlations(projections, values, {6}), Error);
    CHECK_THROWS_AS(projection_correlations(projections, values.head(5), {0}), Error);
    classes.neutral.clear();
    CHECK(std::isnan(class_means(projections, classes)(0, 2)));
    classes.neutral = {6};
    CHECK_THROWS_AS(class_means(projections, classes), Error);
}

TEST_CASE("with all modes the effect of an input is J^k K x", "[fixedpoints][response]") {
    const Matrix w = 0.4 * lines::normal("response", 6, 6), k = lines::normal("response/k", 6, 2);
    const Dynamics dynamics(lines::linear(w, k));
    const auto system = eigen_system(w, 6);
    REQUIRE(system.values.imag().cwiseAbs().maxCoeff() > 0); // there are pairs
    const RowMatrix probes = lines::normal("probes", 3, 2);
    const Index steps = GENERATE(0, 1, 7);
    const RowMatrix expected = probes * k.transpose() * power(w, steps).transpose();
    CHECK((end_effect(system, k, probes, steps, 6) - expected).cwiseAbs().maxCoeff() < 1e-12);

    Points points;
    points.state = lines::normal("points", 3, 6);
    points.input = RowMatrix::Zero(3, 2);
    const auto found =
        retained_response(dynamics, points, {system, system, system}, probes, 2, steps, {});
    REQUIRE(found.mean.rows() == 6);
    CHECK((found.mean.row(5) - expected.col(2).transpose()).cwiseAbs().maxCoeff() < 1e-12);
    CHECK(found.deviation.cwiseAbs().maxCoeff() < 1e-15);
    // With k modes, what these modes leave; both members of a pair enter together.
    for (Index a = 0; a < 6; ++a) {
        const Index whole = system.values(a).imag() > 0 ? a + 2 : a + 1;
        CHECK((found.mean.row(a) - end_effect(system, k, probes, steps, whole).col(2).transpose())
                  .cwiseAbs()
                  .maxCoeff() < 1e-12);
        if (system.values(a).imag() < 0) CHECK(found.mean.row(a) == found.mean.row(a - 1));
    }
    CHECK_THROWS_AS(end_effect(system, k, probes, steps, 7), Error);
    CHECK_THROWS_AS(end_effect(system, k, probes, -1, 6), Error);
    CHECK_THROWS_AS(end_effect(system, k, probes.leftCols(1), steps, 6), Error);
    CHECK_THROWS_AS(retained_response(dynamics, points, {system}, probes, 2, steps, {}), Error);
    CHECK_THROWS_AS(retained_response(dynamics, points, {system, system, system}, probes, 6, 0, {}),
                    Error);
}

TEST_CASE("a relu line retains what its first mode takes up", "[fixedpoints][response]") {
    const auto line = lines::relu_line(7, 2);
    const auto points = lines::points_on(line, Vector::LinSpaced(4, 1, 2));
    const auto systems = lines::systems_of(line.dynamics, points);
    const RowMatrix unit = RowMatrix::Identity(2, 2);
    const auto found = retained_response(line.dynamics, points, systems, unit, 3, 60, {});
    const Vector expected = line.r(3) * line.kernel.transpose() * line.l;
    CHECK((found.mean.row(0).transpose() - expected).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((found.mean.row(6).transpose() - expected).cwiseAbs().maxCoeff() < 1e-12);
    CHECK(retained_response(line.dynamics, points, systems, unit, 3, 60, Execution{3}).mean ==
          found.mean);
}
