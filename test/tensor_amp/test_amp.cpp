// AMP against state evolution in closed form, against its own fixed-point conditions, and with
// missing entries against the same without.
#include "instance.hpp"

#include <assay/tensor_amp/amp.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/scale_gauge.hpp>

#include <catch2/catch.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <cstdint>

using namespace assay;
using namespace assay::tensor_amp;
using namespace tensor_test;

namespace {

Factors prior_means(const std::vector<PriorPointer>& priors, const Shape& shape) {
    Factors start;
    for (std::size_t a = 0; a < shape.size(); ++a)
        start.push_back(priors[a]->mean().transpose().replicate(shape[a], 1));
    return start;
}

AmpState fit(const Instance& instance, double noise, const AmpSettings& settings,
             const Factors& start) {
    const MemoryTensor source(instance.tensor);
    AmpProblem problem;
    problem.source = &source;
    problem.priors = instance.priors;
    problem.noise_variance = noise;
    return run_amp(problem, {start}, settings, {}).front();
}

// One sweep of state evolution for Gaussian priors: Q = E[x x^T] - (cov^-1 + Qhat)^-1,
// Qhat_a = (o_{b != a} Q_b) / (n_a Delta).
void evolve(std::vector<MatrixXd>& overlaps, const Instance& instance, double noise,
            bool parallel) {
    const VectorXd ratios = aspect_ratios(instance.shape);
    const std::vector<MatrixXd> before = overlaps;
    for (Index a = 0; a < ratios.size(); ++a) {
        const auto k = static_cast<std::size_t>(a);
        const auto& prior = dynamic_cast<const GaussianPrior&>(*instance.priors[k]);
        const MatrixXd field =
            hadamard_except(parallel ? before : overlaps, {a}) / (ratios(a) * noise);
        overlaps[k] = prior.second_moment() - (prior.precision() + field).inverse();
    }
}

// Overlaps with the truth and norms, averaged over instances, against theory after every sweep.
void follow(const Shape& shape, const std::vector<std::string>& priors, Index rank, double noise,
            Schedule schedule, int sweeps, double tolerance, int instances = 5) {
    AmpSettings settings;
    settings.schedule = schedule;
    settings.damping = 1.0;
    settings.gauge = false;
    settings.tolerance = 0;
    settings.max_iterations = sweeps + 1;
    std::vector<std::vector<MatrixXd>> with_truth, own;
    Instance one;
    for (int seed = 0; seed < instances; ++seed) {
        one = make_instance(shape, priors, rank, noise, static_cast<std::uint64_t>(seed), true);
        const MemoryTensor source(one.tensor);
        SweepKernel kernel(source);
        Observation observation;
        observation.squared_norm = one.tensor.values.squaredNorm();
        observation.entries = static_cast<double>(source.size());
        AmpState state(shape, one.priors, prior_means(one.priors, shape), noise, observation,
                       settings);
        for (int sweep = 0; sweep < sweeps; ++sweep) {
            if (schedule == Schedule::parallel) {
                const auto products = kernel.all_modes(state.means(), {});
                for (std::size_t a = 0; a < shape.size(); ++a)
                    state.update_mode(static_cast<Index>(a), products[a]);
            } else {
                for (Index a = 0; a < source.order(); ++a)
                    state.update_mode(a, kernel.in_sweep(a, state.means(), {}));
            }
            state.finish_sweep();
            with_truth.resize(static_cast<std::size_t>(sweeps),
                              std::vector<MatrixXd>(shape.size(), MatrixXd::Zero(rank, rank)));
            own.resize(with_truth.size(), with_truth.front());
            for (std::size_t a = 0; a < shape.size(); ++a) {
                const auto t = static_cast<std::size_t>(sweep);
                if (seed == 0) with_truth[t][a] = own[t][a] = MatrixXd::Zero(rank, rank);
                with_truth[t][a] += overlap(state.means()[a], one.truth[a]) / instances;
                own[t][a] += overlap(state.means()[a], state.means()[a]) / instances;
            }
        }
    }
    std::vector<MatrixXd> theory;
    for (const PriorPointer& prior : one.priors)
        theory.emplace_back(prior->mean() * prior->mean().transpose());
    for (std::size_t t = 0; t < with_truth.size(); ++t) {
        evolve(theory, one, noise, schedule == Schedule::parallel);
        for (std::size_t a = 0; a < shape.size(); ++a) {
            INFO("sweep " << t + 1 << " mode " << a << "\n"
                          << with_truth[t][a] << "\nown\n"
                          << own[t][a] << "\ntheory\n"
                          << theory[a]);
            CHECK((with_truth[t][a] - theory[a]).cwiseAbs().maxCoeff() < tolerance);
            CHECK((own[t][a] - theory[a]).cwiseAbs().maxCoeff() < tolerance);
        }
    }
}

} // namespace

