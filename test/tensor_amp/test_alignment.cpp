// Components that were shuffled, flipped and rescaled are found again; overlaps, errors and
// calibration against sums over entries.
#include "tensor_amp/normal.hpp"

#include <assay/core/error.hpp>
#include <assay/tensor_amp/alignment.hpp>
#include <assay/tensor_amp/prior.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::Contains;

namespace {

MatrixXd normal_factor(Index rows, Index cols, std::uint64_t stream) {
    return tensor_amp_test::normal(rows, cols, 5, stream);
}

Factors normal_factors(const Shape& shape, Index rank, std::uint64_t stream) {
    Factors factors;
    for (std::size_t a = 0; a < shape.size(); ++a)
        factors.push_back(normal_factor(shape[a], rank, 10 * stream + a));
    return factors;
}

FitResult fit_of(const Factors& factors) {
    FitResult fit;
    fit.algorithm = "als";
    for (const MatrixXd& factor : factors) fit.shape.push_back(factor.rows());
    fit.rank = factors.front().cols();
    fit.factors = factors;
    set_unit_form(fit);
    return fit;
}

// The tensor of factors, entry by entry, without scale.
VectorXd dense(const Factors& x) {
    const Index n0 = x[0].rows(), n1 = x[1].rows(), n2 = x[2].rows();
    VectorXd w = VectorXd::Zero(n0 * n1 * n2);
    for (Index i = 0; i < n0; ++i)
        for (Index j = 0; j < n1; ++j)
            for (Index k = 0; k < n2; ++k)
                for (Index rho = 0; rho < x[0].cols(); ++rho)
                    w((i * n1 + j) * n2 + k) += x[0](i, rho) * x[1](j, rho) * x[2](k, rho);
    return w;
}

} // namespace

TEST_CASE("shuffled, flipped and rescaled components are found again", "[tensor_amp]") {
    const Index rank = 4;
    const Factors x = normal_factors({20, 15, 30}, rank, 1);
    const std::vector<Index> order{2, 0, 3, 1};
    Factors y = x;
    for (Index k = 0; k < rank; ++k) {
        const auto from = order[static_cast<std::size_t>(k)];
        y[0].col(k) = -2 * x[0].col(from);
        y[1].col(k) = (k == 1 ? 1 : -1) * x[1].col(from);
        y[2].col(k) = (k == 1 ? -1 : 1) * 0.5 * x[2].col(from);
    }
    for (const auto score : {SimilarityScore::product, SimilarityScore::mean}) {
        const Alignment a = align(x, y, score);
        CHECK(a.mean_similarity() == Approx(1).epsilon(1e-13));
        CHECK(a.unmatched().empty());
        for (Index k = 0; k < rank; ++k)
            CHECK(a.partner[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])] == k);
        CHECK((a.cosines.array() - 1).abs().maxCoeff() < 1e-13);
        CHECK(a.signs(0, 0) == -1);
        CHECK(a.signs(2, 0) == -1); // component 0 is column 1
        CHECK(a.signs(1, 0) == 1);
    }
    CHECK(align(x, y, SimilarityScore::product, FreeSigns{}).cosines.minCoeff() == Approx(-1));
}

TEST_CASE("an odd sign stays in the mode where it matters least", "[tensor_amp]") {
    Factors x = normal_factors({40, 40, 40}, 1, 2), y = x;
    y[0] = -x[0];
    y[1] = x[1] + 3 * normal_factor(40, 1, 99);
    const Alignment a = align(x, y, SimilarityScore::product);
    CHECK(a.signs.prod() == 1);
    CHECK(a.cosines(0, 0) == Approx(1));
    CHECK(a.cosines(1, 0) < 0);
    CHECK(a.signs(2, 0) == 1);
}

TEST_CASE("the pairing is the best of all", "[tensor_amp]") {
    const Factors x = normal_factors({3, 4, 3}, 4, 3), y = normal_factors({3, 4, 3}, 4, 4);
    const Alignment a = align(x, y, SimilarityScore::product);
    MatrixXd similarity = MatrixXd::Ones(4, 4);
    for (std::size_t m = 0; m < 3; ++m)
        for (Index j = 0; j < 4; ++j)
            for (Index l = 0; l < 4; ++l)
                similarity(j, l) *= std::abs(x[m].col(j).dot(y[m].col(l))) /
                                    (x[m].col(j).norm() * y[m].col(l).norm());
    CHECK((similarity - a.similarity).cwiseAbs().maxCoeff() < 1e-14);
    std::vector<Index> p{0, 1, 2, 3};
    double best = 0;
    do {
        double total = 0;
        for (Index j = 0; j < 4; ++j) total += similarity(j, p[static_cast<std::size_t>(j)]);
        best = std::max(best, total);
    } while (std::next_permutation(p.begin(), p.end()));
    CHECK(4 * a.mean_similarity() == Approx(best).epsilon(1e-13));
}

