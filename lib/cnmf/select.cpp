#include <assay/cnmf/select.hpp>

#include <assay/cnmf/compare.hpp>
#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::cnmf {
namespace {

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

std::string point_name(const SelectPoint& point) {
    std::string name = concat("K ", point.components, ", L ", point.lags);
    if (point.x_ortho > 0) name += ", x-ortho " + significant(point.x_ortho, 3);
    return name;
}

// Passes messages on, warnings with the name of their point, which it keeps.
class PointMonitor : public WithoutPhases {
  public:
    PointMonitor(Monitor& other, std::string point)
        : WithoutPhases(other), point_(std::move(point)) {}
    void message(Level level, const std::string& text) override {
        if (level != Level::warning) return WithoutPhases::message(level, text);
        const std::string named = concat(point_, ": ", text);
        warnings.insert(named);
        WithoutPhases::message(level, named);
    }
    std::set<std::string> warnings;

  private:
    std::string point_;
};

} // namespace

std::vector<SelectRow> select(const Data& data, const Mask& excluded, const SelectOptions& options,
                              Index first, Index step, const Execution& run,
                              const std::function<bool(Index)>& skip,
                              const std::function<void(Index, const PointOutcome&)>& done) {
    const Recording& recording = data.recording();
    // Made when it is needed: masks of all repetitions would take more than the data.
    const auto held_out = [&](Index r) {
        return Unseen(recording, excluded,
                      Mask::held_out(recording.units(), recording.bins(),
                                     {options.hold_out, options.hold_out_block, options.fit.seed,
                                      static_cast<std::uint64_t>(r)}));
    };
    const Unseen all(recording, excluded, {});
    // One method for all points.
    const bool penalised = std::any_of(options.points.begin(), options.points.end(),
                                       [](const SelectPoint& point) { return point.x_ortho > 0; });
    std::vector<SelectRow> rows;
    const auto count = static_cast<Index>(options.points.size());
    for (Index p = first; p < count; p += step) {
        if (skip && skip(p)) continue;
        const SelectPoint& point = options.points[static_cast<std::size_t>(p)];
        FitOptions fit_options = options.fit;
        fit_options.components = point.components;
        fit_options.lags = point.lags;
        fit_options.penalties.x_ortho = point.x_ortho;
        fit_options.extrapolate = options.fit.extrapolate && !penalised;
        fit_options.restarts = 1;
        const std::string name = point_name(point);
        const Phase phase(*run.monitor, "fits of " + name);
        PointMonitor quieter(*run.monitor, name);
        const Execution inside{run.threads, &quieter};
        const auto products = data.products(point.components, point.lags, run);
        std::vector<Model> models;
        std::vector<SelectRow> of_point;
        for (Index r = 0; r < options.restarts; ++r) {
            run.monitor->progress({static_cast<double>(p * options.restarts + r),
                                   static_cast<double>(count * options.restarts), "fits", name});
            fit_options.start_stream = static_cast<std::uint64_t>(
                (point.components * 1000003 + point.lags) * 1000003 + r + 1);
            SelectRow row;
            row.point = point;
            row.repetition = r;
            if (options.hold_out > 0) {
                const FitResult held = fit(data, held_out(r), fit_options, inside);
                row.train_loss = held.evaluation.relative_loss();
                row.test_loss = held.evaluation.test_loss();
            }
            FitResult full = fit(data, all, fit_options, inside);
            row.full_loss = full.evaluation.relative_loss();
            row.iterations = static_cast<Index>(full.history.loss.size()) - 1;
            row.penalty = cross_orthogonality(full.model, *products, all, run);
            models.push_back(std::move(full.model));
            of_point.push_back(row);
        }
        for (std::size_t i = 0; i < models.size(); ++i) {
            std::vector<double> to_others;
            for (std::size_t j = 0; j < models.size(); ++j)
                if (i != j)
                    to_others.push_back(
                        compare(models[i], models[j], recording.segment_start, inside)
                            .dissimilarity);
            of_point[i].dissimilarity = median(to_others);
        }
        rows.insert(rows.end(), of_point.begin(), of_point.end());
        if (done) done(p, {of_point, quieter.warnings});
    }
    return rows;
}

std::vector<SelectSummary> summarize(const std::vector<SelectRow>& rows) {
    std::vector<SelectSummary> summaries;
    for (std::size_t begin = 0; begin < rows.size();) {
        std::size_t end = begin;
        const SelectPoint& point = rows[begin].point;
        std::vector<double> dissimilarities;
        SelectSummary s;
        s.point = point;
        for (; end < rows.size() && rows[end].point.components == point.components &&
               rows[end].point.lags == point.lags && rows[end].point.x_ortho == point.x_ortho;
             ++end) {
            s.train += rows[end].train_loss;
            s.test += rows[end].test_loss;
            s.full += rows[end].full_loss;
            s.penalty += rows[end].penalty;
            dissimilarities.push_back(rows[end].dissimilarity);
        }
        const auto n = static_cast<double>(end - begin);
        s.train /= n, s.test /= n, s.full /= n, s.penalty /= n;
        for (std::size_t i = begin; n > 1 && i < end; ++i) {
            s.train_sem += std::pow(rows[i].train_loss - s.train, 2);
            s.test_sem += std::pow(rows[i].test_loss - s.test, 2);
        }
        if (n > 1) {
            s.train_sem = std::sqrt(s.train_sem / (n * (n - 1)));
            s.test_sem = std::sqrt(s.test_sem / (n * (n - 1)));
        }
        s.dissimilarity = median(dissimilarities);
        summaries.push_back(s);
        begin = end;
    }
    return summaries;
}

