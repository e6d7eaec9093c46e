// Predicted tensors against sums over components, and standard deviations against samples of the
// posterior and the difference of moments.
#include "tensor_amp/normal.hpp"
#include "tensor_amp/scratch.hpp"

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/tensor_amp/reconstruction_io.hpp>

#include <Eigen/Cholesky>
#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::Contains;

namespace {

MatrixXd normal_matrix(Index rows, Index cols, std::uint64_t stream) {
    return tensor_amp_test::normal(rows, cols, 6, stream);
}

FitResult example(const Shape& shape, double spread, bool by_row) {
    FitResult fit;
    fit.algorithm = "amp";
    fit.shape = shape;
    fit.rank = 2;
    for (std::size_t a = 0; a < shape.size(); ++a) {
        fit.factors.push_back(normal_matrix(shape[a], 2, a));
        const Index rows = by_row && a != 1 ? shape[a] : 1;
        MatrixXd covariances(rows, 4);
        for (Index i = 0; i < rows; ++i) {
            const MatrixXd root = normal_matrix(2, 2, 100 * a + static_cast<std::uint64_t>(i) + 20);
            covariances.row(i) = spread * (root * root.transpose()).eval().reshaped().transpose();
        }
        fit.covariances.push_back(covariances);
    }
    set_unit_form(fit);
    return fit;
}

struct Prediction {
    VectorXd mean, deviation;
};
Prediction predict(const Reconstruction& reconstruction, int threads = 1) {
    const Index size = reconstruction.shape()[0] * reconstruction.slice_size();
    Prediction p{VectorXd(size), VectorXd(size)};
    Execution run;
    run.threads = threads;
    reconstruction.predict(0, reconstruction.shape()[0], p.mean.data(), p.deviation.data(), run);
    return p;
}

} // namespace

TEST_CASE("predictions and their deviations by moments", "[tensor_amp]") {
    const bool by_row = GENERATE(false, true);
    const Shape shape{5, 4, 6};
    const FitResult fit = example(shape, 0.3, by_row);
    const Prediction p = predict(Reconstruction(fit));
    const double n = std::cbrt(120.0);
    for (Index i = 0; i < 5; ++i)
        for (Index j = 0; j < 4; ++j)
            for (Index k = 0; k < 6; ++k) {
                const std::array<Index, 3> index{i, j, k};
                double mean = 0;
                MatrixXd second = MatrixXd::Ones(2, 2), first = MatrixXd::Ones(2, 2);
                for (std::size_t a = 0; a < 3; ++a) {
                    const MatrixXd x = fit.factors[a].row(index[a]).transpose();
                    const MatrixXd s = fit.covariances[a]
                                           .row(fit.covariances[a].rows() == 1 ? 0 : index[a])
                                           .reshaped(2, 2);
                    second.array() *= (x * x.transpose() + s).array();
                    first.array() *= (x * x.transpose()).array();
                }
                for (Index rho = 0; rho < 2; ++rho)
                    mean += fit.factors[0](i, rho) * fit.factors[1](j, rho) *
                            fit.factors[2](k, rho) / n;
                const Index flat = (i * 4 + j) * 6 + k;
                REQUIRE(p.mean(flat) == Approx(mean).epsilon(1e-12).margin(1e-14));
                REQUIRE(p.deviation(flat) ==
                        Approx(std::sqrt((second.sum() - first.sum()) / (n * n))).epsilon(1e-10));
            }
    CHECK(predict(Reconstruction(fit), 5).deviation == p.deviation);
}

TEST_CASE("deviations are those of samples", "[tensor_amp]") {
    const FitResult fit = example({3, 2, 2}, 0.5, true);
    const Prediction p = predict(Reconstruction(fit));
    const Random random(2, "tensor-amp/test");
    constexpr int kSamples = 40000;
    VectorXd sum = VectorXd::Zero(12), square = VectorXd::Zero(12);
    std::uint64_t draw = 0;
    for (int sample = 0; sample < kSamples; ++sample) {
        Factors x = fit.factors;
        for (std::size_t a = 0; a < 3; ++a)
            for (Index i = 0; i < x[a].rows(); ++i) {
                const MatrixXd s =
                    fit.covariances[a].row(fit.covariances[a].rows() == 1 ? 0 : i).reshaped(2, 2);
                const MatrixXd root = s.llt().matrixL();
                const Eigen::Vector2d z(random.normal(draw), random.normal(draw + 1));
                draw += 2;
                x[a].row(i) += (root * z).transpose();
            }
        for (Index flat = 0; flat < 12; ++flat) {
            double w = 0;
            for (Index rho = 0; rho < 2; ++rho)
                w += x[0](flat / 4, rho) * x[1](flat / 2 % 2, rho) * x[2](flat % 2, rho);
            w /= std::cbrt(12.0);
            sum(flat) += w;
            square(flat) += w * w;
        }
    }
    for (Index flat = 0; flat < 12; ++flat) {
        const double mean = sum(flat) / kSamples;
        const double deviation = std::sqrt(square(flat) / kSamples - mean * mean);
        CHECK(p.mean(flat) == Approx(mean).margin(5 * deviation / std::sqrt(kSamples)));
        CHECK(p.deviation(flat) == Approx(deviation).epsilon(0.05));
    }
}