TEST_CASE("different ranks, and columns of zeros", "[tensor_amp]") {
    const Factors x = normal_factors({20, 15, 30}, 2, 1);
    Factors y = normal_factors({20, 15, 30}, 3, 7);
    for (std::size_t a = 0; a < 3; ++a) {
        y[a].col(0) = x[a].col(1);
        y[a].col(2) = x[a].col(0);
    }
    const Alignment more = align(x, y, SimilarityScore::product);
    CHECK(more.partner == std::vector<Index>{2, 0});
    CHECK(more.unmatched() == std::vector<Index>{1});
    const Alignment fewer = align(y, x, SimilarityScore::product);
    CHECK(fewer.partner == std::vector<Index>{1, -1, 0});
    CHECK(fewer.score(1) == 0);
    CHECK(fewer.mean_similarity() == Approx(1));
    for (MatrixXd& factor : y) factor.col(0).setZero();
    CHECK(align(x, y, SimilarityScore::product).score.allFinite());
    y[1] = normal_factor(14, 3, 1);
    CHECK_THROWS_WITH(align(x, y, SimilarityScore::product), Contains("mode 1 has 14 rows; 15"));
}

TEST_CASE("errors and overlaps with the truth", "[tensor_amp]") {
    const Shape shape{12, 9, 14};
    const Factors truth = normal_factors(shape, 2, 1);
    Factors estimate = normal_factors(shape, 3, 8);
    for (std::size_t a = 0; a < 3; ++a) {
        estimate[a].col(1) = truth[a].col(0) + 0.2 * normal_factor(shape[a], 1, 50 + a);
        estimate[a].col(2) = truth[a].col(1) + 0.2 * normal_factor(shape[a], 1, 60 + a);
        estimate[a].col(0) *= 0.1;
    }
    estimate[0].col(1) *= -1;
    estimate[2].col(1) *= -1;
    const TruthComparison c =
        compare_with_truth(fit_of(estimate), truth, SimilarityScore::product, ScaleGauge::keep);
    CHECK(c.alignment.partner == std::vector<Index>{1, 2});
    const VectorXd w = dense(truth), what = dense(estimate);
    CHECK(c.signal_error == Approx((what - w).squaredNorm() / w.squaredNorm()).epsilon(1e-11));
    CHECK(tensor_amp::signal_error(truth, truth) < 1e-14);
    for (std::size_t a = 0; a < 3; ++a) {
        double mse = 0, overlap = 0, self = 0;
        for (Index i = 0; i < shape[a]; ++i) {
            const double sign = a == 1 ? 1 : -1;
            const double first = sign * estimate[a](i, 1), second = estimate[a](i, 2);
            mse += std::pow(first - truth[a](i, 0), 2) + std::pow(second - truth[a](i, 1), 2);
            overlap += first * truth[a](i, 1);
            self += first * second;
        }
        const auto n = static_cast<double>(shape[a]);
        CHECK(c.mse(static_cast<Index>(a)) == Approx(mse / n).epsilon(1e-12));
        CHECK(c.overlaps.with_reference[a](0, 1) == Approx(overlap / n).epsilon(1e-12));
        CHECK(c.overlaps.own[a](1, 0) == Approx(self / n).epsilon(1e-12));
    }
    CHECK(c.calibration.empty());
}

TEST_CASE("calibration of errors that have the claimed variance", "[tensor_amp]") {
    const Shape shape{4000, 3000, 2000};
    const Factors truth = normal_factors(shape, 2, 1);
    FitResult fit = fit_of(truth);
    const double inflate = GENERATE(1.0, 2.0); // of the claimed variance
    for (std::size_t a = 0; a < 3; ++a) {
        const MatrixXd noise = normal_factor(shape[a], 2, 70 + a);
        fit.covariances.emplace_back(a == 0 ? shape[a] : 1, 4);
        for (Index i = 0; i < shape[a]; ++i)
            for (Index k = 0; k < 2; ++k) {
                const double variance = a == 0 ? 0.01 * static_cast<double>(1 + i % 5) : 0.03;
                fit.factors[a](i, k) += std::sqrt(variance) * noise(i, k);
                fit.covariances[a](a == 0 ? i : 0, 3 * k) = inflate * variance;
            }
        fit.covariances[a].middleCols(1, 2).setZero();
    }
    const TruthComparison c =
        compare_with_truth(fit, truth, SimilarityScore::product, ScaleGauge::keep);
    const auto inside = [&](double z) { return std::erf(z * std::sqrt(inflate / 2)); };
    for (std::size_t a = 0; a < 3; ++a) {
        const ModeCalibration& m = c.calibration[a];
        const double n = 2 * static_cast<double>(shape[a]);
        CHECK(m.ratio() == Approx(inflate).epsilon(5 * std::sqrt(3 / n)));
        CHECK(m.coverage_50 == Approx(inside(0.67449)).margin(4 * 0.5 / std::sqrt(n)));
        CHECK(m.coverage_90 == Approx(inside(1.64485)).margin(4 * 0.3 / std::sqrt(n)));
        CHECK(m.histogram.sum() == n);
        // Bins 15 to 24 are within one standard deviation.
        CHECK(m.histogram.segment(15, 10).sum() / n == Approx(inside(1)).margin(2 / std::sqrt(n)));
    }
}

