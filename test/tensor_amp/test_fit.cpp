// Whole fits: least squares as baseline, units of the data, choice of rank, sweeps.
#include "instance.hpp"

#include <assay/core/error.hpp>
#include <assay/core/keeping.hpp>
#include <assay/tensor_amp/alignment.hpp>
#include <assay/tensor_amp/rank_choice.hpp>
#include <assay/tensor_amp/starts.hpp>
#include <assay/tensor_amp/sweep.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>

#include <catch2/catch.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::Contains;

namespace {

FitSettings settings_for(const tensor_test::Instance& one, Index rank) {
    FitSettings settings;
    settings.rank = rank;
    settings.priors = one.priors;
    return settings;
}

} // namespace

TEST_CASE("message passing is nowhere worse than the least squares it starts from",
          "[tensor_amp][fit]") {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const auto one = tensor_test::make_instance({50, 60, 70}, {"gauss"}, 2, 0.03, seed);
        const MemoryTensor source(one.tensor);
        FitSettings settings = settings_for(one, 2);
        settings.noise_variance = 0.03;
        const FitResult amp = fit_tensor(source, settings, {});
        settings.algorithm = Algorithm::als;
        settings.restarts = 10;
        settings.start = Start::random;
        const FitResult als = fit_tensor(source, settings, {});
        const double ours = tensor_test::signal_error(amp.factors, one.truth);
        INFO("seed " << seed);
        CHECK(amp.status == "converged");
        CHECK(ours < 0.3);
        CHECK(ours <= tensor_test::signal_error(als.factors, one.truth));
        CHECK(amp.weights(0) >= amp.weights(1));
        // Weights and unit columns are the same model.
        Factors again = amp.unit_factors;
        again[0] = again[0] * amp.weights.asDiagonal() / signal_scale(one.shape);
        CHECK(tensor_test::signal_error(again, amp.factors) < 1e-12);
        // What is explained, against the residual by brute force.
        double residual = 0;
        for (Index e = 0; e < one.tensor.values.size(); ++e) {
            const Index i = e / 4200, j = e / 70 % 60, k = e % 70;
            const double model = signal_scale(one.shape) *
                                 (amp.factors[0].row(i).array() * amp.factors[1].row(j).array() *
                                  amp.factors[2].row(k).array())
                                     .sum();
            residual += std::pow(one.tensor.values(e) - model, 2);
        }
        CHECK(amp.explained_variance ==
              Approx(1 - residual /
                             (one.tensor.values.array() - one.tensor.values.mean()).square().sum())
                  .epsilon(1e-9));
    }
}

TEST_CASE("the units of the data do not matter where noise and priors are learned",
          "[tensor_amp][fit]") {
    auto one = tensor_test::make_instance({30, 40, 50}, {"gauss:mean=0.3"}, 2, 0.02, 3);
    std::vector<FitResult> fits;
    for (const double unit : {1.0, 1e-4, 3e5}) {
        DenseTensor tensor = one.tensor;
        tensor.values *= unit;
        const MemoryTensor source(tensor);
        FitSettings settings = settings_for(one, 2);
        settings.amp.learn_noise = settings.amp.learn_priors = true;
        fits.push_back(fit_tensor(source, settings, {}));
        CHECK(fits.back().noise_variance / (unit * unit) == Approx(0.02).epsilon(0.03));
        CHECK(fits.back().weights(0) / unit == Approx(fits.front().weights(0)).epsilon(1e-4));
        for (std::size_t a = 0; a < 3; ++a)
            CHECK((fits.back().unit_factors[a] - fits.front().unit_factors[a]).norm() < 1e-3);
    }
}