TEST_CASE("AMP follows state evolution sweep by sweep", "[tensor_amp][amp]") {
    const std::vector<std::string> three{"gauss:mean=0.7", "gauss:mean=0.5", "gauss:mean=0.6"};
    SECTION("order 3, in sequence") {
        follow({90, 120, 150}, three, 1, 0.5, Schedule::sequential, 6, 0.05);
    }
    SECTION("order 3, in parallel") {
        follow({90, 120, 150}, three, 1, 0.8, Schedule::parallel, 4, 0.05);
    }
    SECTION("order 3, rank 2") {
        follow({90, 110, 130},
               {"gauss:mean=[0.8,0.2]", "gauss:mean=[0.6,-0.3]", "gauss:mean=[0.7,0.4]"}, 2, 0.35,
               Schedule::sequential, 5, 0.06);
    }
    SECTION("order 4") {
        follow({30, 40, 45, 35}, {"gauss:mean=0.7"}, 1, 0.5, Schedule::sequential, 5, 0.07);
    }
    SECTION("order 4, in parallel") {
        follow({30, 40, 45, 35}, {"gauss:mean=0.7"}, 1, 0.9, Schedule::parallel, 3, 0.07);
    }
    // Finite sizes cost as much as they do at order 4, over the dimension.
    SECTION("order 5") {
        follow({20, 22, 24, 26, 18}, {"gauss:mean=0.8"}, 1, 0.9, Schedule::sequential, 5, 0.12, 16);
    }
    SECTION("order 5, in parallel") {
        follow({20, 22, 24, 26, 18}, {"gauss:mean=0.8"}, 1, 1.4, Schedule::parallel, 3, 0.12, 16);
    }
    SECTION("order 2") {
        follow({700, 1000}, {"gauss:mean=0.5", "gauss:mean=0.3"}, 1, 0.6, Schedule::sequential, 6,
               0.03);
    }
    SECTION("order 2, in parallel, rank 2") {
        follow({700, 1000}, {"gauss:mean=[0.5,0.2]", "gauss:mean=[0.3,-0.4]"}, 2, 0.7,
               Schedule::parallel, 6, 0.05);
    }
}

TEST_CASE("posterior variances are calibrated", "[tensor_amp][amp]") {
    // Claimed and actual squared errors, summed over 12 instances.
    // Scales between modes are common to a whole factor and hold few degrees of freedom, but these
    // count where noise is low; hence much noise with the broad exponential.
    const std::vector<std::pair<const char*, double>> cases{
        {"gauss:mean=0.5", 0.2},
        {"gauss-bernoulli:rho=0.3,mean=1,var=1", 0.2},
        {"nonneg-gauss", 0.2},
        {"rademacher:p=0.8", 0.2},
        {"exponential", 3.0}};
    for (const auto& [prior, noise] : cases) {
        double claimed = 0, actual = 0;
        for (std::uint64_t seed = 0; seed < 12; ++seed) {
            const Instance one = make_instance({40, 50, 60}, {prior}, 1, noise, seed);
            const AmpState state = fit(one, noise, {}, prior_means(one.priors, one.shape));
            for (Index a = 0; a < 3; ++a) {
                const auto k = static_cast<std::size_t>(a);
                const MatrixXd& covariance = state.covariance(a);
                claimed += covariance.rows() == 1
                               ? covariance(0, 0) * static_cast<double>(one.shape[k])
                               : covariance.sum();
                actual += (state.means()[k] - one.truth[k]).squaredNorm();
            }
        }
        INFO(prior);
        CHECK(claimed / actual == Approx(1).margin(0.12));
    }
}

TEST_CASE("errors lie in their intervals as often as these say", "[tensor_amp][amp]") {
    // 50 and 90 % intervals of every entry, over 12 instances.
    struct Case {
        const char* prior;
        Index rank;
        double noise;
    };
    for (const Case& c : {Case{"gauss:mean=0.5", 1, 0.2}, Case{"gauss:mean=[0.8,-0.4]", 2, 0.1},
                          Case{"gauss:mean=[0.7,0.2],cov=[[1,0.3],[0.3,0.5]]", 2, 0.1}}) {
        double entries = 0, inner = 0, outer = 0, claimed = 0, actual = 0;
        for (std::uint64_t seed = 0; seed < 12; ++seed) {
            const Instance one =
                make_instance({80, 90, 100}, {c.prior}, c.rank, c.noise, 80 + seed);
            const AmpState state = fit(one, c.noise, {}, prior_means(one.priors, one.shape));
            for (std::size_t a = 0; a < 3; ++a) {
                const MatrixXd& covariance = state.covariance(static_cast<Index>(a));
                for (Index i = 0; i < one.shape[a]; ++i)
                    for (Index k = 0; k < c.rank; ++k) {
                        const double variance =
                            covariance(covariance.rows() == 1 ? 0 : i, k * (c.rank + 1));
                        const double error = std::abs(state.means()[a](i, k) - one.truth[a](i, k));
                        ++entries;
                        inner += error < 0.67448975 * std::sqrt(variance);
                        outer += error < 1.6448536 * std::sqrt(variance);
                        claimed += variance;
                        actual += error * error;
                    }
            }
        }
        INFO(c.prior << ": " << inner / entries << " " << outer / entries);
        CHECK(claimed / actual == Approx(1).margin(0.1));
        CHECK(inner / entries == Approx(0.5).margin(0.03));
        CHECK(outer / entries == Approx(0.9).margin(0.02));
    }
}

