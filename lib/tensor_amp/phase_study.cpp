#include <assay/tensor_amp/phase_study.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/state_evolution.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

namespace assay::tensor_amp {
namespace {

// Responses by prior: many points of a diagram share them.
using ResponseCache = std::map<std::string, std::shared_ptr<const ScalarResponse>>;

// Tabulates every prior of the points, each once.
ResponseCache make_responses(const PhaseSettings& settings, const std::vector<Index>& points,
                             const Execution& run) {
    const Phase phase(*run.monitor, "responses");
    std::map<std::string, PriorPointer> priors;
    for (const Index p : points)
        for (const PriorPointer& prior : settings.model_at(p).ensemble().priors)
            priors.emplace(prior->describe(), prior);
    std::vector<std::pair<std::string, PriorPointer>> list(priors.begin(), priors.end());
    std::vector<std::shared_ptr<const ScalarResponse>> made(list.size());
    const Execution inside{list.size() == 1 ? run.threads : 1, run.monitor};
    parallel_blocks(static_cast<Index>(list.size()), run.threads, [&](Index i) {
        made[at(i)] = std::make_shared<ScalarResponse>(*list[at(i)].second, inside);
    });
    ResponseCache cache;
    for (std::size_t i = 0; i < list.size(); ++i) cache.emplace(list[i].first, made[i]);
    return cache;
}

PhaseCurve curve_of(const Ensemble& ensemble, const ResponseCache& cache) {
    PhaseCurve::Responses responses;
    for (const PriorPointer& prior : ensemble.priors)
        responses.push_back(cache.at(prior->describe()));
    return {ensemble.aspect, std::move(responses)};
}

void fill_curve(PhasePoint& point, const PhaseCurve& curve, const VectorXd& products) {
    point.overlaps.resize(products.size(), curve.order());
    point.delta.resize(products.size());
    point.free_entropy.resize(products.size());
    for (Index i = 0; i < products.size(); ++i) {
        const double log_p = std::log(products(i));
        point.overlaps.row(i) = curve.overlaps(log_p).transpose();
        point.delta(i) = std::exp(curve.at(log_p).log_delta);
        point.free_entropy(i) = curve.free_entropy(log_p);
    }
}

AccuracyRows rows_for(Index count, Index order) {
    return {MatrixXd(count, order), MatrixXd(count, order), VectorXd(count),
            std::vector<Regime>(at(count))};
}

AccuracyRows accuracy_on_curve(const PhaseCurve& curve, const VectorXd& noise) {
    AccuracyRows rows = rows_for(noise.size(), curve.order());
    for (Index i = 0; i < noise.size(); ++i) {
        const Accuracy accuracy = accuracy_at(curve, noise(i));
        for (Index a = 0; a < curve.order(); ++a) {
            const double second = curve.response(a).second_moment();
            rows.mse_reached(i, a) = second - accuracy.reached(a);
            rows.mse_best(i, a) = second - accuracy.best(a);
        }
        rows.free_entropy(i) = accuracy.best_free_entropy;
        rows.regime[at(i)] = accuracy.regime;
    }
    return rows;
}

// Above rank 1 by state evolution from both ends. The uninformed one is moved a little towards the
// truth, as noise moves an algorithm: else it would rest on solutions that are not stable.
AccuracyRows accuracy_by_evolution(const Ensemble& ensemble, const VectorXd& noise,
                                   const Execution& run) {
    AccuracyRows rows = rows_for(noise.size(), ensemble.order());
    constexpr double nudge = 1e-6;
    const Overlaps blind = prior_mean_start(ensemble), truth = informed_start(ensemble);
    Overlaps moved = blind;
    for (std::size_t a = 0; a < moved.size(); ++a) moved[a] += nudge * (truth[a] - blind[a]);
    for (Index i = 0; i < noise.size(); ++i) {
        StateEvolutionSettings settings;
        settings.noise_var = noise(i);
        const StateEvolution low = state_evolution(ensemble, settings, moved, run),
                             high = state_evolution(ensemble, settings, truth, run);
        const bool gains = high.free_entropy > low.free_entropy + 1e-9;
        const StateEvolution& best = gains ? high : low;
        rows.mse_reached.row(i) = low.mse.transpose();
        rows.mse_best.row(i) = best.mse.transpose();
        rows.free_entropy(i) = best.free_entropy;
        const bool nothing =
            (best.q.back()[0] - blind[0]).norm() < 1e-6 * best.q.back()[0].norm() ||
            best.q.back()[0].isZero(1e-9);
        rows.regime[at(i)] = gains ? Regime::hard : nothing ? Regime::impossible : Regime::easy;
    }
    return rows;
}

PhasePoint point_of(const PhaseSettings& settings, Index p, const ResponseCache& cache,
                    const Execution& run) {
    const ModelDescription model = settings.model_at(p);
    const Ensemble ensemble = model.ensemble();
    PhasePoint point;
    if (settings.quantity == PhaseQuantity::specialisation) {
        point.specialisation = specialisation_threshold(ensemble, run);
        return point;
    }
    if (settings.quantity == PhaseQuantity::mse_map && ensemble.rank() > 1) {
        point.accuracy = accuracy_by_evolution(ensemble, settings.noise_var, run);
        return point;
    }
    const PhaseCurve curve = curve_of(ensemble, cache);
    point.thresholds = thresholds(curve);
    // A mode of length 1 has no asymptotics: such shapes are ratios.
    if (model.dimensions.minCoeff() >= 2)
        point.unfolding =
            unfolding_threshold(std::exp(model.dimensions.array().log().mean()), ensemble);
    if (settings.quantity == PhaseQuantity::curve) fill_curve(point, curve, settings.products);
    if (settings.quantity == PhaseQuantity::mse_map)
        point.accuracy = accuracy_on_curve(curve, settings.noise_var);
    return point;
}

void check_phase_settings(const PhaseSettings& settings) {
    const bool map = settings.quantity == PhaseQuantity::mse_map;
    const VectorXd& values = map ? settings.noise_var : settings.products;
    if ((map || settings.quantity == PhaseQuantity::curve) && values.size() == 0)
        throw Error(map ? "no noise_var for an mse-map" : "no P for a curve");
    for (const double noise : settings.noise_var) check_noise(noise);
    for (const double product : settings.products)
        if (!(product > 0) || !std::isfinite(product))
            throw Error(concat("P is ", product, "; it must be positive"));
    if (settings.quantity != PhaseQuantity::specialisation && !map && settings.model.rank != 1)
        throw Error(concat("rank ", settings.model.rank,
                           "; thresholds and curves are known at rank 1 only"));
}

// The results of all points of a part, before any is made.
void check_size(const PhaseSettings& settings, const PhasePart& part) {
    const auto order =
        static_cast<double>(largest_order(settings.axes, settings.model.dimensions.size()));
    double numbers = 16; // thresholds, few and short
    if (settings.quantity == PhaseQuantity::curve)
        numbers += (order + 2) * static_cast<double>(settings.products.size());
    if (settings.quantity == PhaseQuantity::mse_map)
        numbers += (2 * order + 2) * static_cast<double>(settings.noise_var.size());
    const double points =
        std::ceil(static_cast<double>(settings.points()) / static_cast<double>(part.count));
    // As points, as rows and as one array in the file.
    constexpr double copies = 3;
    assay::check_memory(copies * sizeof(double) * numbers * points,
                        concat("phase diagram of ", shortest(points),
                               points == 1 ? " point" : " points", ", ", shortest(numbers),
                               " numbers each"));
}

} // namespace

PhaseStudy run_phase_study(const PhaseSettings& settings, const PhasePart& part,
                           const Execution& run, const Keeping<PhasePoints>& keeping) {
    check_phase_settings(settings);
    check_size(settings, part);
    PhaseStudy study{settings, part, keeping.resume.value_or(PhasePoints{})};
    std::vector<Index> open;
    const auto placed = [&](Index p, const auto& body) {
        if (settings.axes.empty()) return body();
        return at_place(point_words(settings.axes, p), body);
    };
    for (Index p = part.index - 1; p < settings.points(); p += part.count) {
        placed(p, [&] { static_cast<void>(settings.model_at(p).ensemble()); });
        if (study.points.count(p) == 0) open.push_back(p);
    }
    SafePoints safe_points(keeping, *run.monitor);
    const auto so_far = [&]() -> const PhasePoints& { return study.points; };
    ResponseCache cache;
    if (settings.model.rank == 1 && settings.quantity != PhaseQuantity::specialisation)
        safe_points.step(so_far, [&] { cache = make_responses(settings, open, run); });
    const Phase phase(*run.monitor, "points");
    std::mutex adding;
    // Few points at once: some take minutes, and are saved in between.
    const Blocks chunks{static_cast<Index>(open.size()), Index{2} * run.threads};
    for (Index chunk = 0; chunk < chunks.count(); ++chunk) {
        const Index first = chunks.begin(chunk), count = chunks.extent(chunk);
        const Execution inside{count == 1 ? run.threads : 1, run.monitor};
        safe_points.step(so_far, [&] {
            parallel_blocks(count, run.threads, [&](Index i) {
                run.monitor->stop_if_interrupted();
                const Index p = open[at(first + i)];
                PhasePoint point = placed(p, [&] { return point_of(settings, p, cache, inside); });
                const std::lock_guard<std::mutex> alone(adding);
                study.points.emplace(p, std::move(point));
            });
        });
        run.monitor->progress(
            {static_cast<double>(first + count), static_cast<double>(open.size()), "points", ""});
    }
    return study;
}

} // namespace assay::tensor_amp