TEST_CASE("starts: prior means, draws, and the truth with noise", "[tensor_amp][fit]") {
    const std::vector<PriorPointer> priors{parse_prior("gauss:mean=[1,1]", 2),
                                           parse_prior("exponential", 2)};
    const Shape shape{4000, 3000};
    const Factors means = prior_mean_start(shape, priors, 1);
    CHECK((means[0].array() - 1).abs().maxCoeff() < 0.01);
    CHECK((means[0].array() - 1).abs().maxCoeff() > 0); // components must not stay alike
    const Factors draws = random_start(shape, priors, 1),
                  others = random_start(shape, priors, 1, 1);
    CHECK(draws[1].minCoeff() >= 0);
    CHECK(draws[1].mean() == Approx(1).margin(0.06));
    CHECK((draws[0] - others[0]).norm() > 10);
    // Modes do not share their draws, nor a replicate those of another mode.
    CHECK((draws[0].topRows(3000) - others[1]).norm() > 10);
    const Factors near = informed_start(draws, 3, 0.5, 2);
    CHECK(near[0].cols() == 3);
    const double size = std::sqrt(draws[0].squaredNorm() / 8000);
    CHECK((near[0].leftCols(2) - draws[0]).norm() / std::sqrt(8000) ==
          Approx(0.5 * size).epsilon(0.05));
    CHECK((informed_start(draws, 1, 0, 2)[1] - draws[1].leftCols(1)).norm() == 0);
    const Factors exact = informed_start(draws, 2, 0.5, 2, 0, {1});
    CHECK(exact[1] == draws[1]);
    CHECK(exact[0] == near[0].leftCols(2));
    CHECK_THROWS_WITH(informed_start(draws, 3, 0.5, 2, 0, {1}),
                      Contains("mode 1 is to stay as it is given, with 2 components; 3 are"));
}

TEST_CASE("the evidence chooses the number of components", "[tensor_amp][fit][rank]") {
    for (std::uint64_t seed = 0; seed < 3; ++seed)
        for (const double noise : {0.01, 0.03}) {
            const auto one = tensor_test::make_instance({50, 60, 70}, {"gauss"}, 3, noise, seed);
            RankChoiceSettings settings;
            settings.ranks = {1, 2, 3, 4, 5};
            settings.priors.assign(3, "gauss:mean=0,var=1");
            settings.fit.noise_variance = noise;
            settings.restarts = 2;
            INFO("seed " << seed << " noise " << noise);
            CHECK(choose_rank(MemoryTensor(one.tensor), settings, {}).by_evidence() == 3);
        }
    const auto one = tensor_test::make_instance({30, 35, 40}, {"gauss"}, 2, 0.003, 9);
    RankChoiceSettings settings;
    settings.ranks = {1, 2, 3};
    settings.priors.assign(3, "gauss:mean=0,var=1");
    settings.fit.amp.learn_noise = settings.fit.amp.learn_priors = true;
    settings.fit.amp.tie_components = true;
    settings.cross_validation = settings.core_consistency = settings.similarity = true;
    settings.folds = 3;
    for (const HoldOut kind : {HoldOut::speckled, HoldOut::block}) {
        settings.hold_out = kind;
        settings.block_mode = 1;
        const RankChoice choice = choose_rank(MemoryTensor(one.tensor), settings, {});
        CHECK(choice.by_evidence() == 2);
        CHECK(choice.by_cross_validation() == 2);
        CHECK(choice.by_similarity() == 2);
        CHECK(choice.core_consistency(0) == Approx(100).margin(1e-6));
        // Prediction of what was held out is limited by noise alone.
        const double square = one.tensor.values.squaredNorm() / 42000;
        CHECK(choice.cv_error(1) == Approx(0.003 / square).epsilon(0.15));
    }
}

TEST_CASE("evidence peaks at the rank, core consistency is high up to it and one beyond",
          "[tensor_amp][fit][rank]") {
    const auto one = tensor_test::make_instance({80, 100, 125}, {"gauss"}, 3, 0.01, 4);
    RankChoiceSettings settings;
    settings.ranks = {1, 2, 3, 4, 5, 6};
    settings.priors.assign(3, "gauss:mean=0,var=1");
    settings.fit.noise_variance = 0.01;
    settings.restarts = 1;
    settings.core_consistency = true;
    const RankChoice choice = choose_rank(MemoryTensor(one.tensor), settings, {});
    CHECK(choice.by_evidence() == 3);
    INFO(choice.core_consistency.transpose());
    CHECK(choice.core_consistency.head(4).minCoeff() > 60);
}

TEST_CASE("every criterion of the rank has as many starts as were asked for",
          "[tensor_amp][fit][rank]") {
    const auto one = tensor_test::make_instance({12, 13, 14}, {"gauss"}, 2, 0.003, 9);
    for (const bool evidence : {true, false}) {
        RankChoiceSettings settings;
        settings.ranks = {2};
        settings.priors.assign(3, "gauss:mean=0,var=1");
        settings.fit.noise_variance = 0.003;
        settings.evidence = evidence;
        settings.cross_validation = !evidence;
        settings.folds = 2;
        settings.restarts = 3;
        Keeping<RankProgress> keeping;
        keeping.save_every = 0;
        std::size_t starts = 0;
        keeping.save = [&](const RankProgress& progress) {
            starts = std::max(starts, progress.fit.starts.size());
        };
        static_cast<void>(choose_rank(MemoryTensor(one.tensor), settings, {}, keeping));
        CHECK(starts == 3);
    }
}