TEST_CASE("fields of the observed entries by their definition", "[tensor_amp][amp][missing]") {
    // A_i = kappa sum u u^T, B_i = c sum Y u - kappa sum_b [sum sigma_b o (x_g s_g^T)] s_i over the
    // observed entries of row i, u = o x_b: what the last mode sees in the first sweep, when mode 0
    // has seen the start and mode 1 the new mean of mode 0.
    constexpr double noise = 0.1;
    Instance one = make_instance({7, 8, 9}, {"gauss:mean=[0.8,-0.5]"}, 2, noise, 30);
    const Random random(30, "tensor-amp/test-mask");
    for (Index e = 0; e < one.tensor.values.size(); ++e)
        one.tensor.observed.push_back(random.uniform(static_cast<std::uint64_t>(e)) < 0.6);
    Factors start = one.truth;
    for (MatrixXd& factor : start) factor *= 0.9;
    for (const Inference inference : {Inference::amp, Inference::variational}) {
        AmpSettings settings;
        settings.inference = inference;
        settings.damping = 1.0;
        settings.gauge = false;
        settings.max_iterations = 1;
        const AmpState state = fit(one, noise, settings, start);
        const MatrixXd &x = state.means()[0], &y = state.means()[1];
        const auto covariance = [&](Index mode, Index row) -> MatrixXd {
            return state.covariance(mode).row(row).reshaped(2, 2);
        };
        const bool whole = inference == Inference::variational;
        const double scale = signal_scale(one.shape), kappa = scale * scale / noise;
        for (Index k = 0; k < 9; ++k) {
            MatrixXd precision = MatrixXd::Zero(2, 2), reaction = precision;
            VectorXd field = VectorXd::Zero(2);
            for (Index i = 0; i < 7; ++i)
                for (Index j = 0; j < 8; ++j) {
                    const Index entry = (i * 8 + j) * 9 + k;
                    if (one.tensor.observed[static_cast<std::size_t>(entry)] == 0) continue;
                    const VectorXd xi = x.row(i), yj = y.row(j), y0 = start[1].row(j);
                    MatrixXd left = xi * xi.transpose(), right = yj * yj.transpose();
                    if (whole) {
                        left += covariance(0, i);
                        right += covariance(1, j);
                    }
                    precision += left.cwiseProduct(right);
                    field += one.tensor.values(entry) * xi.cwiseProduct(yj);
                    reaction += covariance(0, i).cwiseProduct(yj * y0.transpose()) +
                                covariance(1, j).cwiseProduct(xi * xi.transpose());
                }
            field *= scale / noise;
            if (!whole) field -= kappa * reaction * start[2].row(k).transpose();
            CHECK((state.precision(2).row(k).reshaped(2, 2) - kappa * precision).norm() <
                  1e-12 * kappa * precision.norm());
            CHECK((state.field(2).row(k).transpose() - field).norm() < 1e-12 * field.norm());
        }
    }
}

TEST_CASE("a mode's sums over observed entries take one pass", "[tensor_amp][amp][missing]") {
    Instance one = make_instance({12, 13, 14, 15}, {"gauss:mean=[0.8,-0.5]"}, 2, 0.02, 31);
    one.tensor.observed.assign(static_cast<std::size_t>(one.tensor.values.size()), 1);
    one.tensor.observed[5] = 0;
    const auto passes = [&](int sweeps) {
        const MemoryTensor source(one.tensor);
        AmpProblem problem{&source, one.priors, 0.02, MissingForm::exact, {}, {}, {}};
        AmpSettings settings;
        settings.tolerance = 0;
        settings.max_iterations = sweeps;
        CHECK(
            run_amp(problem, {prior_means(one.priors, one.shape)}, settings, {}).front().sweeps() ==
            sweeps);
        return source.passes();
    };
    // Two over the values, one a mode over the flags.
    CHECK(passes(5) - passes(4) == 2 + 4);
}

