#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/canonical.hpp>
#include <assay/linalg/singular_values.hpp>

#include <catch2/catch.hpp>

#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include <cmath>

using namespace assay;

namespace {

Matrix orthogonal(Index size) {
    return Eigen::HouseholderQR<Matrix>(Matrix::Random(size, size)).householderQ();
}

// rows x k with the given singular values, columns of mean 0.
RowMatrix with_singular_values(Index rows, const Vector& values) {
    Matrix raw = Matrix::Random(rows, values.size());
    raw.rowwise() -= raw.colwise().mean().eval();
    const Matrix left =
        Eigen::HouseholderQR<Matrix>(raw).householderQ() * Matrix::Identity(rows, values.size());
    return left * values.asDiagonal() * orthogonal(values.size());
}

double departure_from_orthonormal(const Matrix& u) {
    return (u.transpose() * u - Matrix::Identity(u.cols(), u.cols())).norm();
}

} // namespace

TEST_CASE("singular values equal those of a Jacobi SVD", "[linalg][singular]") {
    std::srand(5);
    for (int trial = 0; trial < 40; ++trial) {
        const Index rows = 1 + std::rand() % 25, columns = 1 + std::rand() % 25;
        const Index rank = 1 + std::rand() % std::min(rows, columns);
        Matrix graded = Matrix::Random(rows, columns);
        for (Index i = 0; i < rows; ++i) graded.row(i) *= std::pow(10.0, -2 * i);
        for (const Matrix& m :
             {Matrix(Matrix::Random(rows, columns)), Matrix(orthogonal(rows).leftCols(rank)),
              Matrix(Matrix::Random(rows, rank) * Matrix::Random(rank, columns)), graded,
              Matrix(1e-200 * Matrix::Random(rows, columns)),
              Matrix(Matrix::Identity(rows, columns))}) {
            const Vector expected = Eigen::JacobiSVD<Matrix>(m).singularValues();
            CHECK((linalg::singular_values(m) - expected).norm() < 1e-13 * expected(0));
        }
    }
    CHECK(linalg::singular_values(Matrix::Zero(3, 5)).norm() == 0);
    CHECK(linalg::singular_values(Matrix(0, 5)).size() == 0);
    CHECK(std::abs(linalg::nuclear_norm(Matrix::Ones(4, 9)) - 6) < 1e-13);
    CHECK_THROWS_AS(linalg::singular_values(Matrix::Constant(2, 2, std::nan(""))), Error);
}

TEST_CASE("the left basis reaches the share with the fewest vectors", "[linalg][canonical]") {
    std::srand(6);
    Vector values(5);
    values << 8, 4, 2, 1, 0.5; // squares 64 16 4 1 0.25, sum 85.25
    const RowMatrix x = with_singular_values(300, values).array() + 7;
    for (const auto& [share, count] : {std::pair{0.75, 1}, std::pair{0.76, 2}, std::pair{0.93, 2},
                                       std::pair{0.99, 4}, std::pair{1.0, 5}}) {
        const auto basis = linalg::left_basis(x, share);
        CHECK(basis.vectors.cols() == count);
        CHECK((basis.singular_values - values.head(count)).norm() < 1e-10);
        CHECK(departure_from_orthonormal(basis.vectors) < 1e-13);
        CHECK(basis.vectors.colwise().sum().norm() < 1e-10);
    }
    CHECK(std::abs(linalg::left_basis(x, 1).total_sum_of_squares - 85.25) < 1e-9);
    CHECK(linalg::left_basis(x, 1, 3).vectors.cols() == 3);
}