namespace {

// One factor for all modes, with covariances that are common to all rows or not.
FitResult symmetric_example(Index length, std::size_t order, Index rank, bool by_row) {
    FitResult fit;
    fit.algorithm = "amp";
    fit.symmetric = true;
    fit.shape.assign(order, length);
    fit.rank = rank;
    fit.factors.assign(order, normal_matrix(length, rank, 40));
    MatrixXd covariances(by_row ? length : 1, rank * rank);
    for (Index i = 0; i < covariances.rows(); ++i) {
        const MatrixXd root = normal_matrix(rank, rank, 50 + static_cast<std::uint64_t>(i));
        covariances.row(i) = 0.2 * (root * root.transpose()).eval().reshaped().transpose();
    }
    fit.covariances.assign(order, covariances);
    set_unit_form(fit);
    return fit;
}

} // namespace

TEST_CASE("equal indices of a symmetric fit are one row", "[tensor_amp][symmetric]") {
    const FitResult fit = symmetric_example(4, 3, 1, false);
    const Prediction p = predict(Reconstruction(fit));
    const double s = fit.covariances[0](0, 0), n = 4;
    for (Index i = 0; i < 4; ++i) {
        const double m = fit.factors[0](i, 0), d = m * m;
        // Of u^3, u normal: m^3 + 3 m s, and 9 m^4 s + 36 m^2 s^2 + 15 s^3.
        const Index cube = 21 * i;
        CHECK(p.mean(cube) == Approx((m * d + 3 * m * s) / n));
        CHECK(p.deviation(cube) ==
              Approx(std::sqrt(9 * d * d * s + 36 * d * s * s + 15 * s * s * s) / n));
        for (Index j = 0; j < 4; ++j) {
            if (i == j) continue;
            // Of u^2 v: (m^2 + s) w, and E u^4 E v^2 - (E u^2 E v)^2.
            const double w = fit.factors[0](j, 0), square = d + s,
                         fourth = d * d + 6 * d * s + 3 * s * s;
            const double variance = fourth * (w * w + s) - square * square * w * w;
            for (const Index entry : {20 * i + j, 17 * i + 4 * j, 16 * j + 5 * i}) {
                CHECK(p.mean(entry) == Approx(square * w / n));
                CHECK(p.deviation(entry) == Approx(std::sqrt(variance) / n));
            }
        }
    }
    // Slices know which rows they are.
    const Prediction part = predict(Reconstruction(fit, {{2}, {3, 2}, {2}}));
    CHECK(part.mean(0) == Approx(p.mean(32 + 12 + 2)).epsilon(1e-13));
    CHECK(part.deviation(1) == Approx(p.deviation(32 + 8 + 2)).epsilon(1e-13));
}

TEST_CASE("moments of a symmetric fit are those of samples", "[tensor_amp][symmetric]") {
    const FitResult fit = symmetric_example(3, 4, 2, true);
    const Prediction p = predict(Reconstruction(fit));
    const Random random(3, "tensor-amp/test");
    constexpr int samples = 60000;
    VectorXd sum = VectorXd::Zero(81), square = VectorXd::Zero(81);
    std::vector<MatrixXd> roots;
    for (Index i = 0; i < 3; ++i)
        roots.emplace_back(fit.covariances[0].row(i).reshaped(2, 2).llt().matrixL());
    std::uint64_t draw = 0;
    for (int sample = 0; sample < samples; ++sample) {
        MatrixXd x = fit.factors[0];
        for (Index i = 0; i < 3; ++i, draw += 2)
            x.row(i) +=
                (roots[at(i)] * Eigen::Vector2d(random.normal(draw), random.normal(draw + 1)))
                    .transpose();
        for (Index flat = 0; flat < 81; ++flat) {
            const double w = x.row(flat / 27)
                                 .cwiseProduct(x.row(flat / 9 % 3))
                                 .cwiseProduct(x.row(flat / 3 % 3))
                                 .cwiseProduct(x.row(flat % 3))
                                 .sum() *
                             signal_scale(fit.shape);
            sum(flat) += w / samples;
            square(flat) += w * w / samples;
        }
    }
    for (Index flat = 0; flat < 81; ++flat) {
        const double deviation = std::sqrt(square(flat) - sum(flat) * sum(flat));
        CHECK(p.mean(flat) == Approx(sum(flat)).margin(5 * deviation / std::sqrt(samples)));
        CHECK(p.deviation(flat) == Approx(deviation).epsilon(0.1));
    }
}