TEST_CASE("a mask that hides nothing changes nothing", "[tensor_amp][amp][missing]") {
    for (const Schedule schedule : {Schedule::sequential, Schedule::parallel}) {
        Instance one = make_instance({14, 15, 16}, {"gauss:mean=[0.8,-0.5]"}, 2, 0.02, 7);
        AmpSettings settings;
        settings.schedule = schedule;
        settings.max_iterations = 12;
        settings.learn_noise = true;
        const Factors start = prior_means(one.priors, one.shape);
        const AmpState plain = fit(one, 0.05, settings, start);
        one.tensor.observed.assign(static_cast<std::size_t>(one.tensor.values.size()), 1);
        const AmpState masked = fit(one, 0.05, settings, start);
        for (std::size_t a = 0; a < 3; ++a)
            CHECK((plain.means()[a] - masked.means()[a]).norm() < 1e-9 * plain.means()[a].norm());
        CHECK(masked.free_entropy() == Approx(plain.free_entropy()).epsilon(1e-8));
        CHECK(masked.noise_variance() == Approx(plain.noise_variance()).epsilon(1e-8));
    }
}

TEST_CASE("missing entries: exact and mean-field forms", "[tensor_amp][amp][missing]") {
    // Missing at random: both agree within a few percent, and are what more noise would give.
    Instance one = make_instance({60, 60, 60}, {"gauss:mean=0.6"}, 1, 0.1, 8);
    const Random random(8, "tensor-amp/test-mask");
    for (Index e = 0; e < one.tensor.values.size(); ++e)
        one.tensor.observed.push_back(random.uniform(static_cast<std::uint64_t>(e)) < 0.3);
    const MemoryTensor source(one.tensor);
    AmpProblem problem{&source, one.priors, 0.1, MissingForm::exact, {}, {}, {}};
    const Factors start = prior_means(one.priors, one.shape);
    AmpSettings settings;
    settings.learn_noise = true;
    const AmpState exact = run_amp(problem, {start}, settings, {}).front();
    problem.missing = MissingForm::mean_field;
    const AmpState mean_field = run_amp(problem, {start}, settings, {}).front();
    double errors[2] = {0, 0}, claimed = 0;
    for (std::size_t a = 0; a < 3; ++a) {
        errors[0] += (exact.means()[a] - one.truth[a]).squaredNorm();
        errors[1] += (mean_field.means()[a] - one.truth[a]).squaredNorm();
        claimed += exact.covariance(static_cast<Index>(a)).sum();
    }
    CHECK(errors[1] / errors[0] == Approx(1).margin(0.05));
    CHECK(claimed / errors[0] == Approx(1).margin(0.3));
    CHECK(exact.noise_variance() == Approx(0.1).epsilon(0.02));
    CHECK(mean_field.noise_variance() == Approx(0.1).epsilon(0.02));
}

TEST_CASE("a missing block: the exact form knows where it is", "[tensor_amp][amp][missing]") {
    // 45 % are observed. The mean-field form errs more, and claims to err less.
    struct Sums {
        double claimed = 0, error = 0;
    };
    Sums exact, mean_field;
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        Instance one = make_instance({40, 40, 40}, {"gauss:mean=0.6"}, 1, 0.1, 20 + seed);
        for (Index e = 0; e < one.tensor.values.size(); ++e)
            one.tensor.observed.push_back(!(e / 1600 < 30 && e % 40 < 29));
        const MemoryTensor source(one.tensor);
        const std::vector<VectorXd> counts = observed_counts(source, {});
        CHECK(counts[0].sum() / 64000 == Approx(0.456).epsilon(1e-3));
        CHECK(suitable_form(one.shape, counts) == MissingForm::exact);
        AmpProblem problem{&source, one.priors, 0.1, MissingForm::exact, {}, {}, {}};
        const auto add = [&](MissingForm form, Sums& sums) {
            problem.missing = form;
            const AmpState state =
                run_amp(problem, {prior_means(one.priors, one.shape)}, {}, {}).front();
            for (std::size_t a = 0; a < 3; ++a) {
                const MatrixXd& covariance = state.covariance(static_cast<Index>(a));
                sums.claimed += covariance.rows() == 1 ? 40 * covariance(0, 0) : covariance.sum();
                sums.error += (state.means()[a] - one.truth[a]).squaredNorm();
            }
        };
        add(MissingForm::exact, exact);
        add(MissingForm::mean_field, mean_field);
    }
    INFO(exact.error << " " << mean_field.error);
    CHECK(exact.claimed / exact.error == Approx(1).margin(0.15));
    CHECK(mean_field.error / exact.error > 1.1);
    CHECK(mean_field.claimed / mean_field.error < 0.9);
}

