#include <assay/tensor_amp/fit.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/alignment.hpp>
#include <assay/tensor_amp/diagnostics.hpp>
#include <assay/tensor_amp/evidence.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/slab_sums.hpp>
#include <assay/tensor_amp/starts.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <utility>

namespace assay::tensor_amp {
namespace {

std::vector<VectorXd> prior_means(const std::vector<PriorPointer>& priors) {
    std::vector<VectorXd> means;
    for (const PriorPointer& prior : priors) means.push_back(prior->mean());
    return means;
}

double observed_entries(const TensorSource& source, const Execution& run) {
    return source.masked() ? observed_counts(source, run).front().sum()
                           : static_cast<double>(source.size());
}

// What of a fit is kept while one of its starts is made.
using StartKeeping = Keeping<SpectralProgress>;
StartKeeping keeping_start(const Keeping<FitState>& keeping, FitState& state) {
    return keeping.of_part(std::optional(std::exchange(state.start, {})),
                           [&state](const SpectralProgress& start) {
                               FitState whole = state;
                               whole.start = start;
                               return whole;
                           });
}

SpectralStart spectral(const TensorSource& source, const FitSettings& settings,
                       const Execution& run, const StartKeeping& keeping) {
    SpectralSettings spectral;
    spectral.rank = settings.rank;
    spectral.polish_sweeps = settings.polish;
    spectral.seed = settings.seed;
    for (Index a = 0; a < static_cast<Index>(settings.priors.size()); ++a)
        if (settings.priors[at(a)]->nonnegative()) spectral.nonnegative_modes.push_back(a);
    return spectral_start(source, spectral, prior_means(settings.priors), run, keeping);
}

// A random start after as many sweeps of least squares as a spectral one gets.
Factors polished_start(const TensorSource& source, const FitSettings& settings,
                       std::uint64_t replicate, const Execution& run, const StartKeeping& keeping) {
    // Least squares know nothing of a slice that was not observed.
    for (const VectorXd& counts : observed_counts(source, run))
        if (!(counts.minCoeff() > 0))
            return random_start(source.shape(), settings.priors, settings.seed, replicate);
    AlsSettings als;
    als.rank = settings.rank;
    als.max_iterations = std::max(settings.polish, 1);
    for (Index a = 0; a < static_cast<Index>(settings.priors.size()); ++a)
        if (settings.priors[at(a)]->nonnegative()) als.nonnegative_modes.push_back(a);
    const Factors start =
        random_start(source.shape(), als, settings.seed, static_cast<Index>(replicate));
    const SpectralProgress resumed = keeping.resume.value_or(SpectralProgress{});
    const auto kept = keeping.of_part(std::optional(resumed.polish), [](const AlsProgress& polish) {
        SpectralProgress whole;
        whole.polish = polish;
        return whole;
    });
    Factors polished = run_als(source, {start}, als, run, kept).best_replicate().factors;
    match_means(polished, prior_means(settings.priors));
    return polished;
}

Factors one_start(const TensorSource& source, const FitSettings& settings, std::uint64_t replicate,
                  const Execution& run, const StartKeeping& keeping) {
    switch (settings.start) {
    case Start::prior_mean:
        return prior_mean_start(source.shape(), settings.priors, settings.seed, replicate);
    case Start::random:
        return random_start(source.shape(), settings.priors, settings.seed, replicate);
    case Start::spectral:
        return replicate == 0 ? spectral(source, settings, run, keeping).factors
                              : polished_start(source, settings, replicate, run, keeping);
    case Start::informed:
        return informed_start(settings.given, settings.rank, settings.start_noise, settings.seed,
                              replicate, settings.als.fixed_modes);
    case Start::given:
        break;
    }
    return settings.given;
}

// Delta of the residual that least squares leave after a spectral start, which is also that of the
// fit where it asks for the same.
void find_noise(FitState& state, const TensorSource& source, const FitSettings& settings,
                const Execution& run, const Keeping<FitState>& keeping) {
    constexpr int sweeps = 20;
    if (settings.noise_variance || state.noise_variance) return;
    FitSettings own = settings;
    own.polish = std::max(own.polish, sweeps);
    const double entries = observed_entries(source, run);
    const SpectralStart start = spectral(source, own, run, keeping_start(keeping, state));
    constexpr double least = 1e-14; // of the mean square; where all values are 0, of 1
    state.noise_variance = start.squared_norm > 0
                               ? std::max(std::pow(start.relative_error.value_or(1), 2), least) *
                                     start.squared_norm / entries
                               : least;
    if (settings.start == Start::spectral && own.polish == settings.polish)
        state.starts.push_back(start.factors);
}

// What is there already is not made again.
void make_starts(FitState& state, Index count, Monitor& monitor, const Keeping<FitState>& keeping,
                 const std::function<Factors(Index, const StartKeeping&)>& make) {
    const Phase phase(monitor, "starts");
    SafePoints safe_points(keeping, monitor);
    for (auto k = static_cast<Index>(state.starts.size()); k < count; ++k) {
        safe_points.reached([&]() -> const FitState& { return state; });
        state.starts.push_back(make(k, keeping_start(keeping, state)));
    }
}

class Stopwatch {
  public:
    [[nodiscard]] double seconds_each(int sweeps) const {
        return std::chrono::duration<double>(Clock::now() - begin_).count() / std::max(sweeps, 1);
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point begin_ = Clock::now();
};

// Priors to be learned that nobody gave begin at the scales of the start: a tensor's units are
// anyone's, and a prior far too narrow would pull everything to zero before it is learned. Finite
// sets of values have no scale.
std::vector<PriorPointer> scaled_to(const Factors& start, const FitSettings& settings) {
    std::vector<PriorPointer> priors = settings.priors;
    for (std::size_t a = 0; a < priors.size(); ++a) {
        const bool given = !settings.priors_given.empty() && settings.priors_given[a];
        if (given || !priors[a]->has_scale()) continue;
        Belief belief = Belief::of_rows(start[a].rows(), settings.rank);
        belief.mean = start[a];
        if (priors[a]->nonnegative()) belief.mean = belief.mean.cwiseMax(0);
        if (belief.mean.isZero(0)) continue;
        priors[a] = priors[a]->maximised(belief, settings.amp.tie_components);
    }
    return priors;
}

// The mean-field form takes the pattern of missing entries for noise: per observed entry it adds
// (1 - fraction) times the power of the signal.
MissingForm form_for(const TensorSource& source, double noise_variance, const Execution& run) {
    constexpr double negligible = 0.02;
    const std::vector<VectorXd> counts = observed_counts(source, run);
    const double entries = counts.front().sum();
    const double missing = 1 - entries / static_cast<double>(source.size());
    const double signal = squared_norm(source, run) / entries - noise_variance;
    return missing * signal > negligible * noise_variance ? MissingForm::exact
                                                          : suitable_form(source.shape(), counts);
}

// Overlaps of the first replicate after every sweep.
void record_overlaps(FitState& traces, const AmpState& state, const Factors& truth) {
    std::vector<MatrixXd> with_truth, own;
    for (std::size_t a = 0; a < truth.size(); ++a) {
        const auto rows = static_cast<double>(truth[a].rows());
        with_truth.emplace_back(state.means()[a].transpose() * truth[a] / rows);
        own.emplace_back(state.means()[a].transpose() * state.means()[a] / rows);
    }
    traces.truth_overlap.push_back(with_truth);
    traces.self_overlap.push_back(own);
}

// Whether a replicate may be the best: a collapsed or diverged one is so only among its like.
bool usable(AmpStatus status) {
    return status == AmpStatus::converged || status == AmpStatus::max_iter;
}

// Log evidence per N of every replicate (evidence.hpp); noise variances may differ between them.
VectorXd evidence_of(const std::vector<AmpState>& states, const TensorSource& source,
                     const FitSettings& settings, const Execution& run) {
    const double entries = observed_entries(source, run);
    const double square =
        settings.noise_mode ? squared_norm(source, run) : states.front().iterate().squared_norm;
    VectorXd counts; // of the slices of the noise mode
    if (settings.noise_mode) counts = observed_counts(source, run)[at(*settings.noise_mode)];
    VectorXd evidence(static_cast<Index>(states.size()));
    for (Index k = 0; k < evidence.size(); ++k) {
        const AmpState& state = states[at(k)];
        const double noise = state.noise_variance();
        NoiseOfSlices slices{state.iterate().squared_norm / noise, entries * std::log(noise)};
        if (settings.noise_mode) // Delta_i = Delta / s_i^2
            slices.log_noise -=
                2 * counts.dot(state.row_scales(*settings.noise_mode).array().log().matrix());
        evidence(k) = log_evidence(state.free_entropy(), slices, square, entries,
                                   mean_dimension(source.shape()));
    }
    return evidence;
}

// Of the largest evidence.
std::size_t best_of(const std::vector<AmpStatus>& statuses, const VectorXd& evidence) {
    Index best = 0;
    for (Index k = 1; k < evidence.size(); ++k) {
        const bool better = usable(statuses[at(k)]) != usable(statuses[at(best)])
                                ? usable(statuses[at(k)])
                                : evidence(k) > evidence(best);
        if (better) best = k;
    }
    return at(best);
}

FitTrace trace_of(const std::vector<SweepTrace>& sweeps) {
    const auto count = static_cast<Index>(sweeps.size());
    FitTrace trace{VectorXd(count), VectorXd(count), VectorXd(count), VectorXd(count), {}, {}, {}};
    for (Index t = 0; t < count; ++t) {
        const SweepTrace& sweep = sweeps[at(t)];
        trace.change(t) = sweep.change;
        trace.free_entropy(t) = sweep.free_entropy;
        trace.noise_variance(t) = sweep.noise_variance;
        trace.damping(t) = sweep.damping;
    }
    return trace;
}

// Rows of the noise mode stand for s_i x_i: x again.
void undo_row_scales(const AmpState& state, Index mode, FitResult& fit) {
    const VectorXd inverse = state.row_scales(mode).cwiseInverse();
    MatrixXd& factor = fit.factors[at(mode)];
    MatrixXd& covariance = fit.covariances[at(mode)];
    factor = inverse.asDiagonal() * factor;
    covariance = inverse.cwiseAbs2().asDiagonal() * covariance;
    fit.noise_mode = mode;
    fit.slice_noise = state.noise_variance() * inverse.array().square();
}

FitResult amp_result(const FitSettings& settings, const std::vector<AmpState>& states,
                     const VectorXd& evidence) {
    std::vector<AmpStatus> statuses;
    for (const AmpState& one : states) statuses.push_back(one.status());
    const std::size_t best = best_of(statuses, evidence);
    const AmpState& state = states[best];
    FitResult fit;
    const bool variational = settings.algorithm == Algorithm::vb;
    fit.algorithm = variational ? "vb" : "amp";
    fit.noise_variance = state.noise_variance();
    fit.noise_variance_learned = settings.amp.learn_noise;
    (variational ? fit.elbo : fit.bethe_free_entropy) = state.free_entropy();
    fit.status = status_name(state.status());
    fit.iterations = state.sweeps();
    fit.priors_learned = settings.amp.learn_priors;
    fit.factors = state.means();
    for (Index a = 0; a < static_cast<Index>(fit.factors.size()); ++a) {
        fit.covariances.push_back(state.covariance(a));
        fit.priors.push_back(state.priors()[at(a)]->describe());
        fit.denoiser_exact = fit.denoiser_exact && state.priors()[at(a)]->exact();
        if (!settings.keep_fields) continue;
        fit.fields.precision.push_back(state.precision(a));
        fit.fields.field.push_back(state.field(a));
    }
    if (settings.noise_mode) undo_row_scales(state, *settings.noise_mode, fit);
    fit.trace = trace_of(state.trace());
    const auto count = static_cast<Index>(states.size());
    fit.restarts.objective = evidence;
    fit.restarts.similarity.resize(count);
    for (Index k = 0; k < count; ++k) {
        fit.restarts.similarity(k) = component_similarity(states[at(k)].means(), state.means());
        fit.restarts.status.push_back(status_name(states[at(k)].status()));
    }
    return fit;
}

// The best of all replicates; leaves them in `state`.
FitResult fit_amp(const TensorSource& source, const FitSettings& settings, const Execution& run,
                  const Keeping<FitState>& keeping, FitState& state) {
    SafePoints safe_points(keeping, *run.monitor);
    const auto so_far = [&]() -> const FitState& { return state; };
    find_noise(state, source, settings, run, keeping);
    AmpProblem problem;
    problem.source = &source;
    problem.priors = settings.priors;
    problem.noise_mode = settings.noise_mode;
    problem.noise_of_slices = settings.noise_of_slices;
    problem.noise_variance =
        settings.noise_variance ? *settings.noise_variance : *state.noise_variance;
    bool uneven = false;
    safe_points.step(so_far, [&] {
        if (!source.masked()) return;
        uneven = suitable_form(source.shape(), observed_counts(source, run)) == MissingForm::exact;
        problem.missing = settings.missing      ? *settings.missing
                          : settings.noise_mode ? MissingForm::exact
                                                : form_for(source, problem.noise_variance, run);
    });
    AmpSettings amp = settings.amp;
    amp.inference = settings.algorithm == Algorithm::vb ? Inference::variational : Inference::amp;
    constexpr Index uneven_restarts = 5;
    const bool one_start_only = settings.start == Start::given;
    const Index restarts =
        settings.restarts.value_or(uneven && !one_start_only ? uneven_restarts : 1);
    make_starts(state, restarts, *run.monitor, keeping, [&](Index k, const StartKeeping& kept) {
        return one_start(source, settings, static_cast<std::uint64_t>(k), run, kept);
    });
    const bool from_data = settings.start == Start::spectral || settings.start == Start::given ||
                           settings.start == Start::informed;
    if (amp.learn_priors && from_data) problem.priors = scaled_to(state.starts.front(), settings);
    int sweeps = 0;
    problem.after_sweep = [&](const std::vector<AmpState>& states) {
        ++sweeps;
        if (!settings.truth.empty() &&
            states.front().sweeps() > static_cast<int>(state.self_overlap.size()))
            record_overlaps(state, states.front(), settings.truth);
    };
    std::optional<std::vector<AmpIterate>> resumed;
    if (!state.amp.empty()) resumed = std::exchange(state.amp, {});
    const auto kept = keeping.of_part(resumed, [&](const std::vector<AmpIterate>& iterates) {
        FitState whole = state;
        whole.amp = iterates;
        return whole;
    });
    const Stopwatch stopwatch;
    const std::vector<AmpState> states = timed(
        *run.monitor, "sweeps", [&] { return run_amp(problem, state.starts, amp, run, kept); });
    const double seconds = stopwatch.seconds_each(sweeps);
    for (const AmpState& replicate : states) state.amp.push_back(replicate.iterate());
    VectorXd evidence;
    safe_points.step(so_far, [&] { evidence = evidence_of(states, source, settings, run); });
    FitResult fit = amp_result(settings, states, evidence);
    fit.seconds_per_sweep = seconds;
    if (restarts == 1) {
        fit.trace.truth_overlap = state.truth_overlap;
        fit.trace.self_overlap = state.self_overlap;
    }
    return fit;
}

// One factor for all modes: that of mode 0, of the sign that their product asks for, as x.
MatrixXd common_start(const Factors& start) {
    const MatrixXd& first = start.front();
    VectorXd sign = VectorXd::Ones(first.cols());
    for (const MatrixXd& factor : start)
        for (Index k = 0; k < sign.size(); ++k)
            if (first.col(k).dot(factor.col(k)) < 0) sign(k) = -sign(k);
    const auto order = static_cast<Index>(start.size());
    // Of an even order the sign is free.
    if (order % 2 == 0) sign.setOnes();
    return first * sign.asDiagonal() / symmetric_unit(order);
}

// All restarts, one after the other.
void make_symmetric_runs(const TensorSource& source, const FitSettings& settings,
                         const Execution& run, const Keeping<FitState>& keeping, FitState& state) {
    find_noise(state, source, settings, run, keeping);
    const double noise = settings.noise_variance ? *settings.noise_variance : *state.noise_variance;
    const Index restarts = settings.restarts.value_or(1);
    std::vector<SymmetricRun>& runs = state.symmetric_done;
    for (auto k = static_cast<Index>(runs.size()); k < restarts; ++k) {
        make_starts(
            state, k + 1, *run.monitor, keeping, [&](Index number, const StartKeeping& kept) {
                return one_start(source, settings, static_cast<std::uint64_t>(number), run, kept);
            });
        Factors start = state.starts[at(k)];
        // Draws and means of the prior are of x; the others are in model units.
        if (settings.start == Start::prior_mean || settings.start == Start::random)
            start.assign(start.size(), start.front() * symmetric_unit(source.order()));
        const auto kept = keeping.of_part(std::exchange(state.symmetric, std::nullopt),
                                          [&](const SymmetricIterate& iterate) {
                                              FitState whole = state;
                                              whole.symmetric = iterate;
                                              return whole;
                                          });
        runs.push_back(timed(*run.monitor, "sweeps", [&] {
            return run_symmetric_amp(source, settings.priors.front(), noise, common_start(start),
                                     settings.amp, run, kept);
        }));
    }
}

// Of the entries with rising indices, every one of which stands p! times in the tensor.
VectorXd evidence_of(const std::vector<SymmetricRun>& runs, const TensorSource& source,
                     const Execution& run) {
    const auto rows = static_cast<double>(source.shape().front());
    double entries = 1, copies = 1;
    for (Index k = 0; k < source.order(); ++k) {
        entries *= (rows - static_cast<double>(k)) / static_cast<double>(k + 1);
        copies *= static_cast<double>(k + 1);
    }
    const double square = squared_norm(source, run) / copies;
    VectorXd evidence(static_cast<Index>(runs.size()));
    for (Index k = 0; k < evidence.size(); ++k)
        evidence(k) = log_evidence(runs[at(k)].free_entropy, runs[at(k)].noise_variance, square,
                                   entries, rows);
    return evidence;
}

FitResult fit_symmetric(const TensorSource& source, const FitSettings& settings,
                        const Execution& run, const Keeping<FitState>& keeping, FitState& state) {
    check_symmetric(source);
    const double unit = symmetric_unit(source.order());
    const Stopwatch stopwatch;
    make_symmetric_runs(source, settings, run, keeping, state);
    const std::vector<SymmetricRun>& runs = state.symmetric_done;
    int sweeps = 0;
    for (const SymmetricRun& one : runs) sweeps += static_cast<int>(one.trace.size());
    const double seconds = stopwatch.seconds_each(sweeps);
    const auto restarts = static_cast<Index>(runs.size());
    FitResult fit;
    fit.restarts.objective = evidence_of(runs, source, run);
    fit.restarts.similarity.resize(restarts);
    std::vector<AmpStatus> statuses;
    for (const SymmetricRun& one : runs) statuses.push_back(one.status);
    const SymmetricRun& chosen = runs[best_of(statuses, fit.restarts.objective)];
    const auto modes = static_cast<std::size_t>(source.order());
    for (Index k = 0; k < restarts; ++k) {
        fit.restarts.similarity(k) =
            component_similarity(Factors(modes, runs[at(k)].mean), Factors(modes, chosen.mean));
        fit.restarts.status.push_back(status_name(statuses[at(k)]));
    }
    fit.algorithm = "amp";
    fit.noise_variance = chosen.noise_variance;
    fit.noise_variance_learned = settings.amp.learn_noise;
    fit.bethe_free_entropy = chosen.free_entropy;
    fit.status = status_name(chosen.status);
    fit.iterations = static_cast<int>(chosen.trace.size());
    fit.seconds_per_sweep = seconds;
    fit.priors.assign(modes, chosen.prior->describe());
    fit.priors_learned = settings.amp.learn_priors;
    fit.denoiser_exact = chosen.prior->exact();
    fit.symmetric = true;
    fit.factors.assign(modes, unit * chosen.mean);
    fit.covariances.assign(modes, unit * unit * chosen.belief.covariance);
    fit.trace = trace_of(chosen.trace);
    return fit;
}

FitResult fit_als(const TensorSource& source, const FitSettings& settings, const Execution& run,
                  const Keeping<FitState>& keeping, FitState& state) {
    AlsSettings als = settings.als;
    als.rank = settings.rank;
    als.max_iterations = settings.amp.max_iterations;
    als.tolerance = settings.als_tolerance;
    if (settings.algorithm == Algorithm::hals && als.nonnegative_modes.empty())
        for (Index a = 0; a < source.order(); ++a) als.nonnegative_modes.push_back(a);
    const Index restarts = settings.restarts.value_or(settings.start == Start::given ? 1 : 10);
    make_starts(state, restarts, *run.monitor, keeping, [&](Index k, const StartKeeping& kept) {
        return settings.start == Start::random
                   ? random_start(source.shape(), als, settings.seed, k)
                   : one_start(source, settings, static_cast<std::uint64_t>(k), run, kept);
    });
    const auto kept =
        keeping.of_part(std::optional(std::exchange(state.als, {})), [&](const AlsProgress& part) {
            FitState whole = state;
            whole.als = part;
            return whole;
        });
    const double entries = observed_entries(source, run);
    const Stopwatch stopwatch;
    const AlsResult result = timed(*run.monitor, "sweeps",
                                   [&] { return run_als(source, state.starts, als, run, kept); });
    state.als.done = result.replicates;
    const AlsReplicate& best = result.best_replicate();
    FitResult fit;
    fit.algorithm = settings.algorithm == Algorithm::hals ? "hals" : "als";
    fit.factors = best.factors;
    fit.order_given = !als.fixed_modes.empty();
    fit.signed_modes = als.nonnegative_modes;
    fit.signed_modes.insert(fit.signed_modes.end(), als.fixed_modes.begin(), als.fixed_modes.end());
    std::sort(fit.signed_modes.begin(), fit.signed_modes.end());
    fit.objective = best.relative_error;
    fit.status = status_name(best.status);
    fit.iterations = best.iterations();
    fit.seconds_per_sweep = stopwatch.seconds_each(result.sweeps);
    fit.noise_variance = std::pow(best.relative_error, 2) * result.squared_norm / entries;
    fit.noise_variance_learned = true;
    fit.trace.objective = Eigen::Map<const VectorXd>(best.relative_trace.data(), best.iterations());
    for (const AlsReplicate& replicate : result.replicates) {
        const Index k = fit.restarts.objective.size();
        fit.restarts.objective.conservativeResize(k + 1);
        fit.restarts.similarity.conservativeResize(k + 1);
        fit.restarts.objective(k) =
            std::sqrt(replicate.objective); // without ridge the relative error
        fit.restarts.similarity(k) = replicate.similarity;
        fit.restarts.status.push_back(status_name(replicate.status));
    }
    return fit;
}

// Tied modes learn one prior: they begin with the same.
void check_tied(const std::vector<PriorPointer>& priors) {
    for (std::size_t a = 1; a < priors.size(); ++a)
        if (priors[a]->describe() != priors.front()->describe())
            throw Error(concat("tied modes: the prior of mode ", a, " is ", priors[a]->describe(),
                               ", that of mode 0 ", priors.front()->describe(),
                               "; one for all modes is expected"));
}

} // namespace

FitResult fit_tensor(const TensorSource& source, const FitSettings& settings, const Execution& run,
                     const Keeping<FitState>& keeping) {
    check_rank(source.shape(), settings.rank);
    const bool bayesian =
        settings.algorithm == Algorithm::amp || settings.algorithm == Algorithm::vb;
    if (bayesian)
        for (std::size_t a = 0; a < settings.priors.size(); ++a)
            if (settings.priors[a]->rank() != settings.rank)
                throw Error(concat("mode ", a, ": a prior of ", settings.priors[a]->rank(),
                                   " components for rank ", settings.rank));
    if (settings.start == Start::given && settings.restarts.value_or(1) > 1)
        throw Error(concat(*settings.restarts, " restarts from one start; 1 is expected"));
    if (settings.amp.tie_modes && bayesian) check_tied(settings.priors);
    FitState state = keeping.resume.value_or(FitState{});
    FitResult fit = settings.symmetric ? fit_symmetric(source, settings, run, keeping, state)
                    : bayesian         ? fit_amp(source, settings, run, keeping, state)
                                       : fit_als(source, settings, run, keeping, state);
    fit.shape = source.shape();
    fit.rank = settings.rank;
    fit.seed = settings.seed;
    if (!fit.trace.truth_overlap.empty()) align_trace(fit, settings.truth);
    SafePoints safe_points(keeping, *run.monitor);
    safe_points.step([&]() -> const FitState& { return state; },
                     [&] {
                         fit.explained_variance =
                             explained_variance(source, fit.factors, run, settings.symmetric);
                     });
    set_unit_form(fit);
    return in_canonical_order(fit);
}

} // namespace assay::tensor_amp
