#include <assay/core/error.hpp>
#include <assay/fixedpoints/scaling.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

namespace {

Matrix distances_of(const RowMatrix& points) {
    Matrix distances(points.rows(), points.rows());
    for (Index i = 0; i < points.rows(); ++i)
        distances.col(i) = (points.rowwise() - points.row(i)).rowwise().norm();
    return distances;
}

// |i - j|^(1/2), and 0.3 more where i + j is a multiple of 3: not Euclidean.
Matrix crooked() {
    Matrix distances(8, 8);
    for (Index i = 0; i < 8; ++i)
        for (Index j = 0; j < 8; ++j)
            distances(i, j) = i == j ? 0
                                     : std::sqrt(std::abs(static_cast<double>(i - j))) +
                                           ((i + j) % 3 == 0 ? 0.3 : 0.0);
    return distances;
}

} // namespace

TEST_CASE("classical scaling gives back Euclidean distances", "[fixedpoints][scaling]") {
    std::srand(1);
    const RowMatrix points = 2 * RowMatrix::Random(15, 3);
    const Matrix distances = distances_of(points);
    const ClassicalScaling scaling = classical_scaling(distances, 3);
    CHECK((distances_of(scaling.coordinates) - distances).cwiseAbs().maxCoeff() < 1e-12);
    CHECK(scaling.coordinates.colwise().sum().norm() < 1e-12);
    // Eigenvalues: those of the scatter of the points, the rest 0.
    CHECK(scaling.eigenvalues.size() == 15);
    CHECK(scaling.eigenvalues.tail(12).cwiseAbs().maxCoeff() < 1e-12);
    CHECK(std::abs(scaling.eigenvalues.sum() -
                   (points.rowwise() - points.colwise().mean()).squaredNorm()) < 1e-11);
    CHECK(scaling.negative_share < 1e-13);
    // Points of fewer dimensions than asked for.
    CHECK(classical_scaling(distances_of(RowMatrix::Random(2, 2)), 4).coordinates.cols() == 4);
}

TEST_CASE("negative eigenvalues are reported", "[fixedpoints][scaling]") {
    // numpy.linalg.eigvalsh of -1/2 J D^2 J.
    const double expected[] = {7.04174505,  2.23095632,  1.41362038, 1.05627126,
                               0.694105152, 0.128877473, 0,          -0.840969148};
    const ClassicalScaling scaling = classical_scaling(crooked(), 2);
    for (Index k = 0; k < 8; ++k) CHECK(std::abs(scaling.eigenvalues(k) - expected[k]) < 1e-8);
    CHECK(std::abs(scaling.negative_share - 0.840969148 / 13.406544782) < 1e-8);
}

TEST_CASE("smacof recovers planar configurations", "[fixedpoints][scaling]") {
    std::srand(2);
    RowMatrix points(12, 2);
    for (Index i = 0; i < 12; ++i)
        points.row(i) << static_cast<double>(i % 4), static_cast<double>(i / 4); // a grid
    const Matrix distances = distances_of(points);
    const Scaling best = smacof(distances, 2, {}, {});
    CHECK(best.stress < 1e-12);
    CHECK(best.normalised_stress < 1e-6);
    CHECK(best.best_start == 0);
    CHECK((distances_of(best.coordinates) - distances).cwiseAbs().maxCoeff() < 1e-6);
    // Without the classical start: from near by, and from afar.
    SmacofOptions options;
    options.iterations = 5000;
    const RowMatrix start = points + 0.3 * RowMatrix::Random(12, 2);
    const Scaling near = smacof_from(distances, start, options);
    CHECK(near.stress < 1e-12);
    CHECK((distances_of(near.coordinates) - distances).cwiseAbs().maxCoeff() < 1e-5);
    CHECK(best.stress_of_starts.size() == 8);
}

TEST_CASE("smacof reaches the stress of 50 starts of scikit-learn", "[fixedpoints][scaling]") {
    SmacofOptions options;
    options.starts = 20;
    options.iterations = 5000;
    const Scaling scaling = smacof(crooked(), 2, options, {});
    // sklearn.manifold.smacof(n_init=50, max_iter=5000, eps=1e-12)
    CHECK(std::abs(scaling.stress - 1.7197173902101035) < 1e-6);
    double stress = 0, squares = 0;
    const Matrix fitted = distances_of(scaling.coordinates), wanted = crooked();
    for (Index j = 0; j < 8; ++j)
        for (Index i = 0; i < j; ++i) {
            stress += std::pow(fitted(i, j) - wanted(i, j), 2);
            squares += wanted(i, j) * wanted(i, j);
        }
    CHECK(std::abs(scaling.stress - stress) < 1e-12);
    CHECK(std::abs(scaling.normalised_stress - std::sqrt(stress / squares)) < 1e-12);
    CHECK(scaling.stress == scaling.stress_of_starts.minCoeff());
}

TEST_CASE("a Guttman transform never raises the stress", "[fixedpoints][scaling]") {
    std::srand(3);
    const RowMatrix start = RowMatrix::Random(8, 2);
    double before = INFINITY;
    for (Index steps = 0; steps < 30; ++steps) {
        SmacofOptions options;
        options.iterations = steps;
        const double stress = smacof_from(crooked(), start, options).stress;
        CHECK(stress <= before + 1e-12);
        before = stress;
    }
    // Two coinciding points come apart or stay, but nothing breaks.
    CHECK(std::isfinite(smacof_from(crooked(), RowMatrix::Zero(8, 2), {}).stress));
}