TEST_CASE("message passing beats least squares in the neural setting", "[tensor_amp][fit]") {
    for (const double snr : {1.0, 0.05}) {
        SyntheticSettings model;
        model.shape = {80, 100, 90};
        model.rank = 4;
        model.snr = snr;
        model.factors = neural_factors(model.shape, 1);
        model.seed = 1;
        const Synthetic made = make_synthetic(model, {});
        const MemoryTensor source(made.tensor);
        FitSettings settings;
        settings.rank = 4;
        settings.priors.assign(3, parse_prior("gauss", 4));
        settings.amp.learn_noise = settings.amp.learn_priors = true;
        const FitResult amp = fit_tensor(source, settings, {});
        settings.algorithm = Algorithm::als;
        settings.start = Start::random;
        const FitResult als = fit_tensor(source, settings, {});
        const Factors& truth = made.truth.factors;
        INFO("SNR " << snr);
        CHECK(tensor_test::signal_error(amp.factors, truth) <
              0.95 * tensor_test::signal_error(als.factors, truth));
        // Against the noise that was drawn.
        double square = 0;
        const double scale = signal_scale(model.shape);
        for (Index i = 0; i < 80; ++i)
            for (Index j = 0; j < 100; ++j) {
                const VectorXd w =
                    scale * truth[2] * truth[0].row(i).cwiseProduct(truth[1].row(j)).transpose();
                square += (made.tensor.values.segment((i * 100 + j) * 90, 90) - w).squaredNorm();
            }
        CHECK(amp.noise_variance == Approx(square / 720000).epsilon(1e-3));
    }
}

// 1 = observed, but not in what a fold is fitted to.
std::vector<std::uint8_t> held_out_of(const DenseTensor& tensor, const RankChoiceSettings& settings,
                                      int fold) {
    const MemoryTensor whole(tensor);
    const auto kept = whole.without(held_out_entries(tensor.shape, settings, fold), {});
    std::vector<std::uint8_t> held(static_cast<std::size_t>(whole.size()), 1);
    kept->visit(Content::observed, [&](const RowBlock& block) {
        for (std::size_t e = 0; e < held.size(); ++e) {
            const bool before = tensor.observed.empty() || tensor.observed[e] != 0;
            CHECK_FALSE((block.observed[e] == 1 && !before));
            held[e] = before && block.observed[e] == 0 ? 1 : 0;
        }
    });
    return held;
}

TEST_CASE("what a fold holds out", "[tensor_amp][fit][rank]") {
    DenseTensor tensor;
    tensor.shape = {20, 30, 25};
    tensor.values = VectorXd::Ones(15000);
    tensor.observed.assign(15000, 1);
    for (std::size_t e = 0; e < 15000; e += 3) tensor.observed[e] = 0;
    RankChoiceSettings settings;
    settings.held_out = 0.2;
    const auto speckled = held_out_of(tensor, settings, 0);
    const auto other = held_out_of(tensor, settings, 1);
    int count = 0, common = 0;
    for (std::size_t e = 0; e < 15000; ++e) {
        CHECK_FALSE((speckled[e] == 1 && tensor.observed[e] == 0));
        count += speckled[e];
        common += speckled[e] == 1 && other[e] == 1;
    }
    CHECK(count == Approx(0.2 * 10000).epsilon(0.1));
    CHECK(common == Approx(0.04 * 10000).epsilon(0.25));
    tensor.observed.clear();
    settings.hold_out = HoldOut::block;
    settings.block_mode = 1;
    const auto block = held_out_of(tensor, settings, 0);
    for (Index i = 0; i < 20; ++i)
        for (Index k = 0; k < 25; ++k) {
            int held = 0, borders = 0;
            for (Index j = 0; j < 30; ++j) {
                const auto entry = [&](Index at) {
                    return block[static_cast<std::size_t>((i * 30 + at % 30) * 25 + k)];
                };
                held += entry(j);
                borders += entry(j) != entry(j + 1);
            }
            CHECK(held == 6);
            CHECK(borders == 2);
        }
}