TEST_CASE("missing at random is more noise", "[tensor_amp][amp][missing]") {
    // The mean-field form against the exact one and against state evolution at Delta / phi.
    constexpr double noise = 0.1, fraction = 0.3;
    constexpr int instances = 4;
    double exact_error = 0, mean_field_error = 0;
    Instance one;
    for (std::uint64_t seed = 0; seed < instances; ++seed) {
        one = make_instance({100, 100, 100}, {"gauss:mean=0.6"}, 1, noise, seed, true);
        const Random random(seed, "tensor-amp/test-mask");
        for (Index e = 0; e < one.tensor.values.size(); ++e)
            one.tensor.observed.push_back(random.uniform(static_cast<std::uint64_t>(e)) < fraction);
        const MemoryTensor source(one.tensor);
        AmpProblem problem{&source, one.priors, noise, MissingForm::exact, {}, {}, {}};
        const auto error = [&] {
            const AmpState state =
                run_amp(problem, {prior_means(one.priors, one.shape)}, {}, {}).front();
            double sum = 0;
            for (std::size_t a = 0; a < 3; ++a)
                sum += (state.means()[a] - one.truth[a]).squaredNorm() / 300;
            return sum / instances;
        };
        exact_error += error();
        problem.missing = MissingForm::mean_field;
        mean_field_error += error();
    }
    std::vector<MatrixXd> overlaps(3, MatrixXd::Constant(1, 1, 0.36));
    for (int sweep = 0; sweep < 200; ++sweep) evolve(overlaps, one, noise / fraction, false);
    double theory = 0;
    for (const MatrixXd& overlap : overlaps) theory += (1.36 - overlap(0, 0)) / 3;
    CHECK(mean_field_error / exact_error == Approx(1).margin(0.02));
    CHECK(mean_field_error / theory == Approx(1).margin(0.1));
}

TEST_CASE("rows that were not observed keep their prior", "[tensor_amp][amp][missing]") {
    Instance one = make_instance(
        {20, 30, 25}, {"gauss:mean=0.5,var=2", "gauss:mean=0.7", "gauss:mean=0.7"}, 1, 0.1, 3);
    const Index slice = 30 * 25;
    one.tensor.observed.assign(static_cast<std::size_t>(one.tensor.values.size()), 1);
    std::fill_n(one.tensor.observed.begin() + 4 * slice, slice, std::uint8_t{0});
    const MemoryTensor source(one.tensor);
    const AmpProblem problem{&source, one.priors, 0.1, MissingForm::exact, {}, {}, {}};
    for (const Inference inference : {Inference::amp, Inference::variational}) {
        AmpSettings settings;
        settings.inference = inference;
        settings.gauge = false;
        const AmpState state =
            run_amp(problem, {prior_means(one.priors, one.shape)}, settings, {}).front();
        CHECK(state.status() == AmpStatus::converged);
        CHECK(state.means()[0](4, 0) == Approx(0.5).epsilon(1e-12));
        CHECK(state.covariance(0)(4, 0) == Approx(2).epsilon(1e-12));
        CHECK(state.covariance(0)(3, 0) < 0.5);
    }
}

TEST_CASE("noise and priors are learned", "[tensor_amp][amp]") {
    for (const double noise : {0.3, 0.01, 1e-4}) {
        const Instance one = make_instance({50, 60, 70}, {"gauss:mean=0.4,var=0.8"}, 1, noise, 9);
        AmpSettings settings;
        settings.learn_noise = settings.learn_priors = true;
        Factors start = one.truth;
        Instance unaware = one;
        for (PriorPointer& prior : unaware.priors) prior = parse_prior("gauss:mean=0.2", 1);
        const AmpState state = fit(unaware, 3 * noise, settings, start);
        CHECK(state.noise_variance() == Approx(noise).epsilon(0.01));
        double product = 1, truth = 1;
        for (std::size_t a = 0; a < 3; ++a) {
            product *= state.priors()[a]->second_moment()(0, 0);
            truth *= one.truth[a].squaredNorm() / static_cast<double>(one.shape[a]);
        }
        CHECK(product == Approx(truth).epsilon(noise > 0.1 ? 0.1 : 0.02));
    }
}

TEST_CASE("variational Bayes: the bound never falls", "[tensor_amp][amp]") {
    const Instance one = make_instance({30, 40, 50}, {"gauss:mean=[0.5,-0.3,0.2]"}, 3, 0.05, 10);
    AmpSettings settings;
    settings.inference = Inference::variational;
    settings.tolerance = 1e-9;
    for (const bool gauge : {false, true}) {
        settings.gauge = gauge;
        const AmpState state = fit(one, 0.05, settings, prior_means(one.priors, one.shape));
        CHECK(state.status() == AmpStatus::converged);
        const auto& trace = state.trace();
        for (std::size_t t = 2; t < trace.size(); ++t)
            CHECK(trace[t].free_entropy >= trace[t - 1].free_entropy - 1e-9);
        // It claims too little variance.
        double claimed = 0, actual = 0;
        for (std::size_t a = 0; a < 3; ++a) {
            claimed += state.covariance(static_cast<Index>(a)).reshaped(3, 3).trace() *
                       static_cast<double>(one.shape[a]);
            actual += (state.means()[a] - one.truth[a]).squaredNorm();
        }
        CHECK(claimed < actual);
    }
}

