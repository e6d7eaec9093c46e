// Generated tensors: every entry against the sum over components, moments of factors and noise
// against their priors, masks against what was asked for.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/synthetic.hpp>

#include <catch2/catch.hpp>
#include <tensor_amp/tensor_samples.hpp>

#include <algorithm>
#include <cmath>
#include <map>

using namespace assay;
using namespace assay::tensor_amp;
using assay::tensor_amp::samples::indices;
using Catch::Matchers::Contains;

namespace {

SyntheticSettings settings_of(Shape shape, Index rank, const std::string& prior, double noise) {
    SyntheticSettings s;
    for (std::size_t a = 0; a < shape.size(); ++a) s.priors.push_back(parse_prior(prior, rank));
    s.shape = std::move(shape);
    s.rank = rank;
    s.noise_variance = noise;
    s.seed = 11;
    return s;
}

Synthetic made(const SyntheticSettings& s, int threads = 1) {
    Execution run;
    run.threads = threads;
    return make_synthetic(s, run);
}

// The signal entry by entry.
VectorXd signal_by_loops(const Factors& factors, const Shape& shape) {
    double count = 1;
    for (const Index n : shape) count *= static_cast<double>(n);
    const auto order = static_cast<double>(shape.size());
    const double scale = std::pow(std::pow(count, 1 / order), -(order - 1) / 2);
    VectorXd values = VectorXd::Zero(static_cast<Index>(count));
    for (Index flat = 0; flat < values.size(); ++flat) {
        const auto index = indices(flat, shape);
        for (Index rho = 0; rho < factors[0].cols(); ++rho) {
            double product = scale;
            for (std::size_t a = 0; a < shape.size(); ++a) product *= factors[a](index[a], rho);
            values(flat) += product;
        }
    }
    return values;
}

double variance(const VectorXd& x) {
    return (x.array() - x.mean()).square().mean();
}

} // namespace

TEST_CASE("a tensor without noise is the sum over components", "[tensor_amp]") {
    const Shape shape =
        GENERATE(Shape{7, 5}, Shape{4, 1, 6}, Shape{3, 5, 2, 4}, Shape{2, 3, 2, 2, 3});
    const Index rank = GENERATE(1, 2);
    const Synthetic s = made(settings_of(shape, rank, "gauss:mean=0.3,var=2", 0));
    REQUIRE(s.tensor.shape == shape);
    CHECK(s.tensor.observed.empty());
    CHECK((s.tensor.values - signal_by_loops(s.truth.factors, shape)).cwiseAbs().maxCoeff() <
          1e-13);
}

TEST_CASE("noise is white, of the variance asked for, and a stream of its own", "[tensor_amp]") {
    const Shape shape{60, 50, 41};
    SyntheticSettings s = settings_of(shape, 2, "gauss:mean=0,var=1", 0.7);
    const Synthetic noisy = made(s);
    const VectorXd z = noisy.tensor.values - signal_by_loops(noisy.truth.factors, shape);
    const auto n = static_cast<double>(z.size());
    CHECK(std::abs(z.mean()) < 4 * std::sqrt(0.7 / n));
    CHECK(variance(z) == Approx(0.7).epsilon(4 * std::sqrt(2 / n)));
    CHECK((z.array() / std::sqrt(0.7)).pow(4).mean() == Approx(3).margin(4 * std::sqrt(96 / n)));
    for (const Index lag : {1, 2, 3, 4, 41, 50 * 41}) {
        const Index m = z.size() - lag;
        CHECK(std::abs(z.head(m).dot(z.tail(m))) / (0.7 * n) < 4.5 / std::sqrt(n));
    }
    s.noise_variance = 0;
    CHECK(made(s).truth.factors[1] == noisy.truth.factors[1]);
    s.seed = 12;
    CHECK(made(s).truth.factors[1] != noisy.truth.factors[1]);
}