TEST_CASE("parts of a sweep are the whole, and theory agrees with it", "[tensor_amp][fit][sweep]") {
    SweepSettings settings;
    settings.model.shape = {40, 50, 60};
    settings.model.standardize = true;
    settings.priors.assign(3, "gauss:mean=0.6,var=1");
    for (const std::string& text : settings.priors)
        settings.model.priors.push_back(parse_prior(text, 1));
    settings.noise_variances = (VectorXd(2) << 0.1, 0.3).finished();
    settings.algorithms = {parse_sweep_algorithm("amp:prior-mean"), parse_sweep_algorithm("als:2")};
    settings.instances = 6;
    const Sweep whole = run_sweep(settings, {});
    CHECK(whole.rows.size() == 24);
    settings.parts = 3;
    std::vector<Sweep> parts;
    for (settings.part = 0; settings.part < 3; ++settings.part)
        parts.push_back(run_sweep(settings, {}));
    const Sweep merged = merge_sweeps({parts[2], parts[0], parts[1]});
    REQUIRE(merged.rows.size() == 24);
    for (std::size_t k = 0; k < 24; ++k) {
        CHECK(merged.rows[k].signal_error == whole.rows[k].signal_error);
        CHECK(merged.rows[k].algorithm == whole.rows[k].algorithm);
    }
    for (Index noise = 0; noise < 2; ++noise) {
        const SweepSummary amp = merged.summary(noise, 0), als = merged.summary(noise, 1);
        const double theory =
            merged.theory[static_cast<std::size_t>(noise)].signal_error_uninformed;
        CHECK(amp.signal_error == Approx(theory).epsilon(0.1));
        CHECK(amp.signal_error < als.signal_error);
        CHECK(amp.success == 1);
    }
    CHECK_THROWS_WITH(merge_sweeps({parts[0], parts[1]}), Contains("shard 3 of 3 is missing"));
    CHECK_THROWS_WITH(merge_sweeps({parts[0], parts[1], parts[1]}),
                      Contains("shard 2 is given twice"));
    parts[2].seed = 5;
    CHECK_THROWS_WITH(merge_sweeps(parts), Contains("shard 3: another sweep"));
    for (const char* text : {"amp:truth", "als:0", "als:x", "svd", "amp:2", "amp:spectral:0",
                             "amp:spectral:2:3", "als:2:3", ""})
        CHECK_THROWS_WITH(parse_sweep_algorithm(text), Contains("is expected"));
    CHECK(parse_sweep_algorithm("vb:random").start == Start::random);
    CHECK(parse_sweep_algorithm("vb:random").restarts == 1);
    CHECK(parse_sweep_algorithm("amp:spectral:4").start == Start::spectral);
    CHECK(parse_sweep_algorithm("amp:spectral:4").restarts == 4);
    CHECK(parse_sweep_algorithm("hals:10").restarts == 10);
}

// log of the likelihood of noise alone, per N.
double noise_alone(const DenseTensor& tensor, Index inner, const VectorXd& noise_of_slices) {
    double total = 0;
    for (Index e = 0; e < tensor.values.size(); ++e) {
        const double noise = noise_of_slices(e / inner % noise_of_slices.size());
        total -= 0.5 * (std::log(noise) + tensor.values(e) * tensor.values(e) / noise);
    }
    return total / mean_dimension(tensor.shape);
}