TEST_CASE("wide, rank-deficient and badly conditioned data", "[linalg][canonical]") {
    std::srand(7);
    // More units than samples: centred data of 20 samples have 19 dimensions.
    const RowMatrix wide = RowMatrix::Random(20, 50);
    const auto basis = linalg::left_basis(wide, 1);
    REQUIRE(basis.vectors.cols() == 19);
    CHECK(departure_from_orthonormal(basis.vectors) < 1e-12);
    const Matrix centred = wide.rowwise() - wide.colwise().mean();
    CHECK((basis.vectors * (basis.vectors.transpose() * centred) - centred).norm() < 1e-11);
    // Dead units and copies do not count.
    RowMatrix copies(100, 6);
    copies << RowMatrix::Random(100, 3), RowMatrix::Zero(100, 3);
    copies.col(4) = copies.col(0);
    CHECK(linalg::left_basis(copies, 1).vectors.cols() == 3);
    // A Gram matrix would lose the last of these, whose square is 1e-22 of the first's.
    Vector values(4);
    values << 1, 1e-4, 1e-8, 1e-11;
    const RowMatrix x = with_singular_values(80, values);
    const auto ill = linalg::left_basis(x, 1);
    REQUIRE(ill.vectors.cols() == 4);
    CHECK(departure_from_orthonormal(ill.vectors) < 1e-12);
    CHECK(std::abs(ill.singular_values(3) / 1e-11 - 1) < 1e-4);
    CHECK((ill.vectors * (ill.vectors.transpose() * x) - x).norm() < 1e-14);
    const auto turned = linalg::left_basis(x.transpose() * 1.0, 1); // 4 x 80
    CHECK(turned.vectors.cols() == 3);
}

TEST_CASE("data that have no basis are refused", "[linalg][canonical]") {
    CHECK_THROWS_AS(linalg::left_basis(RowMatrix::Constant(10, 3, 0.1), 0.9), Error);
    CHECK_THROWS_AS(linalg::left_basis(RowMatrix(0, 3), 0.9), Error);
    CHECK_THROWS_AS(linalg::left_basis(RowMatrix::Random(10, 3), 0), Error);
    CHECK_THROWS_AS(linalg::left_basis(RowMatrix::Random(10, 3), 1.5), Error);
    RowMatrix bad = RowMatrix::Random(10, 3);
    bad(4, 1) = INFINITY;
    CHECK_THROWS_AS(linalg::left_basis(bad, 0.9), Error);
}

TEST_CASE("canonical correlations of Gaussians approach the population's", "[linalg][canonical]") {
    // Two latent pairs of correlation 0.9 and 0.3, mixed by invertible maps that CCA undoes.
    std::srand(8);
    const Random random(1, "test/canonical");
    constexpr Index kSamples = 20000;
    RowMatrix a(kSamples, 2), b(kSamples, 2);
    const double rho[] = {0.9, 0.3};
    for (Index t = 0; t < kSamples; ++t)
        for (Index k = 0; k < 2; ++k) {
            const auto at = static_cast<std::uint64_t>(2 * t + k);
            a(t, k) = random.normal(at);
            b(t, k) = rho[k] * a(t, k) + std::sqrt(1 - rho[k] * rho[k]) * random.normal(at, {1});
        }
    Matrix mix(2, 2);
    mix << 3, 1, -2, 0.5;
    const Matrix u = linalg::left_basis(a * mix, 1).vectors,
                 v = linalg::left_basis(b * mix.transpose(), 1).vectors;
    const Vector found = linalg::canonical_correlations(u.transpose() * v);
    CHECK(std::abs(found(0) - 0.9) < 0.01);
    CHECK(std::abs(found(1) - 0.3) < 0.02);
    // The same by the textbook: eigenvalues of Caa^-1 Cab Cbb^-1 Cba.
    const Matrix ca = a.rowwise() - a.colwise().mean(), cb = b.rowwise() - b.colwise().mean();
    const Matrix product = (ca.transpose() * ca).inverse() * (ca.transpose() * cb) *
                           (cb.transpose() * cb).inverse() * (cb.transpose() * ca);
    CHECK(std::abs(found.squaredNorm() - product.trace()) < 1e-12);
    CHECK(std::abs(std::pow(found.prod(), 2) - product.determinant()) < 1e-12);
}

TEST_CASE("canonical directions belong to their correlations", "[linalg][canonical]") {
    std::srand(9);
    const Index k = GENERATE(3, 6, 9), l = 6;
    const Matrix product = orthogonal(20).topLeftCorner(k, l);
    const auto canonical = linalg::canonical_directions(product);
    Vector expected = Vector::Zero(k);
    expected.head(std::min(k, l)) = Eigen::JacobiSVD<Matrix>(product).singularValues();
    CHECK((canonical.correlations - expected).norm() < 1e-13);
    CHECK(departure_from_orthonormal(canonical.directions) < 1e-13);
    CHECK(((product.transpose() * canonical.directions).colwise().norm().transpose() - expected)
              .norm() < 1e-13);
}