TEST_CASE("any number of threads makes the same bits", "[tensor_amp]") {
    SyntheticSettings s = settings_of({90, 50, 40}, 2, "gauss:mean=0,var=1", 1);
    s.missing_fraction = 0.2;
    s.missing_blocks = {{{0, 10, 20}, {2, 0, 40}}};
    const Synthetic one = made(s), five = made(s, 5);
    CHECK(one.tensor.values == five.tensor.values);
    CHECK(one.tensor.observed == five.tensor.observed);
}

TEST_CASE("standardized factors have their prior's moments exactly", "[tensor_amp]") {
    SyntheticSettings s =
        settings_of({40, 30, 20}, 2, "gauss:mean=[0.5,-0.2],cov=[[1,0.3],[0.3,2]]", 1);
    s.standardize = true;
    const MatrixXd covariance = (MatrixXd(2, 2) << 1, 0.3, 0.3, 2).finished();
    const VectorXd mean = (VectorXd(2) << 0.5, -0.2).finished();
    for (const MatrixXd& factor : made(s).truth.factors) {
        const VectorXd found = factor.colwise().mean().transpose();
        CHECK((found - mean).norm() < 1e-13);
        const MatrixXd moments = factor.transpose() * factor / static_cast<double>(factor.rows()) -
                                 found * found.transpose();
        CHECK((moments - covariance).norm() < 1e-12);
    }
    s.priors[2] = parse_prior("rademacher", 2);
    CHECK_THROWS_WITH(made(s), Contains("prior of mode 2 is rademacher"));
}

TEST_CASE("a symmetric tensor is one, with noise of its variance", "[tensor_amp]") {
    SyntheticSettings s = settings_of({24, 24, 24}, 2, "gauss:mean=0,var=1", 0.5);
    s.symmetric = true;
    const Synthetic noisy = made(s);
    const auto y = [&](Index i, Index j, Index k) {
        return noisy.tensor.values((i * 24 + j) * 24 + k);
    };
    const MatrixXd& x = noisy.truth.factors[0];
    CHECK(x == noisy.truth.factors[2]);
    // In model units: sqrt(2) times the product of three draws of the prior.
    CHECK(std::pow(symmetric_unit(3), 3) == Approx(std::sqrt(2.0)));
    CHECK(std::pow(symmetric_unit(4), 4) == Approx(std::sqrt(6.0)));
    SyntheticSettings plain = s;
    plain.symmetric = false;
    CHECK((x - symmetric_unit(3) * made(plain).truth.factors[0]).norm() < 1e-12);
    double sum = 0, count = 0;
    for (Index i = 0; i < 24; ++i)
        for (Index j = 0; j <= i; ++j)
            for (Index k = 0; k <= j; ++k) {
                const double value = y(i, j, k);
                for (const double other :
                     {y(i, k, j), y(j, i, k), y(j, k, i), y(k, i, j), y(k, j, i)})
                    REQUIRE(other == value);
                if (i == j || j == k) {
                    REQUIRE(value == 0);
                    continue;
                }
                double expected = 0;
                for (Index rho = 0; rho < 2; ++rho)
                    expected += 1.0 / 24 * x(i, rho) * x(j, rho) * x(k, rho);
                sum += (value - expected) * (value - expected);
                ++count;
            }
    CHECK(sum / count == Approx(0.5).epsilon(4 * std::sqrt(2 / count)));
    s.shape = {24, 24, 25};
    CHECK_THROWS_WITH(made(s), Contains("24 x 24 x 25; equal dimensions"));
}

