#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>
#include <assay/linalg/svd.hpp>

#include <catch2/catch.hpp>

#include <limits>

using namespace assay;

namespace {

Matrix normal_matrix(Index rows, Index cols, std::uint64_t seed) {
    const Random random(seed, "test/svd");
    Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return m;
}

linalg::LinearOperator products_with(const Matrix& a) {
    return {a.rows(), a.cols(), [&a](const Matrix& x) { return Matrix(a * x); },
            [&a](const Matrix& y) { return Matrix(a.transpose() * y); }};
}

} // namespace

TEST_CASE("thin decompositions of any shape", "[linalg]") {
    const auto [rows, cols] =
        GENERATE(table<Index, Index>({{7, 4}, {4, 7}, {5, 5}, {1, 6}, {40, 30}}));
    const Matrix a = normal_matrix(rows, cols, 1);
    const linalg::Svd svd = linalg::thin_svd(a);
    const Index k = std::min(rows, cols);
    CHECK((svd.u * svd.s.asDiagonal() * svd.v.transpose() - a).norm() < 1e-13 * a.norm());
    CHECK((svd.u.transpose() * svd.u - Matrix::Identity(k, k)).norm() < 1e-13);
    CHECK((svd.v.transpose() * svd.v - Matrix::Identity(k, k)).norm() < 1e-13);
    for (Index i = 1; i < k; ++i) CHECK(svd.s(i) <= svd.s(i - 1));
    Matrix bad = a;
    bad(0, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(linalg::thin_svd(bad), Error);
}

TEST_CASE("leading triplets, equal ones as often as they occur", "[linalg]") {
    const Matrix u = linalg::orthonormalised(normal_matrix(300, 200, 2));
    const Matrix v = linalg::orthonormalised(normal_matrix(200, 200, 3));
    Vector s(200);
    for (Index i = 0; i < 200; ++i) s(i) = i < 4 ? 5.0 : 4.0 / static_cast<double>(i);
    const Matrix a = u * s.asDiagonal() * v.transpose();
    for (const bool turned : {false, true}) {
        const Matrix b = turned ? Matrix(a.transpose()) : a;
        const linalg::Svd svd = linalg::leading_svd(products_with(b), 6, 7);
        REQUIRE(svd.s.size() == 6);
        CHECK((svd.s - s.head(6)).norm() < 1e-10);
        CHECK((b * svd.v - svd.u * svd.s.asDiagonal()).norm() < 1e-8);
        CHECK((b.transpose() * svd.u - svd.v * svd.s.asDiagonal()).norm() < 1e-8);
        CHECK((svd.v.transpose() * svd.v - Matrix::Identity(6, 6)).norm() < 1e-12);
    }
}

TEST_CASE("orthonormal columns keep their span and orientation", "[linalg]") {
    const Matrix a = normal_matrix(9, 4, 5), q = linalg::orthonormalised(a);
    CHECK((q.transpose() * q - Matrix::Identity(4, 4)).norm() < 1e-14);
    const Matrix r = q.transpose() * a;
    CHECK((q * r - a).norm() < 1e-13);
    for (Index i = 0; i < 4; ++i) CHECK(r(i, i) > 0);
}