TEST_CASE("the best restart is the one of largest evidence", "[tensor_amp][fit]") {
    // Noise of mode 0's slices that differs a hundredfold, learned; every restart also alone.
    auto one = tensor_test::make_instance({16, 18, 20}, {"gauss"}, 3, 1e-12, 2);
    const Random random(8, "tensor-amp/test-slices");
    const VectorXd spread =
        VectorXd::LinSpaced(16, -1, 1).unaryExpr([](double x) { return 0.1 * std::pow(10.0, x); });
    for (Index e = 0; e < one.tensor.values.size(); ++e)
        one.tensor.values(e) +=
            std::sqrt(spread(e / 360)) * random.normal(static_cast<std::uint64_t>(e));
    const MemoryTensor source(one.tensor);
    for (const bool slices : {true, false})
        for (const Algorithm algorithm : {Algorithm::amp, Algorithm::vb}) {
            FitSettings settings = settings_for(one, 3);
            settings.algorithm = algorithm;
            settings.amp.learn_noise = true;
            settings.amp.max_iterations = 60;
            settings.noise_variance = 0.3;
            if (slices) settings.noise_mode = 0;
            settings.start = Start::random;
            settings.restarts = 6;
            const FitResult all = fit_tensor(source, settings, {});
            VectorXd evidence(6);
            std::vector<FitResult> alone;
            for (std::uint64_t k = 0; k < 6; ++k) {
                FitSettings single = settings;
                single.restarts = 1;
                single.start = Start::given;
                single.given = random_start(one.shape, one.priors, settings.seed, k);
                alone.push_back(fit_tensor(source, single, {}));
                const FitResult& fit = alone.back();
                const VectorXd noise =
                    slices ? fit.slice_noise : VectorXd::Constant(1, fit.noise_variance);
                evidence(static_cast<Index>(k)) =
                    fit.bethe_free_entropy.value_or(fit.elbo.value_or(NAN)) +
                    noise_alone(one.tensor, 360, noise);
            }
            INFO("slices " << slices << " algorithm " << static_cast<int>(algorithm) << "\n"
                           << evidence.transpose() << "\n"
                           << all.restarts.objective.transpose());
            // They differ, and by the same numbers.
            CHECK(evidence.maxCoeff() - evidence.minCoeff() > 1e-3);
            const VectorXd told = all.restarts.objective.array() - all.restarts.objective(0);
            const VectorXd expected = evidence.array() - evidence(0);
            CHECK((told - expected).norm() < 1e-6 * expected.norm());
            // A collapsed or diverged one is the best only among its like.
            const auto usable = [&](Index k) {
                const std::string& status = alone[static_cast<std::size_t>(k)].status;
                return status == "converged" || status == "max-iter";
            };
            bool some = false;
            for (Index k = 0; k < 6; ++k) some = some || usable(k);
            Index best = -1;
            for (Index k = 0; k < 6; ++k)
                if ((usable(k) || !some) && (best < 0 || evidence(k) > evidence(best))) best = k;
            CHECK(all.noise_variance ==
                  Approx(alone[static_cast<std::size_t>(best)].noise_variance).epsilon(1e-9));
        }
}

TEST_CASE("nonnegative least squares stays nonnegative in what is written", "[tensor_amp][fit]") {
    auto one = tensor_test::make_instance({12, 13, 14}, {"exponential"}, 2, 0.01, 4);
    one.tensor.values = -one.tensor.values; // so that the last mode must take the sign
    const MemoryTensor source(one.tensor);
    FitSettings settings;
    settings.rank = 2;
    settings.algorithm = Algorithm::hals;
    settings.restarts = 3;
    settings.start = Start::random;
    settings.als.nonnegative_modes = {1, 2};
    const FitResult fit = fit_tensor(source, settings, {});
    CHECK(fit.signed_modes == std::vector<Index>{1, 2});
    CHECK(fit.explained_variance > 0.6);
    CHECK(fit.factors[1].minCoeff() >= 0);
    CHECK(fit.factors[2].minCoeff() >= 0);
    CHECK(fit.factors[0].maxCoeff() < 0.1 * -fit.factors[0].minCoeff());
}

TEST_CASE("modes that are given stay in least squares", "[tensor_amp][fit]") {
    const auto one = tensor_test::make_instance({12, 13, 14}, {"gauss"}, 2, 1e-6, 4);
    const MemoryTensor source(one.tensor);
    FitSettings settings;
    settings.rank = 2;
    settings.algorithm = Algorithm::als;
    settings.start = Start::given;
    settings.given = random_start(one.shape, one.priors, 8);
    settings.given[1] = -one.truth[1];
    settings.als.fixed_modes = {1};
    const FitResult fit = fit_tensor(source, settings, {});
    CHECK(fit.signed_modes == std::vector<Index>{1});
    CHECK(tensor_test::signal_error(fit.factors, one.truth) < 1e-4);
    for (Index k = 0; k < 2; ++k) {
        const auto given = settings.given[1].col(k);
        const double cosine =
            fit.factors[1].col(0).dot(given) / (fit.factors[1].col(0).norm() * given.norm());
        const double other =
            fit.factors[1].col(1).dot(given) / (fit.factors[1].col(1).norm() * given.norm());
        CHECK(std::max(cosine, other) == Approx(1).epsilon(1e-9));
    }
}