TEST_CASE("variational Bayes claims too much and needs a start", "[tensor_amp][amp]") {
    // It takes G + V for the signal of the other modes where AMP takes G: in a cubic tensor
    // A = m^2 / Delta with m = E x^2 instead of q^2 / Delta, q = E x^2 - 1 / (1 + q^2 / Delta).
    constexpr double noise = 0.14, moment = 1.09;
    double q = moment;
    for (int i = 0; i < 200; ++i) q = moment - 1 / (1 + q * q / noise);
    const double theory = (1 + q * q / noise) / (1 + moment * moment / noise); // 0.79
    struct Sums {
        double claimed = 0, error = 0;
    };
    Sums amp, vb, blind_amp, blind_vb;
    constexpr int instances = 8;
    for (std::uint64_t seed = 0; seed < instances; ++seed) {
        const Instance one =
            make_instance({100, 100, 100}, {"gauss:mean=0.3"}, 1, noise, 60 + seed, true);
        const auto add = [&](Inference inference, const Factors& start, Sums& sums) {
            AmpSettings settings;
            settings.inference = inference;
            const AmpState state = fit(one, noise, settings, start);
            for (std::size_t a = 0; a < 3; ++a) {
                sums.claimed += state.covariance(static_cast<Index>(a))(0, 0) / (3 * instances);
                sums.error +=
                    (state.means()[a] - one.truth[a]).squaredNorm() / (100 * 3 * instances);
            }
        };
        add(Inference::amp, one.truth, amp);
        add(Inference::variational, one.truth, vb);
        add(Inference::amp, prior_means(one.priors, one.shape), blind_amp);
        add(Inference::variational, prior_means(one.priors, one.shape), blind_vb);
    }
    CHECK(theory == Approx(0.8).margin(0.02));
    CHECK(vb.claimed / vb.error == Approx(theory).margin(0.08));
    CHECK(amp.claimed / amp.error == Approx(1).margin(0.08));
    CHECK(blind_amp.error < 1.1 * amp.error);
    CHECK(blind_vb.error > 5 * blind_amp.error);
}

TEST_CASE("scales between modes: the gauge step changes the way, not the end",
          "[tensor_amp][amp]") {
    const Instance one = make_instance({40, 50, 60}, {"gauss:mean=[0.4,-0.6]"}, 2, 0.01, 11);
    AmpSettings settings;
    settings.tolerance = 1e-9;
    settings.max_iterations = 3000;
    Factors start = one.truth;
    start[0] *= 3;
    start[1] /= 2;
    settings.gauge = true;
    const AmpState quick = fit(one, 0.01, settings, start);
    settings.gauge = false;
    settings.damping = 1.0;
    const AmpState slow = fit(one, 0.01, settings, start);
    CHECK(quick.status() == AmpStatus::converged);
    CHECK(slow.status() == AmpStatus::converged);
    CHECK(quick.sweeps() * 4 < slow.sweeps());
    for (std::size_t a = 0; a < 3; ++a)
        CHECK((quick.means()[a] - slow.means()[a]).norm() < 1e-4 * slow.means()[a].norm());

    // Against a search on the constraint's surface.
    const VectorXd quadratic = (VectorXd(3) << 30, 80, 50).finished();
    const VectorXd linear = (VectorXd(3) << -10, 5, 12).finished();
    const VectorXd rows = (VectorXd(3) << 40, 50, 60).finished();
    const VectorXd scales = equilibrium_scales(quadratic, linear, rows);
    CHECK(scales.prod() == Approx(1).epsilon(1e-12));
    const auto value = [&](const VectorXd& g) {
        return (rows.array() * g.array().log() - 0.5 * quadratic.array() * g.array().square() +
                linear.array() * g.array())
            .sum();
    };
    for (double x = -0.6; x <= 0.6; x += 0.02)
        for (double y = -0.6; y <= 0.6; y += 0.02) {
            const VectorXd other =
                (VectorXd(3) << std::exp(x), std::exp(y), std::exp(-x - y)).finished();
            CHECK(value(other) <= value(scales) + 1e-12);
        }
}