TEST_CASE("scaling does not depend on threads", "[fixedpoints][scaling]") {
    Execution two;
    two.threads = 2;
    const Scaling one = smacof(crooked(), 2, {}, {}), other = smacof(crooked(), 2, {}, two);
    CHECK(one.coordinates == other.coordinates);
    const std::vector<std::string> labels{"a", "a", "a", "b", "b", "b", "c", "c"};
    CHECK(group_statistics(crooked(), labels, {}, {}).p_silhouette ==
          group_statistics(crooked(), labels, {}, two).p_silhouette);
}

TEST_CASE("bad distance matrices are refused", "[fixedpoints][scaling]") {
    Matrix bad = crooked();
    bad(2, 5) = std::nan("");
    CHECK_THROWS_WITH(classical_scaling(bad, 2), Contains("[2,5]") && Contains("merge all shards"));
    bad(2, 5) = 9;
    CHECK_THROWS_WITH(smacof(bad, 2, {}, {}), Contains("must be symmetric"));
    bad(2, 5) = bad(5, 2) = -1;
    CHECK_THROWS_AS(classical_scaling(bad, 2), Error);
    bad = crooked();
    bad(3, 3) = 1;
    CHECK_THROWS_AS(classical_scaling(bad, 2), Error);
    CHECK_THROWS_AS(classical_scaling(Matrix::Zero(2, 3), 2), Error);
    CHECK_THROWS_AS(classical_scaling(crooked(), 0), Error);
    CHECK_THROWS_AS(smacof_from(crooked(), RowMatrix::Zero(7, 2), {}), Error);
    CHECK_THROWS_AS(group_statistics(crooked(), {"a", "b"}, {}, {}), Error);
}

TEST_CASE("group statistics by hand", "[fixedpoints][groups]") {
    // Points 0, 1 | 4, 6 on a line.
    RowMatrix points(4, 1);
    points << 0, 1, 4, 6;
    const auto statistics = group_statistics(distances_of(points), {"y", "y", "x", "x"}, {}, {});
    CHECK(statistics.groups == std::vector<std::string>{"x", "y"});
    CHECK(statistics.sizes == std::vector<Index>{2, 2});
    CHECK(std::abs(statistics.within - 1.5) < 1e-12);  // 1 and 2
    CHECK(std::abs(statistics.between - 4.5) < 1e-12); // 4 6 3 5
    CHECK(std::abs(statistics.mean_distance(0, 0) - 2) < 1e-12);
    CHECK(std::abs(statistics.mean_distance(1, 1) - 1) < 1e-12);
    CHECK(std::abs(statistics.mean_distance(0, 1) - 4.5) < 1e-12);
    CHECK(std::abs(statistics.mean_distance(1, 0) - 4.5) < 1e-12);
    // (5 - 1)/5, (4 - 1)/4, (3.5 - 2)/3.5, (5.5 - 2)/5.5
    CHECK(std::abs(statistics.silhouette - (0.8 + 0.75 + 1.5 / 3.5 + 3.5 / 5.5) / 4) < 1e-12);
    // 3 ways to halve four networks, one of them the observed: p about 1/3.
    CHECK(std::abs(statistics.p_separation - 1.0 / 3) < 0.06);
    CHECK(std::abs(statistics.p_silhouette - 1.0 / 3) < 0.06);
}

TEST_CASE("silhouette equals that of scikit-learn", "[fixedpoints][groups]") {
    // sklearn.metrics.silhouette_score(metric="precomputed")
    const std::vector<std::string> labels{"a", "a", "a", "b", "b", "b", "c", "c"};
    CHECK(std::abs(group_statistics(crooked(), labels, {}, {}).silhouette - 0.2627600671606528) <
          1e-12);
}

TEST_CASE("permutation p of real and of absent groups", "[fixedpoints][groups]") {
    std::srand(4);
    RowMatrix points = 0.3 * RowMatrix::Random(24, 2);
    std::vector<std::string> labels;
    for (Index i = 0; i < 24; ++i) {
        labels.push_back(i % 2 ? "gru" : "lstm");
        points(i, 0) += static_cast<double>(i % 2);
    }
    const Matrix distances = distances_of(points);
    const auto apart = group_statistics(distances, labels, {}, {});
    CHECK(apart.p_separation == Approx(1.0 / 1001).epsilon(1e-12));
    CHECK(apart.p_silhouette == Approx(1.0 / 1001).epsilon(1e-12));
    // Labels that have nothing to do with the distances: p is not small in most cases.
    int small = 0;
    for (int trial = 0; trial < 40; ++trial) {
        const auto random =
            group_statistics(distances_of(RowMatrix::Random(20, 2)),
                             std::vector<std::string>(labels.begin(), labels.begin() + 20),
                             {99, static_cast<std::uint64_t>(trial)}, {});
        small += random.p_separation <= 0.1;
    }
    CHECK(small < 12); // expected 4
}

TEST_CASE("one group, and networks alone in theirs", "[fixedpoints][groups]") {
    const auto one = group_statistics(crooked(), std::vector<std::string>(8, "gru"), {}, {});
    CHECK(std::isnan(one.between));
    CHECK(std::isnan(one.silhouette));
    CHECK(std::isnan(one.p_separation));
    CHECK(one.within == Approx(crooked().sum() / 56).epsilon(1e-12));
    const auto alone =
        group_statistics(crooked(), {"1", "2", "3", "4", "5", "6", "7", "8"}, {}, {});
    CHECK(std::isnan(alone.within));
    CHECK(alone.silhouette == 0);
    CHECK(std::isnan(alone.mean_distance(0, 0)));
}