TEST_CASE("modes that are given keep their bits", "[tensor_amp][fit]") {
    auto one = tensor_test::make_instance({12, 13, 14}, {"gauss"}, 3, 1e-4, 6);
    // Rising weights, and signs that no convention would choose.
    for (Index k = 0; k < 3; ++k) one.truth[0].col(k) *= std::pow(4, static_cast<double>(k));
    one.truth[1] = -one.truth[1].cwiseAbs();
    tensor_test::make_tensor(one, 1e-4, 6);
    const MemoryTensor source(one.tensor);
    FitSettings settings;
    settings.rank = 3;
    settings.algorithm = GENERATE(Algorithm::als, Algorithm::hals);
    settings.start = GENERATE(Start::informed, Start::given);
    settings.start_noise = 0.3;
    settings.given = one.truth;
    settings.als.fixed_modes = {0, 1};
    settings.als.nonnegative_modes = {2};
    const FitResult fit = fit_tensor(source, settings, {});
    CHECK(fit.factors[0] == one.truth[0]);
    CHECK(fit.factors[1] == one.truth[1]);
}

TEST_CASE("core consistency of nonnegative priors is that of nonnegative fits",
          "[tensor_amp][fit][rank]") {
    // Of a matrix-like tensor with signs, only one of several components can be nonnegative.
    auto one = tensor_test::make_instance({10, 11, 12}, {"gauss"}, 2, 1e-4, 6);
    RankChoiceSettings settings;
    settings.ranks = {2};
    settings.evidence = false;
    settings.core_consistency = true;
    settings.priors.assign(3, "gauss:mean=0,var=1");
    settings.fit.noise_variance = 1e-4;
    const double free = choose_rank(MemoryTensor(one.tensor), settings, {}).core_consistency(0);
    settings.priors.assign(3, "nonneg-gauss:mean=0,var=1");
    const double nonnegative =
        choose_rank(MemoryTensor(one.tensor), settings, {}).core_consistency(0);
    CHECK(free > 99);
    CHECK(std::abs(nonnegative - free) > 1);
}

TEST_CASE("a common factor of either sign stays common", "[tensor_amp][fit][symmetric]") {
    for (const double mean : {0.9, -0.9}) {
        SyntheticSettings model;
        model.shape = {60, 60, 60};
        model.priors.assign(3, parse_prior("gauss:var=1,mean=" + std::to_string(mean), 1));
        model.noise_variance = 0.05;
        model.symmetric = true;
        const Synthetic made = make_synthetic(model, {});
        FitSettings settings;
        settings.symmetric = true;
        settings.priors.assign(3, parse_prior("gauss:mean=0,var=1", 1));
        settings.noise_variance = 0.05;
        const MemoryTensor source(made.tensor);
        const FitResult fit = fit_tensor(source, settings, {});
        CHECK(fit.symmetric);
        for (std::size_t a = 0; a < 3; ++a) {
            CHECK(fit.factors[a] == fit.factors[0]);
            CHECK(fit.factors[a].col(0).dot(made.truth.factors[a].col(0)) > 0);
        }
        CHECK(tensor_test::signal_error(fit.factors, made.truth.factors) < 0.12);
    }
}

TEST_CASE("a tensor of zeros has nothing to explain", "[tensor_amp][fit]") {
    DenseTensor zero;
    zero.shape = {6, 7, 8};
    zero.values = VectorXd::Zero(336);
    const MemoryTensor source(zero);
    for (const Algorithm algorithm : {Algorithm::amp, Algorithm::vb, Algorithm::als}) {
        FitSettings settings;
        settings.algorithm = algorithm;
        settings.rank = 2;
        settings.priors.assign(3, parse_prior("gauss:mean=0,var=1", 2));
        settings.amp.learn_noise = settings.amp.learn_priors = true;
        if (algorithm == Algorithm::als) settings.start = Start::random;
        const FitResult fit = fit_tensor(source, settings, {});
        INFO(fit.algorithm << " " << fit.status);
        CHECK(fit.explained_variance == 0);
        CHECK(fit.weights.norm() == 0);
        for (const MatrixXd& factor : fit.factors) CHECK(factor.allFinite());
    }
}