TEST_CASE("sweeps that the gauge step saves", "[tensor_amp][amp]") {
    // Three components, little noise, from near the truth.
    int longest = 0;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Instance one = make_instance({80, 100, 125}, {"gauss"}, 3, 0.01, seed);
        Factors start = one.truth;
        const Random random(seed, "tensor-amp/test-start");
        for (std::size_t a = 0; a < start.size(); ++a) {
            for (Index i = 0; i < start[a].size(); ++i)
                start[a](i) += 0.1 * random.normal(static_cast<std::uint64_t>(i), {a});
            start[a] *= a == 0 ? 1.5 : 1 / std::sqrt(1.5);
        }
        AmpSettings settings;
        settings.tolerance = 1e-8;
        settings.max_iterations = 3000;
        const AmpState quick = fit(one, 0.01, settings, start);
        CHECK(quick.status() == AmpStatus::converged);
        CHECK(quick.sweeps() <= 15);
        settings.gauge = false;
        settings.damping = 1.0;
        const AmpState plain = fit(one, 0.01, settings, start);
        CHECK(plain.status() == AmpStatus::converged);
        longest = std::max(longest, plain.sweeps());
        for (std::size_t a = 0; a < 3; ++a)
            CHECK((quick.means()[a] - plain.means()[a]).norm() < 1e-4 * plain.means()[a].norm());
    }
    CHECK(longest > 300);
}

TEST_CASE("replicates together are the runs alone", "[tensor_amp][amp]") {
    const Instance one = make_instance({20, 25, 30}, {"gauss:mean=[0.5,-0.3]"}, 2, 0.05, 12);
    const MemoryTensor source(one.tensor);
    const AmpProblem problem{&source, one.priors, 0.05, MissingForm::exact, {}, {}, {}};
    Factors other = one.truth;
    for (MatrixXd& factor : other) factor *= 0.5;
    const std::vector<Factors> starts{prior_means(one.priors, one.shape), one.truth, other};
    const auto together = run_amp(problem, starts, {}, {});
    for (std::size_t k = 0; k < starts.size(); ++k) {
        const auto alone = run_amp(problem, {starts[k]}, {}, {4, &silent_monitor()});
        CHECK(alone.front().sweeps() == together[k].sweeps());
        for (std::size_t a = 0; a < 3; ++a)
            CHECK((alone.front().means()[a] - together[k].means()[a]).norm() <
                  1e-10 * together[k].means()[a].norm());
    }
}

TEST_CASE("slices with noise of their own", "[tensor_amp][amp]") {
    // Mode 1 has quiet and loud slices.
    Instance one = make_instance({40, 30, 50}, {"gauss:mean=1"}, 1, 1e-9, 13);
    const Random random(13, "tensor-amp/test-noise");
    VectorXd noise(30);
    for (Index j = 0; j < 30; ++j) noise(j) = j % 2 ? 0.02 : 0.5;
    for (Index e = 0; e < one.tensor.values.size(); ++e)
        one.tensor.values(e) += std::sqrt(noise((e / 50) % 30)) *
                                random.normal(static_cast<std::uint64_t>(e), {1, 0, 0});
    const MemoryTensor source(one.tensor);
    AmpProblem problem{&source, one.priors, noise.mean(), MissingForm::exact, {}, {}, {}};
    const Factors start = prior_means(one.priors, one.shape);
    const AmpState plain = run_amp(problem, {start}, {}, {}).front();
    problem.noise_mode = 1;
    AmpSettings settings;
    settings.learn_noise = true;
    const AmpState aware = run_amp(problem, {start}, settings, {}).front();
    const VectorXd scales = aware.row_scales(1);
    const VectorXd learned = aware.noise_variance() / scales.array().square();
    for (Index j = 0; j < 30; ++j) CHECK(learned(j) == Approx(noise(j)).epsilon(0.15));
    Factors undone = aware.means();
    undone[1] = scales.cwiseInverse().asDiagonal() * undone[1];
    CHECK(tensor_test::signal_error(undone, one.truth) <
          0.6 * tensor_test::signal_error(plain.means(), one.truth));
    // Known noise without learning, too.
    problem.noise_of_slices = noise;
    const AmpState known = run_amp(problem, {start}, {}, {}).front();
    CHECK((known.means()[0] - aware.means()[0]).norm() < 0.05 * known.means()[0].norm());
    AmpSettings priors_alone;
    priors_alone.learn_priors = true;
    CHECK(run_amp(problem, {start}, priors_alone, {}).front().status() == AmpStatus::converged);
    // A mask that hides nothing changes nothing.
    problem.noise_of_slices.resize(0);
    DenseTensor masked = one.tensor;
    masked.observed.assign(static_cast<std::size_t>(masked.values.size()), 1);
    const MemoryTensor all(masked);
    problem.source = &all;
    const AmpState same = run_amp(problem, {start}, settings, {}).front();
    CHECK(same.noise_variance() == Approx(aware.noise_variance()).epsilon(1e-7));
    CHECK((same.row_scales(1) - scales).norm() < 1e-7 * scales.norm());
    CHECK((same.means()[0] - aware.means()[0]).norm() < 1e-6 * aware.means()[0].norm());
    // Half of what three quarters of the rows have is missing, and one slice altogether.
    for (Index e = 0; e < masked.values.size(); ++e) {
        const Index i = e / 1500, j = e / 50 % 30;
        const bool hidden =
            j == 4 || (i < 30 && random.uniform(static_cast<std::uint64_t>(e), {2, 0, 0}) < 0.5);
        masked.observed[static_cast<std::size_t>(e)] = hidden ? 0 : 1;
        if (hidden) masked.values(e) = 100;
    }
    const MemoryTensor holes(masked);
    problem.source = &holes;
    const AmpState exact = run_amp(problem, {start}, settings, {}).front();
    CHECK(exact.status() == AmpStatus::converged);
    const VectorXd partial = exact.noise_variance() / exact.row_scales(1).array().square();
    for (Index j = 0; j < 30; ++j)
        if (j != 4) CHECK(partial(j) == Approx(noise(j)).epsilon(0.2));
    CHECK(partial(4) > 0.1);
    CHECK(partial(4) < 0.5);
    problem.noise_mode.reset();
    const AmpState unaware = run_amp(problem, {start}, {}, {}).front();
    Factors guided = exact.means(), blind = unaware.means(), truth = one.truth;
    guided[1] = exact.row_scales(1).cwiseInverse().asDiagonal() * guided[1];
    for (Factors* factors : {&guided, &blind, &truth}) (*factors)[1].row(4).setZero();
    CHECK(tensor_test::signal_error(guided, truth) < 0.6 * tensor_test::signal_error(blind, truth));
    problem.noise_mode = 1;
    problem.missing = MissingForm::mean_field;
    CHECK_THROWS_WITH(run_amp(problem, {start}, settings, {}),
                      Catch::Matchers::Contains("the exact treatment is expected"));
}

