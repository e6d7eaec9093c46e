// Coordinates along planted curves in many dimensions, and against scikit-learn.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/coordinate.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include "lines.hpp"

#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::WithinAbs;

namespace {

// Points of three dimensions in twelve, turned.
RowMatrix turned(const RowMatrix& flat) {
    const Matrix axes =
        Eigen::HouseholderQR<Matrix>(lines::normal("coordinate", 12, 12)).householderQ();
    return flat * axes.leftCols(flat.cols()).transpose();
}

Vector turned_axis(const Vector& flat) {
    return turned(flat.transpose()).row(0).transpose();
}

// Parameters in [0, 1], in an order that says nothing.
Vector shuffled_parameters(Index count) {
    const auto order = Random(0, "test/fixedpoints/shuffle").permutation(count);
    Vector values(count);
    for (Index i = 0; i < count; ++i)
        values(i) = static_cast<double>(order[static_cast<std::size_t>(i)]) /
                    static_cast<double>(count - 1);
    return values;
}

CoordinateOptions method(CoordinateMethod chosen, Index neighbors = 10) {
    CoordinateOptions options;
    options.method = chosen;
    options.neighbors = neighbors;
    return options;
}

} // namespace

TEST_CASE("all coordinates order the points of a helix", "[fixedpoints][coordinate]") {
    const auto chosen =
        GENERATE(CoordinateMethod::lle, CoordinateMethod::pca, CoordinateMethod::arc);
    const Vector s = shuffled_parameters(120);
    RowMatrix flat(s.size(), 3);
    flat << (3 * M_PI * s.array()).cos().matrix(), (3 * M_PI * s.array()).sin().matrix(), 8 * s;
    const RowMatrix points = turned(flat);
    const auto found =
        line_coordinate(points, turned_axis(Vector::Unit(3, 2)), -s, method(chosen), {});
    CHECK(found.method == chosen);
    CHECK(found.warning.empty());
    CHECK_THAT(rank_correlation(found.theta, s), WithinAbs(-1.0, 1e-12)); // falls with s
    CHECK_THAT(found.axis_rank_correlation, WithinAbs(1.0, 1e-12));
    CHECK(found.theta.maxCoeff() == 1);
    CHECK(found.theta.minCoeff() == -1);
    // Length and height grow evenly with s.
    if (chosen != CoordinateMethod::lle)
        CHECK((found.theta.array() - (1 - 2 * s.array())).abs().maxCoeff() < 1e-9);
    const auto again =
        line_coordinate(points, turned_axis(Vector::Unit(3, 2)), -s, method(chosen), Execution{3});
    CHECK(again.theta == found.theta);
}

TEST_CASE("a line that folds back on its axis is measured by its length",
          "[fixedpoints][coordinate]") {
    // Three quarters of a circle: its ends have the same height.
    const Vector s = shuffled_parameters(100);
    RowMatrix flat(s.size(), 2);
    flat << (1.5 * M_PI * s.array()).cos().matrix(), (1.5 * M_PI * s.array()).sin().matrix();
    const auto found = line_coordinate(turned(flat), turned_axis(Vector::Unit(2, 1)), s,
                                       method(CoordinateMethod::lle), {});
    CHECK(found.method == CoordinateMethod::arc);
    CHECK_THAT(found.warning, Catch::StartsWith("the embedding folds: |Spearman| with the axis"));
    CHECK(found.lle_rank_correlation < 0.95);
    CHECK((found.theta.array() - (2 * s.array() - 1)).abs().maxCoeff() < 1e-9);
}

TEST_CASE("neighbours that do not connect all points give way to length",
          "[fixedpoints][coordinate]") {
    Vector s(12);
    s << Vector::LinSpaced(6, 0, 1), Vector::LinSpaced(6, 20, 21);
    const RowMatrix points = turned(RowMatrix(s));
    const Vector axis = turned_axis(Vector::Ones(1));
    const auto apart = line_coordinate(points, axis, s, method(CoordinateMethod::lle, 4), {});
    CHECK(apart.method == CoordinateMethod::arc);
    CHECK_THAT(apart.warning, Catch::StartsWith("the 4 nearest neighbours do not connect"));
    CHECK(std::isnan(apart.lle_rank_correlation));
    CHECK((apart.theta.array() - (2 * s.array() / 21 - 1)).abs().maxCoeff() < 1e-12);
    CHECK(line_coordinate(points, axis, s, method(CoordinateMethod::lle, 6), {}).method ==
          CoordinateMethod::lle);
}