TEST_CASE("tied modes begin with one prior, a start that is given is run once",
          "[tensor_amp][fit]") {
    const auto one = tensor_test::make_instance({8, 9, 10}, {"gauss"}, 1, 0.1, 1);
    const MemoryTensor source(one.tensor);
    FitSettings settings = settings_for(one, 1);
    settings.noise_variance = 0.1;
    settings.amp.learn_priors = settings.amp.tie_modes = true;
    settings.priors[1] = parse_prior("rademacher", 1);
    CHECK_THROWS_WITH(fit_tensor(source, settings, {}), Contains("the prior of mode 1 is radem"));
    settings.priors = one.priors;
    const FitResult tied = fit_tensor(source, settings, {});
    CHECK(tied.priors[0] != one.priors[0]->describe());
    // Signs of means turn with those of factors.
    const auto moments = [&](std::size_t a) {
        const auto prior = parse_prior(tied.priors[a], 1);
        return Eigen::Vector2d(std::abs(prior->mean()(0)), prior->second_moment()(0, 0));
    };
    CHECK((moments(0) - moments(1)).norm() < 1e-14);
    CHECK((moments(0) - moments(2)).norm() < 1e-14);
    settings.start = Start::given;
    settings.given = one.truth;
    settings.restarts = 2;
    CHECK_THROWS_WITH(fit_tensor(source, settings, {}), Contains("2 restarts from one start"));
    settings.restarts.reset();
    settings.algorithm = Algorithm::als;
    CHECK(fit_tensor(source, settings, {}).restarts.objective.size() == 1);
}

TEST_CASE("symmetric tensors follow the theory of cubic ones", "[tensor_amp][fit][symmetric]") {
    // Gaussian state evolution of equal overlaps: q = m^2 + 1 - 1 / (1 + q^2 / Delta).
    double q = 0.36;
    for (int step = 0; step < 500; ++step) q = 0.36 + 1 - 1 / (1 + q * q / 0.6);
    constexpr Index size = 130;
    double overlap = 0, own = 0, claimed = 0, error = 0;
    constexpr int seeds = 4;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SyntheticSettings model;
        model.shape = {size, size, size};
        model.priors.assign(3, parse_prior("gauss:mean=0.6", 1));
        model.noise_variance = 0.6;
        model.symmetric = model.standardize = true;
        model.seed = seed;
        const Synthetic made = make_synthetic(model, {});
        const MemoryTensor source(made.tensor);
        FitSettings settings;
        settings.symmetric = true;
        settings.priors = model.priors;
        settings.start = Start::prior_mean;
        settings.noise_variance = 0.6;
        const FitResult fit = fit_tensor(source, settings, {});
        CHECK(fit.status == "converged");
        const double unit = symmetric_unit(3) * symmetric_unit(3) * size * seeds;
        overlap += fit.factors[0].col(0).dot(made.truth.factors[0].col(0)) / unit;
        own += fit.factors[0].squaredNorm() / unit;
        claimed += fit.covariances[0](0, 0) * size;
        error += (fit.factors[0] - made.truth.factors[0]).squaredNorm();
        CHECK((fit.factors[0] - fit.factors[2]).norm() == 0);
        if (seed > 0) continue;
        settings.noise_variance.reset();
        settings.amp.learn_noise = true;
        settings.start = Start::spectral;
        CHECK(fit_tensor(source, settings, {}).noise_variance == Approx(0.6).epsilon(0.02));
    }
    // Where the signal counts in every entry: those with repeated indices are no residual.
    {
        SyntheticSettings model;
        model.shape = {50, 50, 50};
        model.priors.assign(3, parse_prior("gauss:mean=0.6", 1));
        model.noise_variance = 3e-3;
        model.symmetric = true;
        const Synthetic made = make_synthetic(model, {});
        const MemoryTensor source(made.tensor);
        FitSettings settings;
        settings.symmetric = true;
        settings.priors = model.priors;
        settings.amp.learn_noise = true;
        const FitResult fit = fit_tensor(source, settings, {});
        CHECK(fit.noise_variance == Approx(3e-3).epsilon(0.05));
        const double rest = 3e-3 * 50 * 49 * 48 / made.tensor.values.squaredNorm();
        CHECK(1 - fit.explained_variance == Approx(rest).epsilon(0.05));
        // Of the others, about their mean.
        double residual = 0, sum = 0, square = 0;
        const VectorXd x = fit.factors[0].col(0);
        for (Index i = 0; i < 50; ++i)
            for (Index j = 0; j < 50; ++j)
                for (Index k = 0; k < 50; ++k) {
                    if (i == j || j == k || i == k) continue;
                    const double y = made.tensor.values((i * 50 + j) * 50 + k);
                    residual += std::pow(y - signal_scale(model.shape) * x(i) * x(j) * x(k), 2);
                    sum += y;
                    square += y * y;
                }
        CHECK(fit.explained_variance ==
              Approx(1 - residual / (square - sum * sum / (50 * 49 * 48))).epsilon(1e-9));
    }
    // Finite sizes cost about 10 / N.
    INFO(q << " " << overlap << " " << own);
    CHECK(overlap > q - 20.0 / size);
    CHECK(overlap < q + 3.0 / size);
    CHECK(own == Approx(overlap).margin(0.05));
    CHECK(claimed / error == Approx(1).margin(0.25));
}