TEST_CASE("scales between modes can be matched", "[tensor_amp]") {
    const Factors truth = normal_factors({10, 11, 12}, 2, 1);
    FitResult fit = fit_of(truth);
    fit.factors[0] *= 4;
    fit.factors[1] *= 0.5;
    fit.factors[2] *= 0.5;
    for (std::size_t a = 0; a < 3; ++a)
        fit.covariances.push_back((MatrixXd(1, 4) << 1, 0, 0, 1).finished());
    const auto with = [&](ScaleGauge gauge) {
        return compare_with_truth(fit, truth, SimilarityScore::product, gauge);
    };
    CHECK(with(ScaleGauge::keep).mse(0) == Approx(9 * truth[0].squaredNorm() / 10));
    CHECK(with(ScaleGauge::match).mse.maxCoeff() < 1e-25);
    CHECK(with(ScaleGauge::match).calibration[0].claimed == Approx(1.0 / 16));
    CHECK(with(ScaleGauge::match).calibration[2].claimed == Approx(4));
}

TEST_CASE("the order of output", "[tensor_amp]") {
    Factors x = normal_factors({6, 7, 8}, 3, 2);
    x[0].col(1) *= 5;
    x[1].col(2) *= 3;
    FitResult fit = fit_of(x);
    for (std::size_t a = 0; a < 3; ++a) {
        MatrixXd c = MatrixXd::Zero(1, 9);
        c << 1, 0.1, 0.2, 0.1, 2, 0.3, 0.2, 0.3, 3;
        fit.covariances.push_back(c);
    }
    const std::string prior = "gauss:mean=[1,2,3],cov=[[1,0.1,0.2],[0.1,2,0.3],[0.2,0.3,3]]";
    fit.priors = {prior, prior, prior};
    fit.priors_learned = true;
    const FitResult out = in_canonical_order(fit);
    CHECK(std::is_sorted(out.weights.data(), out.weights.data() + 3, std::greater<>()));
    CHECK((dense(out.factors) - dense(x)).norm() < 1e-12);
    for (std::size_t a = 0; a < 2; ++a)
        for (Index k = 0; k < 3; ++k)
            CHECK(out.factors[a].col(k).maxCoeff() == out.factors[a].col(k).cwiseAbs().maxCoeff());
    const ComponentMap map = canonical_order(fit);
    for (Index a = 0; a < 3; ++a) {
        // Covariance and prior of a component move with it.
        MatrixXd p = MatrixXd::Zero(3, 3);
        for (Index k = 0; k < 3; ++k)
            p(map.source[static_cast<std::size_t>(k)], k) = map.multiplier(a, k);
        const auto s = static_cast<std::size_t>(a);
        const MatrixXd expected = p.transpose() * fit.covariances[s].reshaped(3, 3) * p;
        CHECK((out.covariances[s].reshaped(3, 3) - expected).norm() < 1e-14);
        const auto moved = parse_prior(out.priors[s], 3);
        CHECK((moved->mean() - p.transpose() * Eigen::Vector3d(1, 2, 3)).norm() < 1e-14);
        CHECK(
            (moved->second_moment() - moved->mean() * moved->mean().transpose() - expected).norm() <
            1e-12);
    }

    // Signs stay where a prior fixes them, the order where it tells components apart.
    const auto flips = [&](const std::string& text, bool learned) {
        FitResult other = fit_of(x);
        other.priors = {text, text, text};
        other.priors_learned = learned;
        return (canonical_order(other).multiplier.array() < 0).any();
    };
    CHECK(flips("gauss:mean=0,var=1", false));
    CHECK(flips("rademacher", false));
    CHECK_FALSE(flips("gauss:mean=0.5,var=1", false));
    CHECK(flips("gauss:mean=0.5,var=1", true));
    CHECK_FALSE(flips("bernoulli:rho=0.5", true));
    CHECK_FALSE(flips("nonneg-gauss:mean=0,var=1", true));
    FitResult apart = fit_of(x);
    apart.priors = {"one-hot:probabilities=[0.2,0.3,0.5]", "gauss:mean=0,var=1",
                    "gauss:mean=0,var=1"};
    CHECK(canonical_order(apart).source == std::vector<Index>{0, 1, 2});
}