TEST_CASE("locally linear embedding equals scikit-learn's", "[fixedpoints][coordinate]") {
    Vector t(9), expected(9);
    t << 0, 0.5, 0.9, 1.6, 2.0, 2.7, 3.1, 4.0, 4.2;
    // LocallyLinearEmbedding(n_neighbors=3, n_components=1, reg=1e-3, eigen_solver='dense') of
    // (t, sin t, 0.3 t^2), scaled to [-1, 1].
    expected << -1, -0.806248043140359, -0.640435396228937, -0.344200465994889, -0.172638403752342,
        0.144756550093232, 0.351716875650171, 0.876806985847163, 1;
    RowMatrix points(9, 3);
    points << t, t.array().sin().matrix(), (0.3 * t.array().square()).matrix();
    const auto found =
        line_coordinate(points, Vector::Unit(3, 0), t, method(CoordinateMethod::lle, 3), {});
    CHECK(found.method == CoordinateMethod::lle);
    CHECK((found.theta - expected).cwiseAbs().maxCoeff() < 1e-8);
}

TEST_CASE("points beside the path take the length at their foot", "[fixedpoints][coordinate]") {
    RowMatrix points(8, 2);
    points << 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 1.1, 0.5, 2.9, -0.5, 4, 0;
    const auto found = line_coordinate(points, Vector::Unit(2, 0), points.col(0),
                                       method(CoordinateMethod::arc), {});
    const Vector expected = points.col(0).array() / 2 - 1;
    CHECK((found.theta - expected).cwiseAbs().maxCoeff() < 1e-14);
    CHECK(points_at(found.theta, (Vector(3) << -2.0 / 3, 0, 2.0 / 3).finished()) ==
          std::vector<Index>{1, 2, 3});
}

TEST_CASE("few and equal points have coordinates too", "[fixedpoints][coordinate]") {
    const auto chosen =
        GENERATE(CoordinateMethod::lle, CoordinateMethod::pca, CoordinateMethod::arc);
    const Index count = GENERATE(0, 1, 2, 5);
    const Vector axis = Vector::Ones(2);
    const RowMatrix equal = RowMatrix::Ones(count, 2);
    CHECK(line_coordinate(equal, axis, Vector::Ones(count), method(chosen), {}).theta ==
          Vector::Zero(count));
    if (count != 2) return;
    RowMatrix two(2, 2);
    two << 1, 1, 0, 0;
    CHECK(line_coordinate(two, axis, Vector::LinSpaced(2, 0, 1), method(chosen), {}).theta ==
          Vector::LinSpaced(2, -1, 1));
    CHECK_THROWS_AS(line_coordinate(two, Vector::Ones(3), Vector::Ones(2), method(chosen), {}),
                    Error);
    CHECK_THROWS_AS(line_coordinate(two, axis, Vector::Ones(2), method(chosen, 0), {}), Error);
}

TEST_CASE("quantiles, ranks and histograms", "[fixedpoints][statistics]") {
    const Vector levels = (Vector(4) << 0, 0.3, 0.5, 1).finished();
    const Vector values = (Vector(4) << 4, 1, 3, 2).finished();
    // numpy.quantile([4, 1, 3, 2], [0, 0.3, 0.5, 1])
    CHECK((quantiles(values, levels) - (Vector(4) << 1, 1.9, 2.5, 4).finished()).norm() < 1e-14);
    const double inf = std::numeric_limits<double>::infinity();
    const Vector wild = (Vector(4) << inf, 1, inf, std::nan("")).finished();
    const Vector of_wild = quantiles(wild, levels);
    CHECK(of_wild(0) == 1);
    CHECK(of_wild(2) == inf);
    CHECK(std::isnan(of_wild(3)));
    CHECK(std::isnan(quantiles(Vector(), levels)(0)));
    CHECK_THROWS_AS(quantiles(values, Vector::Constant(1, 1.1)), Error);
    // scipy.stats.spearmanr([1, 2, 2, 4, 0], [5, 1, 7, 7, 2]).statistic
    CHECK_THAT(rank_correlation((Vector(5) << 1, 2, 2, 4, 0).finished(),
                                (Vector(5) << 5, 1, 7, 7, 2).finished()),
               WithinAbs(0.5, 1e-12));
    const auto bars = histogram({(Vector(4) << 0, 1, 2, 4).finished(), wild}, 4);
    CHECK(bars.edges == Vector::LinSpaced(5, 0, 4));
    CHECK(bars.counts == (Matrix(2, 4) << 1, 1, 1, 1, 0, 1, 0, 0).finished());
    CHECK_THROWS_AS(histogram({values}, 0), Error);
}