TEST_CASE("small deviations keep their digits", "[tensor_amp]") {
    const Prediction small = predict(Reconstruction(example({5, 4, 6}, 1e-24, true)));
    const Prediction smaller = predict(Reconstruction(example({5, 4, 6}, 1e-26, true)));
    CHECK((small.deviation.array() / smaller.deviation.array() / 10 - 1).abs().maxCoeff() < 1e-9);
}

TEST_CASE("slices, means that were taken off, and what is not there", "[tensor_amp]") {
    FitResult fit = example({5, 4, 6}, 0.3, true);
    const Prediction all = predict(Reconstruction(fit));
    const Reconstruction some(fit, {{4, 1}, {}, {0, 5}});
    REQUIRE(some.shape() == Shape{2, 4, 2});
    const Prediction part = predict(some);
    for (Index j = 0; j < 4; ++j) {
        CHECK(part.mean(2 * j + 1) == Approx(all.mean((4 * 4 + j) * 6 + 5)).epsilon(1e-13));
        CHECK(part.deviation(8 + 2 * j) == Approx(all.deviation((4 + j) * 6)).epsilon(1e-13));
    }
    fit.center = VectorXd::LinSpaced(6, 1, 6);
    fit.center_mode = 2;
    CHECK(predict(Reconstruction(fit)).mean(9) == Approx(all.mean(9) + 4));
    CHECK(predict(Reconstruction(fit, {{}, {}, {0, 5}})).mean(1) == Approx(all.mean(5) + 6));
    fit.center_mode = 0;
    CHECK_THROWS_WITH(Reconstruction(fit), Contains("do not fit the shape"));
    fit.center = VectorXd::Constant(1, 2);
    fit.center_mode = -1;
    CHECK(predict(Reconstruction(fit)).mean(9) == Approx(all.mean(9) + 2));
    CHECK_THROWS_WITH(Reconstruction(fit, {{5}, {}, {}}),
                      Contains("slice 5 of mode 0, which has 5"));
    fit.covariances.clear();
    CHECK_THROWS_WITH(predict(Reconstruction(fit)), Contains("no posterior covariances"));
}

TEST_CASE("reconstructions are written slab by slab", "[tensor_amp]") {
    const tensor_amp_test::ScratchFile file;
    const FitResult fit = example({7, 4, 6}, 0.3, true);
    const Reconstruction whole(fit), some(fit, {{6, 2, 3}, {}, {}});
    std::vector<std::uint8_t> observed(168, 1);
    for (const std::size_t i : {3, 50, 51, 72, 167}) observed[i] = 0; // rows 0, 2, 2, 3, 6
    ReconstructionOutput output;
    output.deviation = true;
    output.block_bytes = GENERATE(1.0, 800.0, 1e9);
    double mean_deviation = 0;
    file.write([&](hdf5::Group root) {
        mean_deviation = write_reconstruction(root.create_group("all"), whole, output, {});
        CHECK(write_missing_entries(root.create_group("missing"), some, fit.shape, observed, output,
                                    {}) == 4);
    });
    const hdf5::Group root = file.root();
    const Prediction expected = predict(whole);
    const auto mean = root.dataset("all/mean").read<double>();
    CHECK(Eigen::Map<const VectorXd>(mean.data(), 168) == expected.mean);
    CHECK(root.dataset("all/std").shape() == hdf5::Shape{7, 4, 6});
    CHECK(root.dataset("all/std").read<double>()[100] == expected.deviation(100));
    CHECK(mean_deviation == Approx(expected.deviation.mean()));
    const auto index = root.dataset("missing/index").read<std::int64_t>();
    CHECK(index == std::vector<std::int64_t>{6, 3, 5, 2, 0, 2, 2, 0, 3, 3, 0, 0});
    CHECK(root.dataset("missing/mean").read<double>()[2] == expected.mean(51));
    CHECK(root.dataset("missing/std").read<double>()[3] == expected.deviation(72));
}