TEST_CASE("missing entries: their share, and blocks", "[tensor_amp]") {
    SyntheticSettings s = settings_of({30, 40, 20}, 1, "gauss:mean=0,var=1", 1);
    s.missing_fraction = 0.3;
    s.missing_blocks = {{{0, 5, 10}, {2, 10, 20}}, {{1, 39, 40}}};
    const DenseTensor tensor = made(s).tensor;
    double open = 0, outside = 0;
    for (Index flat = 0; flat < tensor.values.size(); ++flat) {
        const auto i = indices(flat, s.shape);
        const bool block = (i[0] >= 5 && i[0] < 10 && i[2] >= 10) || i[1] == 39;
        const bool seen = tensor.observed[static_cast<std::size_t>(flat)] == 1;
        if (block) REQUIRE_FALSE(seen);
        if (!seen) REQUIRE(tensor.values(flat) == 0);
        if (block) continue;
        ++outside;
        open += seen ? 1 : 0;
    }
    CHECK(open / outside == Approx(0.7).margin(4 * std::sqrt(0.21 / outside)));
    s.missing_blocks = {{{0, 25, 31}}};
    CHECK_THROWS_WITH(made(s), Contains("25:31 of mode 0, which has 30"));
    s.missing_blocks = {{{3, 0, 1}}};
    CHECK_THROWS_WITH(made(s), Contains("mode 3"));
    s.missing_blocks = {{{1, 0, 40}}};
    CHECK_THROWS_WITH(made(s), Contains("nothing is left"));
}

TEST_CASE("noise that differs between slices", "[tensor_amp]") {
    SyntheticSettings s = settings_of({8, 300, 200}, 1, "gauss:mean=0,var=1", 2);
    s.noise_mode = 0;
    s.noise_spread = 0.8;
    const Synthetic noisy = made(s);
    const VectorXd z = noisy.tensor.values - signal_by_loops(noisy.truth.factors, s.shape);
    REQUIRE(noisy.truth.slice_noise.size() == 8);
    CHECK(noisy.truth.slice_noise.mean() == Approx(2).epsilon(1e-12));
    CHECK(noisy.truth.slice_noise.maxCoeff() > 2 * noisy.truth.slice_noise.minCoeff());
    for (Index i = 0; i < 8; ++i)
        CHECK(z.segment(i * 60000, 60000).squaredNorm() / 60000 ==
              Approx(noisy.truth.slice_noise(i)).epsilon(4 * std::sqrt(2.0 / 60000)));
}

TEST_CASE("the neural setting", "[tensor_amp]") {
    SyntheticSettings s;
    s.shape = {80, 100, 90};
    s.rank = 4;
    s.snr = 0.5;
    s.factors = neural_factors(s.shape, 3);
    const Synthetic neural = made(s);
    const VectorXd w = signal_by_loops(neural.truth.factors, s.shape);
    const VectorXd z = neural.tensor.values - w;
    CHECK(variance(w) / variance(z) == Approx(0.5).epsilon(0.01));
    CHECK(neural.truth.noise_variance == Approx(2 * variance(w)).epsilon(1e-10));
    // Entries of order 1, and peaks where they are to be.
    CHECK(w.maxCoeff() > 1);
    CHECK(w.maxCoeff() < 20);
    for (Index rho = 0; rho < 4; ++rho) {
        Index peak = 0;
        neural.truth.factors[1].col(rho).maxCoeff(&peak);
        CHECK(std::abs(static_cast<double>(peak) / 99 -
                       std::vector<double>{0.2, 0.35, 0.5, 0.7}[static_cast<std::size_t>(rho)]) <
              0.006);
    }
    CHECK(neural.truth.factors[0].minCoeff() >= 0);
    CHECK_THROWS_WITH(neural_factors({5, 5}, 0), Contains("three"));
}

TEST_CASE("presets can be made", "[tensor_amp]") {
    for (const Preset& preset : presets()) {
        INFO(preset.name);
        SyntheticSettings s;
        s.rank = preset.rank;
        for (const std::string& prior : preset.priors)
            s.priors.push_back(parse_prior(prior, preset.rank));
        for (const Index n : preset.shape) s.shape.push_back(n / 10);
        if (preset.priors.empty()) s.factors = neural_factors(s.shape, 0);
        CHECK(made(s).tensor.values.allFinite());
    }
}

