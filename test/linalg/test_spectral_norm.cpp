#include <assay/linalg/spectral_norm.hpp>

#include <catch2/catch.hpp>

#include <Eigen/QR>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace assay;

TEST_CASE("the spectral norm is the largest singular value, never less", "[linalg][norm]") {
    const Matrix wide = Matrix::Random(7, 40), square = Matrix::Random(30, 30);
    for (const Matrix& a : {wide, Matrix(wide.transpose()), square, Matrix(1e-150 * square),
                            Matrix(1e120 * square)}) {
        const double svd = Eigen::JacobiSVD<Matrix>(a).singularValues()(0);
        CHECK(linalg::spectral_norm(a) / svd == Approx(1).epsilon(1e-14));
    }
    // Of x x^T + 1 the largest is |x|^2 + 1, of its negative -1.
    const Vector x = Vector::LinSpaced(20, -1, 2);
    const Matrix m = x * x.transpose() + Matrix::Identity(20, 20);
    CHECK(linalg::largest_eigenvalue(m) == Approx(x.squaredNorm() + 1).epsilon(1e-14));
    CHECK(linalg::largest_eigenvalue(-m) == Approx(-1).epsilon(1e-13));
}

TEST_CASE("spectral norms of special matrices", "[linalg][norm]") {
    CHECK(linalg::spectral_norm(Matrix(0, 0)) == 0);
    CHECK(linalg::spectral_norm(Matrix(0, 3)) == 0);
    CHECK(linalg::spectral_norm(Matrix::Zero(3, 3)) == 0);
    CHECK(linalg::spectral_norm(Matrix::Constant(1, 1, -2)) == 2);
    const Vector diagonal = Vector::LinSpaced(5, -3, 1);
    CHECK(linalg::largest_eigenvalue(diagonal.asDiagonal()) == 1);
    Matrix broken = Matrix::Identity(2, 2);
    broken(0, 1) = std::nan("");
    CHECK(std::isinf(linalg::spectral_norm(broken)));
}

TEST_CASE("largest eigenvalues by products", "[linalg][norm]") {
    // Known spectra in random directions: an outlier, a bulk's edge, few directions, one value.
    const Index n = GENERATE(1, 3, 30, 400);
    const Matrix turn = Eigen::HouseholderQR<Matrix>(Matrix::Random(n, n)).householderQ();
    Vector outlier = Vector::LinSpaced(n, 0, 1), few = Vector::Zero(n);
    outlier(n / 2) = 7;
    few.head(std::min<Index>(n, 2)).setConstant(3);
    for (const Vector& values : {outlier, Vector(Vector::LinSpaced(n, 0.5, 4)), few,
                                 Vector(Vector::Constant(n, 2)), Vector(Vector::Zero(n))}) {
        const Matrix a = turn * values.asDiagonal() * turn.transpose();
        int products = 0;
        const auto found = linalg::largest_eigenvalue(
            n,
            [&](const Matrix& block) {
                ++products;
                return Matrix(a * block);
            },
            1e-4);
        const double largest = values.maxCoeff();
        CHECK(found.residual <= 1e-4 * largest + 1e-14);
        CHECK(std::abs(found.value - largest) <= 1e-6 * largest + 1e-14);
        CHECK(products <= 40);
    }
    CHECK_THROWS_WITH(linalg::largest_eigenvalue(
                          2, [](const Matrix& block) { return Matrix(block / 0.0); }, 1e-4),
                      Catch::Contains("non-finite"));
}