TEST_CASE("two components of a symmetric tensor follow the theory of cubic ones",
          "[tensor_amp][fit][symmetric]") {
    // Q = E x x^T - (I + Q o Q / Delta)^-1 with covariance I, from the prior means.
    constexpr double noise = 0.25;
    constexpr Index size = 130;
    constexpr int seeds = 4;
    const PriorPointer prior = parse_prior("gauss:mean=[0.8,-0.4]", 2);
    MatrixXd q = prior->mean() * prior->mean().transpose();
    for (int step = 0; step < 500; ++step)
        q = prior->second_moment() -
            MatrixXd((MatrixXd::Identity(2, 2) + q.cwiseProduct(q) / noise).inverse());
    MatrixXd overlap = MatrixXd::Zero(2, 2), own = overlap;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SyntheticSettings model;
        model.shape = {size, size, size};
        model.rank = 2;
        model.priors.assign(3, prior);
        model.noise_variance = noise;
        model.symmetric = model.standardize = true;
        model.seed = seed;
        const Synthetic made = make_synthetic(model, {});
        const MemoryTensor source(made.tensor);
        FitSettings settings;
        settings.rank = 2;
        settings.symmetric = true;
        settings.priors = model.priors;
        settings.start = Start::prior_mean;
        settings.noise_variance = noise;
        const FitResult fit = fit_tensor(source, settings, {});
        CHECK(fit.status == "converged");
        const TruthComparison pairs =
            compare_with_truth(fit, made.truth.factors, SimilarityScore::product, ScaleGauge::keep);
        const double unit = symmetric_unit(3) * symmetric_unit(3) * seeds;
        overlap += pairs.overlaps.with_reference[0] / unit;
        own += pairs.overlaps.own[0] / unit;
    }
    INFO("theory\n" << q << "\nM\n" << overlap << "\nQ\n" << own);
    // Finite sizes cost about 10 / N.
    CHECK((overlap - q).cwiseAbs().maxCoeff() < 20.0 / size);
    CHECK((own - overlap).cwiseAbs().maxCoeff() < 0.05);
    CHECK(q(0, 0) > 1.3);
    CHECK(q(1, 1) > 0.5);
}

TEST_CASE("symmetric tensors of order 2 and 4, and what is none", "[tensor_amp][fit][symmetric]") {
    for (const Index order : {2, 4}) {
        SyntheticSettings model;
        model.shape.assign(static_cast<std::size_t>(order), order == 2 ? 600 : 32);
        model.priors.assign(static_cast<std::size_t>(order), parse_prior("gauss:mean=1", 1));
        model.noise_variance = 0.05;
        model.symmetric = true;
        Synthetic made = make_synthetic(model, {});
        const MemoryTensor source(made.tensor);
        FitSettings settings;
        settings.symmetric = true;
        settings.priors = model.priors;
        settings.noise_variance = 0.05;
        const FitResult fit = fit_tensor(source, settings, {});
        INFO("order " << order);
        CHECK(fit.status == "converged");
        CHECK(tensor_test::signal_error(fit.factors, made.truth.factors) < 0.12);
        // Entries with repeated indices are not looked at; others must be symmetric.
        DenseTensor tensor = made.tensor;
        tensor.values(0) = 1e6;
        clear_repeated_indices(tensor);
        CHECK((tensor.values - made.tensor.values).norm() == 0);
        tensor.values(1) += order == 2 ? 1.0 : 0.0;
        if (order == 2)
            CHECK_THROWS_WITH(clear_repeated_indices(tensor), Contains("sorted indices"));
    }
    const auto oblong = tensor_test::make_instance({5, 6, 7}, {"gauss"}, 1, 1, 0);
    const MemoryTensor source(oblong.tensor);
    CHECK_THROWS_WITH(check_symmetric(source), Contains("dimensions of the tensor differ"));
}