TEST_CASE("presets are what their names stand for", "[tensor_amp]") {
    struct Expected {
        const char* name;
        Shape shape;
        MatrixXd means; // mode x component
    };
    const auto preset = [](const std::string& name) {
        const auto& all = presets();
        return *std::find_if(all.begin(), all.end(),
                             [&](const Preset& one) { return one.name == name; });
    };
    for (const Expected& e :
         {Expected{"cubic-zero", {100, 100, 100}, MatrixXd::Zero(3, 1)},
          Expected{"noncubic", {100, 200, 400}, MatrixXd::Constant(3, 1, 0.2)},
          Expected{"one-mean", {150, 200, 250}, (MatrixXd(3, 1) << 0.8, 0, 0).finished()},
          Expected{"rank2",
                   {200, 250, 300},
                   (MatrixXd(3, 2) << 0.8, 0.2, 0.6, -0.3, 0.7, 0.4).finished()},
          Expected{"order4", {40, 50, 60, 70}, MatrixXd::Constant(4, 1, 0.7)}}) {
        INFO(e.name);
        const Preset found = preset(e.name);
        CHECK(found.shape == e.shape);
        REQUIRE(found.rank == e.means.cols());
        REQUIRE(static_cast<Index>(found.priors.size()) == e.means.rows());
        for (Index a = 0; a < e.means.rows(); ++a) {
            const PriorPointer prior =
                parse_prior(found.priors[static_cast<std::size_t>(a)], found.rank);
            const VectorXd mean = e.means.row(a).transpose();
            CHECK((prior->mean() - mean).norm() < 1e-12);
            CHECK((prior->second_moment() - mean * mean.transpose() -
                   MatrixXd::Identity(found.rank, found.rank))
                      .norm() < 1e-12);
        }
    }
    CHECK(preset("neural").shape == Shape{80, 100, 90});
    CHECK(preset("neural").rank == 4);
    for (const std::string& prior : preset("sparse").priors)
        CHECK(prior.rfind("gauss-bernoulli:", 0) == 0);
}

TEST_CASE("settings that cannot be", "[tensor_amp]") {
    SyntheticSettings s = settings_of({10, 9, 8}, 2, "gauss:mean=0,var=1", 1);
    const auto with = [&](const std::function<void(SyntheticSettings&)>& change) {
        SyntheticSettings changed = s;
        change(changed);
        return changed;
    };
    const std::vector<std::pair<std::function<void(SyntheticSettings&)>, std::string>> cases{
        {[](auto& c) { c.shape = {10}; }, "1 mode; 2 to 8"},
        {[](auto& c) { c.shape = Shape(9, 2); }, "9 modes; 2 to 8"},
        {[](auto& c) {
             c.shape = {10, 0, 8};
         },
         "mode 1 is empty"},
        {[](auto& c) { c.rank = 0; }, "rank 0: at least 1"},
        {[](auto& c) { c.rank = 73; }, "at most 72 (the product of the modes but 0)"},
        {[](auto& c) { c.noise_variance = -1; }, "noise variance -1"},
        {[](auto& c) { c.snr = 0; }, "snr 0"},
        {[](auto& c) { c.missing_fraction = 1; }, "missing fraction 1"},
        {[](auto& c) { c.noise_mode = 3; }, "modes 0 to 2"},
        {[](auto& c) { c.noise_spread = 1; }, "needs the mode"},
        {[](auto& c) { c.priors.pop_back(); }, "2 priors for 3 modes"},
        {[](auto& c) { c.priors[1] = parse_prior("gauss:mean=0,var=1", 1); },
         "the prior of mode 1 has rank 1; rank 2 is expected"},
        {[](auto& c) { c.memory_bytes = 1000; }, "more than the 1000 B allowed"}};
    for (const auto& [change, message] : cases)
        CHECK_THROWS_WITH(made(with(change)), Contains(message));
}
