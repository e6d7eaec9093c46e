#include <assay/linalg/spectral_norm.hpp>

#include <catch2/catch.hpp>

#include <Eigen/SVD>

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