std::optional<Suggestion> suggest(const std::vector<SelectSummary>& summaries) {
    if (summaries.empty() || std::isnan(summaries.front().test)) return std::nullopt;
    Suggestion s;
    for (std::size_t i = 1; i < summaries.size(); ++i)
        if (summaries[i].test < summaries[s.least].test) s.least = i;
    s.smallest = s.least;
    const double bound = summaries[s.least].test + summaries[s.least].test_sem;
    for (std::size_t i = 0; i < summaries.size(); ++i) {
        const auto& best = summaries[s.smallest].point;
        if (summaries[i].test <= bound && summaries[i].point.components < best.components)
            s.smallest = i;
    }
    return s;
}

namespace {

double best_power(const Data& data, const FitOptions& options, const Execution& run) {
    return 1 - std::pow(fit(data, {}, options, run).evaluation.relative_loss(), 2);
}

// Bins moved within their segment, every unit's on their own.
Matrix noise_of(const Matrix& x, const TimeAxis& axis, const Random& random,
                std::uint64_t shuffle) {
    Matrix noise(x.rows(), x.cols());
    for (const Segment& segment : axis.segments())
        for (Index n = 0; n < x.rows(); ++n) {
            const auto order = random.permutation(
                segment.bins, {shuffle, static_cast<std::uint64_t>(n),
                               2 * static_cast<std::uint64_t>(segment.first_bin) + 1});
            for (Index t = 0; t < segment.bins; ++t)
                noise(n, segment.first_bin + t) =
                    x(n, segment.first_bin + order[static_cast<std::size_t>(t)]);
        }
    return noise;
}

// All units' alike; the first `lags` of each segment stay.
Matrix sync_of(const Matrix& x, const TimeAxis& axis, Index lags, const Random& random,
               std::uint64_t shuffle) {
    Matrix sync = x;
    for (const Segment& segment : axis.segments()) {
        const Index kept = std::min(lags, segment.bins);
        const auto order =
            random.permutation(segment.bins - kept,
                               {shuffle, 0, 2 * static_cast<std::uint64_t>(segment.first_bin) + 2});
        for (Index t = kept; t < segment.bins; ++t)
            sync.col(segment.first_bin + t) =
                x.col(segment.first_bin + kept + order[static_cast<std::size_t>(t - kept)]);
    }
    return sync;
}

} // namespace

Sequenciness sequenciness(const Recording& recording, const FitOptions& options, Index shuffles,
                          EngineChoice choice, const Execution& run,
                          const Keeping<std::vector<double>>& control) {
    const Data data(recording, choice, run);
    const double bytes = 32.0 * static_cast<double>(recording.units()) *
                         static_cast<double>(recording.bins()); // it, a shuffle, and blocks
    if (bytes > static_cast<double>(data.choice().memory))
        throw Error("its shuffles need " + human_bytes(bytes) + " and --memory allows " +
                    human_bytes(static_cast<double>(data.choice().memory)));
    const Matrix x = recording.read(0, recording.bins());
    const TimeAxis axis(x.cols(), recording.segment_start, 1);
    const Random random(options.seed, "cnmf/sequenciness");
    const Phase phase(*run.monitor, "fits of data and shuffles");
    WithoutPhases quieter(*run.monitor);
    const Execution inside{run.threads, &quieter};
    const auto power_of = [&](std::size_t fit) {
        if (fit == 0) return best_power(data, options, inside);
        const std::uint64_t shuffle = (fit - 1) / 2;
        DenseRecording shuffled(fit % 2 == 1 ? noise_of(x, axis, random, shuffle)
                                             : sync_of(x, axis, options.lags, random, shuffle));
        shuffled.segment_start = recording.segment_start;
        return best_power(Data(shuffled, choice, inside), options, inside);
    };
    std::vector<double> powers = control.resume.value_or(std::vector<double>{});
    SafePoints safe_points(control, *run.monitor);
    const auto fits = static_cast<std::size_t>(1 + 2 * shuffles);
    if (powers.size() > fits)
        throw Error(concat("the saved state has ", powers.size(), " fits; at most ", fits,
                           " are expected"));
    while (powers.size() < fits) {
        run.monitor->progress(
            {static_cast<double>(powers.size()), static_cast<double>(fits), "fits", ""});
        safe_points.step([&]() -> const std::vector<double>& { return powers; },
                         [&] { powers.push_back(power_of(powers.size())); });
    }
    Sequenciness result;
    result.power = powers.front();
    for (std::size_t fit = 1; fit < fits; ++fit)
        (fit % 2 == 1 ? result.noise_powers : result.sync_powers).push_back(powers[fit]);
    result.noise_power = median(result.noise_powers);
    result.sync_power = median(result.sync_powers);
    const double range = result.power - result.noise_power;
    result.value = range > 0 ? (result.power - result.sync_power) / range : 0.0;
    return result;
}

} // namespace assay::cnmf
