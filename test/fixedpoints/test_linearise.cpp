// Eigen-systems against matrices whose modes are prescribed.
#include <assay/core/random.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/slow_modes.hpp>

#include <catch2/catch.hpp>

#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;

namespace {

Matrix normal_matrix(Index n) {
    const Random random(8, "test/linearise");
    Matrix m(n, n);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return m;
}

} // namespace

TEST_CASE("modes of a matrix with prescribed ones", "[fixedpoints][linearise]") {
    // Blocks: 1.1, a pair 0.9 e^(+-0.4 i), -0.7, 0.3.
    Matrix blocks = Matrix::Zero(5, 5);
    blocks(0, 0) = -0.7;
    blocks.block(1, 1, 2, 2) << 0.9 * std::cos(0.4), -0.9 * std::sin(0.4), 0.9 * std::sin(0.4),
        0.9 * std::cos(0.4);
    blocks(3, 3) = 0.3;
    blocks(4, 4) = 1.1;
    const Matrix v = normal_matrix(5), j = v * blocks * v.inverse();
    const EigenSystem s = eigen_system(j, 5);
    const std::complex<double> pair = std::polar(0.9, 0.4);
    ComplexVector expected(5);
    expected << 1.1, pair, std::conj(pair), -0.7, 0.3;
    CHECK((s.values - expected).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((s.left * s.right - ComplexMatrix::Identity(5, 5)).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((j * s.right - s.right * s.values.asDiagonal()).cwiseAbs().maxCoeff() < 1e-12);
    CHECK((s.right.colwise().norm().array() - 1).abs().maxCoeff() < 1e-14);
    for (Index a = 0; a < 5; ++a) {
        Index largest = 0;
        s.right.col(a).cwiseAbs().maxCoeff(&largest);
        CHECK(s.right(largest, a).imag() == 0);
        CHECK(s.right(largest, a).real() > 0);
        CHECK(s.condition(a) == Approx(s.left.row(a).norm()));
    }
    CHECK_FALSE(s.defective);
    CHECK(count_unstable(s.values) == 1);
    CHECK(classify(s.values, 1e-3) == Stability::saddle);
    CHECK(unstable_basis(s).cols() == 1);
    const EigenSystem by_real = eigen_system(j, 2, EigenvalueOrder::real);
    CHECK(by_real.values(4).real() == Approx(-0.7));
    CHECK(by_real.right.cols() == 2);
    const EigenSystem near_one = eigen_system(j, 0, EigenvalueOrder::nearest_one);
    CHECK(near_one.values(0).real() == Approx(1.1));
}

TEST_CASE("a Jordan block is flagged", "[fixedpoints][linearise]") {
    Matrix j(2, 2);
    j << 0.5, 1, 0, 0.5;
    const EigenSystem s = eigen_system(j, 2);
    CHECK(s.defective);
}

TEST_CASE("derived numbers of modes", "[fixedpoints][linearise]") {
    CHECK(time_constant({std::exp(-0.1), 0}) == Approx(10));
    CHECK(time_constant(std::polar(std::exp(0.05), 1.0)) == Approx(20));
    CHECK(std::isinf(time_constant({0, 1})));
    CHECK(time_constant({0, 0}) == 0);
    CHECK(frequency(std::polar(0.5, 0.3), 0.05) == Approx(0.3 / (2 * 3.141592653589793 * 0.05)));
    ComplexVector values(2);
    values << 0.5, 0.2;
    CHECK(classify(values, 1e-3) == Stability::attractor);
    values << 1.5, 1.2;
    CHECK(classify(values, 1e-3) == Stability::repeller);
    values << 1.0005, 0.2;
    CHECK(classify(values, 1e-3) == Stability::marginal);
}

TEST_CASE("departure from normality", "[fixedpoints][linearise]") {
    Matrix j(2, 2);
    j << 0.9, 5, 0, 0.8;
    const EigenSystem s = eigen_system(j, 0);
    CHECK(henrici(j, s.values) == Approx(5 / std::sqrt(0.81 + 25 + 0.64)));
    const Matrix growing = 1.2 * Matrix::Identity(3, 3);
    CHECK(max_transient(growing, eigen_system(growing, 3)) == Approx(std::pow(1.2, 100)));
    CHECK(henrici(growing, eigen_system(growing, 0).values) < 1e-7);
}

TEST_CASE("the largest power of a matrix is found without making all of them",
          "[fixedpoints][linearise]") {
    const Index n = 12;
    const Matrix noise = normal_matrix(n);
    Matrix shear = Matrix::Zero(n, n); // a transient that grows for long before it decays
    shear.diagonal().setConstant(0.9);
    for (Index i = 0; i < n; ++i) shear(i, i) -= 0.01 * double(i);
    shear.diagonal(1).setConstant(0.3);
    for (const double radius : {0.5, 0.97, 1.0, 1.3}) {
        const double size = eigen_system(noise, 0).values.cwiseAbs().maxCoeff();
        for (const Matrix& j : {Matrix(noise * (radius / size)), Matrix(shear * (radius / 0.9))}) {
            Matrix power = j;
            double largest = 0;
            for (int k = 0; k < 100; ++k, power = Matrix(power * j))
                largest = std::max(largest, Eigen::JacobiSVD<Matrix>(power).singularValues()(0));
            CHECK(max_transient(j, eigen_system(j, n)) == Approx(largest).epsilon(1e-10));
            CHECK(max_transient(j, eigen_system(j, 3)) == Approx(largest).epsilon(1e-10));
            CHECK(unstable_dimensions(j) == count_unstable(eigen_system(j, 0).values));
        }
    }
}

TEST_CASE("unstable dimensions are counted near the unit circle, too", "[fixedpoints][linearise]") {
    const Matrix q = normal_matrix(9).householderQr().householderQ();
    const auto rotation = [](double radius, double angle) {
        Matrix block(2, 2);
        block << std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle);
        return Matrix(radius * block);
    };
    Matrix blocks = Matrix::Zero(9, 9);
    blocks(0, 0) = 1.3;
    blocks(1, 1) = -0.5;
    blocks.block(2, 2, 2, 2) = rotation(1.2, 0.7);
    blocks.block(4, 4, 2, 2) = rotation(0.95, 2.0);
    blocks(0, 3) = 0.8; // not normal
    const double offset = GENERATE(0.0, 1e-13, 1e-10, 1e-7, 1e-4, 1e-2, 0.2);
    const double radius = GENERATE_COPY(1 + offset, 1 - offset);
    const bool beyond = radius > 1 && offset > 1e-12;
    INFO(offset << " " << radius);
    for (const double real : {radius, -radius}) {
        blocks(6, 6) = real;
        blocks.block(7, 7, 2, 2) = rotation(0.3, 1);
        CHECK(unstable_dimensions(q * blocks * q.transpose()) == (beyond ? 4 : 3));
    }
    blocks(6, 6) = 0.1;
    blocks.block(7, 7, 2, 2) = rotation(radius, 0.02);
    CHECK(unstable_dimensions(q * blocks * q.transpose()) == (beyond ? 5 : 3));
    // Of 80 units, against the eigenvalues.
    const Matrix wide = normal_matrix(80) * (radius / 9);
    CHECK(unstable_dimensions(wide) == count_unstable(eigen_system(wide, 0).values));
}

TEST_CASE("slow modes alone are those of the whole eigen-system", "[fixedpoints][linearise]") {
    // A spectrum with slow real modes, a slow pair, and a bulk within 0.7.
    const Index n = 60;
    Matrix blocks = Matrix::Zero(n, n);
    for (Index i = 0; i < n; ++i) blocks(i, i) = 0.7 * std::cos(2.0 * double(i));
    blocks(0, 0) = 0.999;
    blocks(1, 1) = 1.03;
    blocks.block(2, 2, 2, 2) << 0.95 * std::cos(0.1), -0.95 * std::sin(0.1), 0.95 * std::sin(0.1),
        0.95 * std::cos(0.1);
    const Matrix v = Matrix::Identity(n, n) + 0.05 * normal_matrix(n), j = v * blocks * v.inverse();
    const EigenSystem whole = eigen_system(j, 4, EigenvalueOrder::nearest_one);
    const SlowModes slow = slow_modes(j, 4);
    REQUIRE(slow.converged);
    REQUIRE(slow.system.values.size() == 4);
    const std::complex<double> pair = std::polar(0.95, 0.1);
    ComplexVector expected(4);
    expected << 0.999, 1.03, pair, std::conj(pair);
    CHECK((slow.system.values - expected).cwiseAbs().maxCoeff() < 1e-9);
    CHECK((slow.system.right - whole.right).cwiseAbs().maxCoeff() < 1e-7);
    CHECK((slow.system.left - whole.left).cwiseAbs().maxCoeff() < 1e-6);
    CHECK(slow.residual.maxCoeff() <= 1e-10 * j.norm());
    CHECK((slow.system.left * slow.system.right - ComplexMatrix::Identity(4, 4)).norm() < 1e-9);
    // A line attractor: J - I is singular.
    blocks(0, 0) = 1;
    const SlowModes line = slow_modes(v * blocks * v.inverse(), 1);
    CHECK(line.converged);
    CHECK(std::abs(line.system.values(0) - 1.0) < 1e-9);
    CHECK_THROWS(slow_modes(j, 0));
    CHECK(slow_modes(j, 100).system.values.size() == n);
}