TEST_CASE("signs that a model fixes are not flipped", "[tensor_amp]") {
    const Factors x = normal_factors({6, 7, 8}, 2, 5);
    const auto flipped = [](const FitResult& fit) {
        std::vector<Index> modes;
        const MatrixXd multiplier = canonical_order(fit).multiplier;
        for (Index a = 0; a < multiplier.rows(); ++a)
            if ((multiplier.row(a).array() < 0).any()) modes.push_back(a);
        return modes;
    };
    // Of least squares with one nonnegative mode the others flip in pairs; with two none does.
    FitResult fit = fit_of(x);
    fit.factors[1] = -x[1].cwiseAbs();
    fit.factors[0] = -x[0].cwiseAbs();
    fit.signed_modes = {1};
    CHECK(flipped(fit) == std::vector<Index>{0, 2});
    fit.signed_modes = {0, 1};
    CHECK(flipped(fit).empty());
    // With a prior of fixed sign in one mode, the same.
    fit.signed_modes.clear();
    fit.priors = {"gauss:mean=0,var=1", "gauss:mean=0.8,var=1", "gauss:mean=0,var=1"};
    CHECK(flipped(fit) == std::vector<Index>{0, 2});
    // What is aligned with a reference keeps them, too.
    Factors turned = x;
    for (MatrixXd& factor : turned) factor *= -1;
    turned[2] *= -1; // modes 0 and 1 turned
    // Of modes 0 and 2 the one that fits less gives way.
    turned[0](0, 0) += 0.3 * turned[0].col(0).norm();
    const auto cosines = [&](const FreeSigns& free) {
        return VectorXd(align(x, turned, SimilarityScore::product, free).cosines.col(0));
    };
    const double fit_of_0 = std::abs(x[0].col(0).normalized().dot(turned[0].col(0).normalized()));
    REQUIRE(fit_of_0 < 0.999);
    const Eigen::Vector3d upright(fit_of_0, 1, 1);
    CHECK((cosines(all_signs(3)) - upright).norm() < 1e-12);
    CHECK((cosines({{0, 2}, false}) - Eigen::Vector3d(-fit_of_0, -1, 1)).norm() < 1e-12);
    CHECK((cosines(common_signs(all_signs(3), {{0, 1}, false})) - upright).norm() < 1e-12);

    // One factor for all modes: of odd order it has its sign, of even order all turn together.
    const MatrixXd one = -normal_factor(9, 2, 3).cwiseAbs();
    for (const std::size_t order : {3U, 4U}) {
        FitResult common = fit_of(Factors(order, one));
        common.symmetric = true;
        const FitResult out = in_canonical_order(common);
        for (const MatrixXd& factor : out.factors) CHECK(factor == out.factors.front());
        CHECK((out.factors[0].minCoeff() > 0) == (order == 4));
        const Alignment a = align(Factors(order, -one), common.factors, SimilarityScore::product,
                                  free_signs(common));
        CHECK((a.cosines.minCoeff() > 0) == (order == 4));
    }
    CHECK(common_signs({{0, 1, 2, 3}, true}, all_signs(4)).together);
    CHECK(common_signs({{0, 1, 2, 3}, true}, {{0, 1}, false}).modes.empty());
}

TEST_CASE("overlaps of every sweep stand in the truth's order", "[tensor_amp]") {
    const Factors truth = normal_factors({9, 7, 8}, 2, 11);
    Factors mixed = truth;
    for (std::size_t a = 0; a < 3; ++a) {
        mixed[a].col(0) = (a == 1 ? 1 : -1) * truth[a].col(1);
        mixed[a].col(1) = truth[a].col(0);
        mixed[a].conservativeResize(Eigen::NoChange, 3);
        mixed[a].col(2) = 0.01 * normal_factor(mixed[a].rows(), 1, 50 + a);
    }
    FitResult fit = fit_of(mixed);
    fit.trace.change = VectorXd::Ones(1);
    std::vector<MatrixXd> m, q;
    for (std::size_t a = 0; a < 3; ++a) {
        m.emplace_back(mixed[a].transpose() * truth[a]);
        q.emplace_back(mixed[a].transpose() * mixed[a]);
    }
    fit.trace.truth_overlap = {m};
    fit.trace.self_overlap = {q};
    align_trace(fit, truth);
    for (std::size_t a = 0; a < 3; ++a) {
        const MatrixXd gram = truth[a].transpose() * truth[a];
        CHECK((fit.trace.truth_overlap[0][a] - gram).norm() < 1e-12);
        CHECK((fit.trace.self_overlap[0][a] - gram).norm() < 1e-12);
    }
}