TEST_CASE("damping slows a signal that grows from an uninformed start, and does not end it",
          "[tensor_amp][amp]") {
    // Below the onset: undamped runs end at the signal from means that know nothing of it.
    for (std::uint64_t seed : {21, 22, 23}) {
        const Instance one = make_instance(
            {90, 120, 150}, {"gauss:mean=0.8", "gauss:mean=0", "gauss:mean=0"}, 1, 0.3, seed, true);
        Factors start = prior_means(one.priors, one.shape);
        const Random random(seed, "tensor-amp/test-start");
        for (std::size_t a = 0; a < start.size(); ++a)
            for (Index i = 0; i < start[a].rows(); ++i)
                start[a](i, 0) += 1e-3 * random.normal(static_cast<std::uint64_t>(i), {a});
        for (Schedule schedule : {Schedule::sequential, Schedule::parallel}) {
            AmpSettings settings;
            settings.schedule = schedule;
            settings.damping = schedule == Schedule::parallel ? 0.6 : 1.0;
            const AmpState reference = fit(one, 0.3, settings, start);
            INFO("seed " << seed << ": " << overlap(reference.means()[1], one.truth[1]));
            REQUIRE(reference.status() == AmpStatus::converged);
            CHECK(std::abs(overlap(reference.means()[1], one.truth[1])(0, 0)) > 0.3);
            for (std::optional<double> damping : {std::optional<double>(0.4), {}}) {
                settings.damping = damping;
                const AmpState damped = fit(one, 0.3, settings, start);
                CHECK(damped.status() == AmpStatus::converged);
                for (std::size_t a = 0; a < 3; ++a) {
                    const double sign =
                        damped.means()[a].col(0).dot(reference.means()[a].col(0)) < 0 ? -1 : 1;
                    CHECK((sign * damped.means()[a] - reference.means()[a]).norm() <
                          1e-4 * reference.means()[a].norm());
                }
            }
        }
    }
}

TEST_CASE("what becomes of a hopeless or a wild run", "[tensor_amp][amp]") {
    // Zero means above every threshold: the trivial fixed point.
    const Instance one = make_instance({30, 30, 30}, {"gauss"}, 1, 50, 14);
    Factors start = one.truth;
    for (MatrixXd& factor : start) factor *= 0.05;
    CHECK(fit(one, 50, {}, start).status() == AmpStatus::collapsed);
    AmpSettings wild;
    wild.schedule = Schedule::parallel;
    wild.damping = 1.0;
    const Instance clear = make_instance({40, 40, 40}, {"gauss"}, 1, 1e-3, 15);
    const AmpState state = fit(clear, 1e-3, wild, clear.truth);
    CHECK((state.status() == AmpStatus::diverged || state.status() == AmpStatus::max_iter));
    wild.damping.reset();
    CHECK(fit(clear, 1e-3, wild, clear.truth).status() == AmpStatus::converged);
    CHECK_THROWS_WITH(fit(one, 0, {}, start), Catch::Matchers::Contains("noise variance 0"));
    start[1] = MatrixXd::Zero(29, 1);
    CHECK_THROWS_WITH(fit(one, 1, {}, start),
                      Catch::Matchers::Contains("mode 1: a start of 29 x 1"));
}
