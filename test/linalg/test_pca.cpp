#include <assay/core/error.hpp>
#include <assay/linalg/pca.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;

namespace {

// x_tn = (1 + 0.3 n) sin(0.7 (n + 1) t + n^2) + 0.2 n
RowMatrix waves() {
    RowMatrix x(60, 5);
    for (Index t = 0; t < x.rows(); ++t)
        for (Index n = 0; n < x.cols(); ++n) {
            const auto a = static_cast<double>(t), b = static_cast<double>(n);
            x(t, n) = (1 + 0.3 * b) * std::sin(0.7 * (b + 1) * a + b * b) + 0.2 * b;
        }
    return x;
}

} // namespace

TEST_CASE("principal variances equal those of numpy's covariance", "[linalg][pca]") {
    const linalg::Pca pca = linalg::principal_components(waves(), 5);
    // numpy.linalg.eigvalsh(numpy.cov(x.T))
    const double expected[] = {4.19932094559623, 1.29252410367502, 0.870859656516262,
                               0.493867746099361, 0.201117315604184};
    for (Index k = 0; k < 5; ++k) CHECK(std::abs(pca.variance(k) - expected[k]) < 1e-12);
    CHECK(std::abs(pca.participation_ratio - 2.4479951278125) < 1e-10);
    CHECK(std::abs(pca.variance_ratio.sum() - 1) < 1e-14);
    CHECK((pca.components.transpose() * pca.components - Matrix::Identity(5, 5)).norm() < 1e-13);
}

TEST_CASE("scores are uncorrelated, centred and give back the data", "[linalg][pca]") {
    std::srand(11);
    const bool wide = GENERATE(false, true);
    const RowMatrix x = (wide ? RowMatrix::Random(12, 40) : RowMatrix::Random(3000, 7)).array() + 2;
    const Index all = std::min(x.rows(), x.cols());
    const linalg::Pca pca = linalg::principal_components(x, 100);
    REQUIRE(pca.components.cols() == all);
    const RowMatrix scores = pca.project(x);
    CHECK(scores.colwise().mean().norm() < 1e-12);
    const Matrix covariance = scores.transpose() * scores / static_cast<double>(x.rows() - 1);
    CHECK((covariance - Matrix(pca.variance.asDiagonal())).norm() < 1e-12);
    const RowMatrix back = (scores * pca.components.transpose()).rowwise() + pca.mean.transpose();
    CHECK((back - x).norm() < 1e-12 * x.norm());
    for (Index k = 0; k < all; ++k)
        CHECK(pca.components.col(k).maxCoeff() == pca.components.col(k).cwiseAbs().maxCoeff());
    // The centred wide data have one dimension less; the direction is still a unit vector.
    CHECK((pca.components.transpose() * pca.components - Matrix::Identity(all, all)).norm() <
          1e-12);
}

TEST_CASE("data without variance, and data that are refused", "[linalg][pca]") {
    const linalg::Pca pca = linalg::principal_components(RowMatrix::Constant(4, 3, 1.5), 2);
    CHECK(pca.total_variance == 0);
    CHECK(pca.variance_ratio.norm() == 0);
    CHECK(pca.participation_ratio == 0);
    CHECK(pca.project(RowMatrix::Constant(1, 3, 1.5)).norm() == 0);
    RowMatrix bad = waves();
    CHECK_THROWS_AS(pca.project(bad), Error);
    bad(3, 2) = std::nan("");
    CHECK_THROWS_AS(linalg::principal_components(bad, 2), Error);
    CHECK_THROWS_AS(linalg::principal_components(RowMatrix(0, 3), 2), Error);
    CHECK_THROWS_AS(linalg::principal_components(waves(), 0), Error);
}
