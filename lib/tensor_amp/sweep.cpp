#include <assay/tensor_amp/sweep.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/rates.hpp>
#include <assay/tensor_amp/alignment.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

namespace assay::tensor_amp {
namespace {

// A tensor of the sweep and what it was made of.
struct Instance {
    Instance(const SweepSettings& settings, Index place, const Execution& run)
        : setting(place / settings.instances), number(place % settings.instances),
          model(settings.model_of(setting)) {
        // The same draws at every setting.
        model.seed += static_cast<std::uint64_t>(number) * 1000003;
        Synthetic synthetic = make_synthetic(model, run);
        truth = std::move(synthetic.truth.factors);
        source.emplace(std::move(synthetic.tensor), settings.storage);
    }
    Index setting, number; // which of its instances
    SyntheticSettings model;
    Factors truth;
    std::optional<MemoryTensor> source;
};

SweepRow fit_one(const SweepSettings& settings, Index place, const Instance& instance,
                 const Execution& run, const Keeping<SweepState>& keeping, SweepState& state) {
    const SweepAlgorithm& algorithm = settings.algorithms[at(place)];
    FitSettings fit = settings.fit;
    fit.algorithm = algorithm.algorithm;
    fit.start = algorithm.start;
    fit.restarts = algorithm.restarts;
    fit.rank = settings.model.rank;
    fit.priors = instance.model.priors;
    fit.priors_given.assign(fit.priors.size(), true);
    fit.noise_variance = instance.model.noise_variance;
    fit.seed = instance.model.seed;
    if (fit.start == Start::informed) fit.given = instance.truth;
    const double begin = linalg::cpu_seconds() - std::exchange(state.fit_seconds, 0);
    const auto kept = keeping.of_part(std::optional(std::exchange(state.fit, {})),
                                      [&state, begin](const FitState& now) {
                                          SweepState whole = state;
                                          whole.fit = now;
                                          whole.fit_seconds = linalg::cpu_seconds() - begin;
                                          return whole;
                                      });
    const FitResult result = fit_tensor(*instance.source, fit, run, kept);
    SweepRow row;
    row.cpu_seconds = linalg::cpu_seconds() - begin;
    const TruthComparison comparison =
        compare_with_truth(result, instance.truth, SimilarityScore::product, gauge_of(result));
    row.setting = instance.setting;
    row.instance = instance.number;
    row.algorithm = place;
    row.status = result.status;
    row.iterations = result.iterations;
    row.mse = comparison.mse;
    row.overlap.resize(row.mse.size());
    for (Index a = 0; a < row.overlap.size(); ++a)
        row.overlap(a) = comparison.overlaps.with_reference[at(a)].trace();
    row.signal_error = comparison.signal_error;
    row.similarity = comparison.alignment.mean_similarity();
    row.evidence = result.bethe_free_entropy.value_or(result.elbo.value_or(NAN));
    return row;
}

SweepTheory theory_of(const SyntheticSettings& model, Schedule schedule, const Execution& run) {
    VectorXd dimensions(static_cast<Index>(model.shape.size()));
    for (Index a = 0; a < dimensions.size(); ++a)
        dimensions(a) = static_cast<double>(model.shape[at(a)]);
    const Ensemble ensemble = make_ensemble(dimensions, model.priors);
    StateEvolutionSettings evolution;
    evolution.noise_var = model.noise_variance;
    evolution.schedule = schedule;
    const StateEvolution uninformed =
        state_evolution(ensemble, evolution, prior_mean_start(ensemble), run);
    const StateEvolution informed =
        state_evolution(ensemble, evolution, informed_start(ensemble), run);
    return {uninformed.signal_error, informed.signal_error, uninformed.mse, informed.mse,
            uninformed.free_entropy, informed.free_entropy};
}

// Where state evolution has no answer.
SweepTheory no_theory(Index order) {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    const VectorXd modes = VectorXd::Constant(order, none);
    return {none, none, modes, modes, none, none};
}

void find_theory(SweepState& state, SafePoints<SweepState>& safe_points,
                 const SweepSettings& settings, const Execution& run) {
    const Schedule schedule = settings.fit.amp.schedule;
    std::string first_failure;
    const auto find = [&](const SyntheticSettings& model) {
        try {
            return theory_of(model, schedule, run);
        } catch (const Interrupted&) {
            throw;
        } catch (const Error& error) {
            if (first_failure.empty())
                first_failure = concat("point ", state.theory.size(), ": ", error.what());
            return no_theory(static_cast<Index>(model.shape.size()));
        }
    };
    for (auto k = static_cast<Index>(state.theory.size()); k < settings.count(); ++k)
        safe_points.step([&]() -> const SweepState& { return state; },
                         [&] { state.theory.push_back(find(settings.model_of(k))); });
    if (!first_failure.empty())
        run.monitor->warn("theory is left out where it has no answer, first at " + first_failure);
    if (std::all_of(state.theory.begin(), state.theory.end(),
                    [](const SweepTheory& one) { return std::isnan(one.signal_error_informed); }))
        state.theory.clear();
    state.theory_done = true;
}

// Every point of the grid is a model that can be fitted, and fits into the memory.
void check_points(const SweepSettings& settings, const Monitor& monitor) {
    constexpr double most = 1e9;
    if (static_cast<double>(settings.count()) * static_cast<double>(settings.instances) > most)
        throw UsageError(concat("the sweep has ", settings.count(), " points of ",
                                settings.instances,
                                " instances; at most 10^9 in all are expected"));
    if (settings.grid.axes.empty()) return;
    for (Index p = 0; p < settings.grid.points(); ++p) {
        monitor.stop_if_interrupted();
        at_place(point_words(settings.grid.axes, p), [&] {
            check_synthetic_settings(settings.model_of(p * settings.noise_variances.size()));
        });
    }
}

double median_of(std::vector<double> values) {
    if (values.empty()) return NAN;
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

// The mean and its standard error, NaN of a single value; of none both are.
std::pair<double, double> mean_and_error(const std::vector<double>& values) {
    if (values.empty()) return {NAN, NAN};
    const auto count = static_cast<double>(values.size());
    double mean = 0, squares = 0;
    for (const double value : values) mean += value;
    mean /= count;
    for (const double value : values) squares += std::pow(value - mean, 2);
    return {mean, count > 1 ? std::sqrt(squares / (count - 1) / count) : NAN};
}

void check_same(const Sweep& part, const Sweep& first) {
    const bool same = part.axes == first.axes && part.noise_variances == first.noise_variances &&
                      part.algorithms == first.algorithms && part.instances == first.instances &&
                      part.parts == first.parts && part.shape == first.shape &&
                      part.rank == first.rank && part.priors == first.priors &&
                      part.seed == first.seed && part.success == first.success &&
                      part.options == first.options;
    if (!same)
        throw Error(
            concat("shard ", part.part + 1, ": another sweep than that of shard ", first.part + 1));
}

// Every setting, instance and algorithm once, in this order.
void check_complete(const Sweep& sweep) {
    const auto algorithms = static_cast<Index>(sweep.algorithms.size());
    const Index expected = sweep.settings() * sweep.instances * algorithms;
    bool complete = static_cast<Index>(sweep.rows.size()) == expected;
    for (Index k = 0; complete && k < expected; ++k) {
        const SweepRow& row = sweep.rows[at(k)];
        complete = (row.setting * sweep.instances + row.instance) * algorithms + row.algorithm == k;
    }
    if (!complete)
        throw Error(concat("the shards have ", sweep.rows.size(), " fits; ", expected,
                           ", one of each, are expected"));
}

template <class Meaning>
std::optional<Meaning> find_word(const std::vector<std::pair<std::string, Meaning>>& words,
                                 const std::string& word) {
    for (const auto& [known, meaning] : words)
        if (known == word) return meaning;
    return std::nullopt;
}

} // namespace

SweepAlgorithm parse_sweep_algorithm(const std::string& text) {
    static const std::vector<std::pair<std::string, Start>> starts{
        {"prior-mean", Start::prior_mean},
        {"random", Start::random},
        {"spectral", Start::spectral},
        {"informed", Start::informed}};
    static const std::vector<std::pair<std::string, Algorithm>> names{{"amp", Algorithm::amp},
                                                                      {"vb", Algorithm::vb},
                                                                      {"als", Algorithm::als},
                                                                      {"hals", Algorithm::hals}};
    const auto parts = split(text, ':');
    const auto name = find_word(names, parts.front());
    const bool bayesian = name && (*name == Algorithm::amp || *name == Algorithm::vb);
    // The place of the start's word, and that of K.
    const std::size_t start_at = bayesian ? 1 : 0, restarts_at = start_at + 1;
    SweepAlgorithm algorithm{text, name.value_or(Algorithm::amp),
                             bayesian ? Start::spectral : Start::random, 1};
    bool known = name && parts.size() <= restarts_at + 1;
    if (bayesian && parts.size() > start_at) {
        const auto start = find_word(starts, parts[start_at]);
        known = known && start;
        algorithm.start = start.value_or(Start::spectral);
    }
    if (known && parts.size() > restarts_at) {
        const auto restarts = parse_integer(parts[restarts_at]);
        known = restarts && *restarts >= 1 && *restarts <= 100000;
        algorithm.restarts = restarts.value_or(1);
    }
    if (known) return algorithm;
    throw UsageError("algorithm '" + printable(text, 40) +
                     "'; amp:START[:K], vb:START[:K] (prior-mean, random, spectral, informed), "
                     "als:K or hals:K is expected");
}

bool Sweep::has_overlaps() const {
    return std::all_of(rows.begin(), rows.end(),
                       [](const SweepRow& row) { return row.overlap.size() > 0; });
}

SyntheticSettings SweepSettings::model_of(Index setting) const {
    SyntheticSettings changed = model;
    changed.noise_variance = noise_variances(setting % noise_variances.size());
    if (grid.axes.empty()) return changed;
    const ModelDescription described = grid.model_at(setting / noise_variances.size());
    changed.shape.clear();
    for (const double length : described.dimensions) {
        constexpr double longest = 1e9;
        if (!(length >= 0.5 && length <= longest))
            throw Error(concat("a dimension of ", length, "; 1 to 1e9 are expected"));
        changed.shape.push_back(std::lround(length));
    }
    changed.priors = described.parsed_priors();
    return changed;
}

SweepSummary Sweep::summary(Index setting, Index algorithm) const {
    SweepSummary summary;
    std::vector<double> errors;
    std::vector<std::vector<double>> overlaps(at(modes()));
    const auto first =
        std::lower_bound(rows.begin(), rows.end(), setting,
                         [](const SweepRow& row, Index wanted) { return row.setting < wanted; });
    for (auto place = first; place != rows.end() && place->setting == setting; ++place) {
        const SweepRow& row = *place;
        if (row.algorithm != algorithm) continue;
        errors.push_back(row.signal_error);
        summary.success += row.similarity > success;
        summary.similarity += row.similarity;
        summary.iterations += static_cast<double>(row.iterations);
        for (Index a = 0; a < row.overlap.size(); ++a) overlaps[at(a)].push_back(row.overlap(a));
    }
    const auto count = static_cast<double>(errors.size());
    for (double* mean : {&summary.success, &summary.similarity, &summary.iterations})
        *mean /= count;
    std::tie(summary.signal_error, summary.signal_error_sem) = mean_and_error(errors);
    summary.median_signal_error = median_of(errors);
    summary.overlap.resize(modes());
    summary.overlap_sem = summary.overlap;
    for (Index a = 0; a < summary.overlap.size(); ++a)
        std::tie(summary.overlap(a), summary.overlap_sem(a)) = mean_and_error(overlaps[at(a)]);
    return summary;
}

Sweep run_sweep(const SweepSettings& settings, const Execution& run,
                const Keeping<SweepState>& keeping) {
    check_points(settings, *run.monitor);
    Sweep sweep;
    sweep.axes = settings.grid.axes;
    sweep.noise_variances = settings.noise_variances;
    for (const SweepAlgorithm& algorithm : settings.algorithms)
        sweep.algorithms.push_back(algorithm.text);
    sweep.instances = settings.instances;
    sweep.part = settings.part;
    sweep.parts = settings.parts;
    sweep.shape = settings.model.shape;
    sweep.rank = settings.model.rank;
    sweep.priors = settings.priors;
    sweep.success = settings.success;
    sweep.seed = settings.model.seed;
    sweep.options = concat(
        "tolerance ", settings.fit.amp.tolerance, ", sweeps ", settings.fit.amp.max_iterations,
        ", start noise ", settings.fit.start_noise, ", standardize ", settings.model.standardize,
        ", theory ", settings.with_theory, ", polish ", settings.fit.polish, ", parallel ",
        settings.fit.amp.schedule == Schedule::parallel, ", damping ",
        settings.fit.amp.damping.value_or(0), ", gauge ", settings.fit.amp.gauge, ", learn ",
        settings.fit.amp.learn_noise, settings.fit.amp.learn_priors, ", float32 ",
        settings.storage == Storage::float32);
    SweepState state = keeping.resume.value_or(SweepState{});
    SafePoints safe_points(keeping, *run.monitor);
    const auto so_far = [&]() -> const SweepState& { return state; };
    // One part has it; before the fits, so that nothing is lost where it fails.
    if (settings.with_theory && settings.part == 0 && !state.theory_done)
        timed(*run.monitor, "theory", [&] { find_theory(state, safe_points, settings, run); });
    const Index total = settings.count() * settings.instances;
    const auto algorithms = static_cast<Index>(settings.algorithms.size());
    const auto done = static_cast<Index>(state.rows.size());
    const Phase phase(*run.monitor, "fits");
    WithoutPhases quieter(*run.monitor);
    const Execution inside{run.threads, &quieter};
    Index next = done % algorithms; // of the tensor at which the state stands
    for (Index k = settings.part + done / algorithms * settings.parts; k < total;
         k += settings.parts) {
        run.monitor->progress({static_cast<double>(k), static_cast<double>(total), "tensors", {}});
        std::optional<Instance> instance;
        safe_points.step(so_far, [&] { instance.emplace(settings, k, run); });
        for (; next < algorithms; ++next) {
            safe_points.reached(so_far);
            state.rows.push_back(fit_one(settings, next, *instance, inside, keeping, state));
        }
        next = 0;
    }
    sweep.theory = std::move(state.theory);
    sweep.rows = std::move(state.rows);
    return sweep;
}

Sweep merge_sweeps(std::vector<Sweep> parts) {
    if (parts.empty()) throw Error("there are no shards");
    std::vector<bool> there(at(parts.front().parts), false);
    Sweep whole = parts.front();
    whole.rows.clear();
    whole.theory.clear();
    for (const Sweep& part : parts) {
        check_same(part, parts.front());
        if (there[at(part.part)]) throw Error(concat("shard ", part.part + 1, " is given twice"));
        there[at(part.part)] = true;
        if (!part.theory.empty()) whole.theory = part.theory;
        whole.rows.insert(whole.rows.end(), part.rows.begin(), part.rows.end());
    }
    for (std::size_t k = 0; k < there.size(); ++k)
        if (!there[k]) throw Error(concat("shard ", k + 1, " of ", there.size(), " is missing"));
    std::stable_sort(whole.rows.begin(), whole.rows.end(),
                     [](const SweepRow& a, const SweepRow& b) {
                         return std::tie(a.setting, a.instance, a.algorithm) <
                                std::tie(b.setting, b.instance, b.algorithm);
                     });
    whole.part = 0;
    whole.parts = 1;
    check_complete(whole);
    return whole;
}

} // namespace assay::tensor_amp
