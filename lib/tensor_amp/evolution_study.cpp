#include <assay/tensor_amp/evolution_study.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr Index kChunk = 16; // runs between two reports of progress

Overlaps start_of(const EvolutionStart& start, const Ensemble& ensemble) {
    switch (start.kind) {
    case EvolutionStart::Kind::prior_mean:
        return prior_mean_start(ensemble);
    case EvolutionStart::Kind::informed:
        return informed_start(ensemble);
    case EvolutionStart::Kind::given:
        return start.given;
    case EvolutionStart::Kind::share:
        break;
    }
    Overlaps overlaps = informed_start(ensemble);
    for (MatrixXd& one : overlaps) one *= start.share;
    return overlaps;
}

Assumptions assumptions_of(const EvolutionSettings& settings, double noise_var) {
    ModelDescription assumed = settings.model;
    if (settings.assumed_rank) assumed.rank = *settings.assumed_rank;
    if (!settings.assumed_priors.empty()) assumed.priors = settings.assumed_priors;
    return at_place("assumed", [&] {
        return Assumptions{settings.assumed_noise.value_or(noise_var), assumed.ensemble().priors};
    });
}

StateEvolution run_one(const EvolutionSettings& settings, const Ensemble& ensemble,
                       double noise_var, const EvolutionStart& start, const Execution& run) {
    const StateEvolutionSettings one{noise_var, settings.schedule, settings.max_iterations,
                                     settings.tolerance};
    if (!settings.mismatched())
        return state_evolution(ensemble, one, start_of(start, ensemble), run);
    const Assumptions assumed = assumptions_of(settings, noise_var);
    if (start.kind == EvolutionStart::Kind::prior_mean)
        return mismatched_evolution(ensemble, assumed, one, prior_mean_start(ensemble, assumed),
                                    run);
    if (start.kind == EvolutionStart::Kind::informed)
        return mismatched_evolution(ensemble, assumed, one, informed_start(ensemble, assumed), run);
    throw Error("start '" + start.name +
                "': with other assumptions than the truth, prior-mean or informed are expected");
}

// Thresholds beside the runs; without them, where the whole curve cannot be had.
std::optional<Thresholds> marks_of(const Ensemble& ensemble, const Execution& run) {
    const Phase phase(*run.monitor, "thresholds");
    try {
        return thresholds(PhaseCurve(ensemble, run));
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& e) {
        run.monitor->warn(std::string("no thresholds: ") + e.what());
        return std::nullopt;
    }
}

} // namespace

EvolutionStudy run_evolution_study(const EvolutionSettings& settings, const Execution& run) {
    if (settings.noise_var.size() == 0) throw Error("no noise_var");
    for (const double noise : settings.noise_var) check_noise(noise);
    if (settings.starts.empty()) throw Error("no start");
    for (const EvolutionStart& start : settings.starts)
        if (start.kind == EvolutionStart::Kind::share && !(start.share >= 0 && start.share <= 1))
            throw Error(concat("start ", start.share, "; a share from 0 to 1 is expected"));
    const Ensemble ensemble = settings.model.ensemble();
    EvolutionStudy study{settings, {}, std::nullopt};
    const auto starts = static_cast<Index>(settings.starts.size());
    const Index count = settings.noise_var.size() * starts;
    study.runs.resize(static_cast<std::size_t>(count));
    const Phase phase(*run.monitor, "evolution");
    const Execution inside{count == 1 ? run.threads : 1, run.monitor};
    const Blocks chunks{count, kChunk};
    for (Index chunk = 0; chunk < chunks.count(); ++chunk) {
        parallel_blocks(chunks.extent(chunk), run.threads, [&](Index j) {
            const Index i = chunks.begin(chunk) + j;
            study.runs[static_cast<std::size_t>(i)] =
                run_one(settings, ensemble, settings.noise_var(i / starts),
                        settings.starts[static_cast<std::size_t>(i % starts)], inside);
        });
        run.monitor->progress({static_cast<double>(chunks.begin(chunk) + chunks.extent(chunk)),
                               static_cast<double>(count), "runs", ""});
    }
    if (!settings.mismatched() && ensemble.rank() == 1) study.thresholds = marks_of(ensemble, run);
    return study;
}

} // namespace assay::tensor_amp
