#include "theory_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/study_io.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

namespace tensor_amp_app {

using namespace assay;

namespace {

constexpr const char* kEvolution = "/tensor_amp/se";
constexpr const char* kPhase = "/tensor_amp/phase";
std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// ---- state evolution

// Q of /tensor_amp/se with all axes: noise x start x sweep x mode x r x r.
struct Trajectories {
    Index noises = 1, starts = 1, sweeps = 1, modes = 1, rank = 1;
    std::vector<std::string> names; // of the starts
    Numbers noise, q;

    // The sum of the overlaps of all components.
    [[nodiscard]] double overlap(Index noise_index, Index start, Index sweep, Index mode) const {
        const Index first =
            (((noise_index * starts + start) * sweeps + sweep) * modes + mode) * rank * rank;
        double sum = 0;
        for (Index k = 0; k < rank; ++k) sum += q[at(first + k * rank + k)];
        return sum;
    }
};

Trajectories trajectories_of(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kEvolution);
    // With other assumptions than the truth, M is what counts.
    const hdf5::Dataset q = group.dataset(group.has_dataset("M") ? "M" : "Q").expect_numeric();
    Trajectories t;
    t.noise = numbers(group, "noise_var");
    t.names = split(group.text_attribute("starts").value_or(""), ',');
    t.noises = static_cast<Index>(t.noise.size());
    t.starts = static_cast<Index>(t.names.size());
    const Index rank = q.rank();
    if (rank < 4) throw Error(q.where() + ": sweep x mode x component x component is expected");
    const hdf5::Shape& shape = q.shape();
    t.sweeps = shape[at(rank - 4)];
    t.modes = shape[at(rank - 3)];
    t.rank = shape[at(rank - 1)];
    if (shape[at(rank - 2)] != t.rank)
        throw Error(q.where() + ": estimate and truth differ in rank, so that no overlap is drawn");
    t.q = q.read<double>();
    if (static_cast<double>(t.q.size()) != static_cast<double>(t.noises * t.starts) *
                                               static_cast<double>(t.sweeps * t.modes) *
                                               static_cast<double>(t.rank * t.rank) ||
        t.q.empty())
        throw Error(q.where() + ": does not fit noise_var and starts");
    return t;
}

// Overlaps after every sweep, for one noise; overlaps of a fit with known truth as points.
plot::Figure evolution_figure(const hdf5::Group& root) {
    const Trajectories t = trajectories_of(root);
    plot::Panel panel =
        panel_at(0.12, 0.6, concat("noise ", significant(t.noise[0], 4)), "sweep", "overlap");
    panel.legend = panel.legend_outside = true;
    for (Index s = 0; s < t.starts; ++s)
        for (Index a = 0; a < std::min(t.modes, kShownModes); ++a) {
            Numbers x, y;
            for (Index sweep = 0; sweep < t.sweeps; ++sweep) {
                x.push_back(static_cast<double>(sweep));
                y.push_back(t.overlap(0, s, sweep, a));
            }
            panel.series.push_back(line(std::move(x), std::move(y), static_cast<int>(a),
                                        concat("mode ", a, ", ", t.names[at(s)]),
                                        s == 0 ? 1.8 : 0.8));
        }
    if (root.has_dataset("/tensor_amp/fit/trace/M")) {
        const hdf5::Dataset trace = root.dataset("/tensor_amp/fit/trace/M").expect_rank(4);
        const Index sweeps = trace.shape()[0], modes = trace.shape()[1], rank = trace.shape()[2];
        const Numbers m = trace.read<double>();
        for (Index a = 0; a < std::min(modes, kShownModes); ++a) {
            plot::Series points = line({}, {}, static_cast<int>(a));
            points.style = plot::Style::points;
            for (Index sweep = 0; sweep < sweeps; ++sweep) {
                double sum = 0;
                for (Index k = 0; k < std::min(rank, trace.shape()[3]); ++k)
                    sum += m[at(((sweep * modes + a) * rank + k) * trace.shape()[3] + k)];
                points.x.push_back(static_cast<double>(sweep + 1));
                points.y.push_back(sum);
            }
            panel.series.push_back(std::move(points));
        }
    }
    return figure_of({std::move(panel)}, 6);
}

// Vertical lines where solutions come and go.
void add_marks(plot::Panel& panel, const hdf5::Group& group, double low, double high, double top) {
    struct Mark {
        const char* name;
        const char* label;
        int colour;
        double height;
    };
    for (const Mark& mark :
         {Mark{"delta_alg", "alg", kGrey, 1.03}, Mark{"delta_it", "IT", kBlack, 1.09},
          Mark{"delta_dyn", "dyn", kGrey, 1.03}}) {
        if (!group.has_dataset(mark.name)) continue;
        for (const double delta : numbers(group, mark.name)) {
            if (!(delta >= low && delta <= high)) continue;
            panel.series.push_back(line({delta, delta}, {0, top}, mark.colour));
            panel.labels.push_back({delta, mark.height * top, mark.label, plot::Align::centre});
        }
    }
}

// The sweep in the file, if a whole one of one model stands there.
std::optional<tensor_amp::Sweep> simulations_in(const hdf5::Group& root) {
    if (!root.has_group(tensor_amp::kSweepGroup)) return std::nullopt;
    tensor_amp::Sweep sweep = tensor_amp::read_sweep(root.group(tensor_amp::kSweepGroup));
    if (sweep.parts > 1 || !sweep.axes.empty()) return std::nullopt;
    return sweep;
}

// A mean and its standard error, at every noise of a sweep of one algorithm, as points.
struct Measured {
    double mean, error;
};
constexpr std::array kMarks{plot::Mark::circle,  plot::Mark::square, plot::Mark::triangle,
                            plot::Mark::diamond, plot::Mark::cross,  plot::Mark::ring};
plot::Series simulated(const tensor_amp::Sweep& sweep, std::size_t algorithm, int colour,
                       const std::function<Measured(const tensor_amp::SweepSummary&)>& part) {
    plot::Series points = line({}, {}, colour);
    points.style = plot::Style::points;
    points.mark = kMarks[algorithm % kMarks.size()];
    for (Index i = 0; i < sweep.noise_variances.size(); ++i) {
        const Measured one = part(sweep.summary(i, static_cast<Index>(algorithm)));
        points.x.push_back(sweep.noise_variances(i));
        points.y.push_back(one.mean);
        points.error.push_back(std::isfinite(one.error) ? one.error : 0);
    }
    return points;
}

// What the fits of a sweep came to: errors of all algorithms; overlaps of message passing alone,
// of which state evolution speaks, in the colours of the modes. Every algorithm has its mark.
void add_simulated_errors(plot::Panel& panel, const tensor_amp::Sweep& sweep, int first_colour) {
    for (std::size_t k = 0; k < sweep.algorithms.size(); ++k) {
        plot::Series points =
            simulated(sweep, k, first_colour + static_cast<int>(k), [](const auto& summary) {
                return Measured{summary.signal_error, summary.signal_error_sem};
            });
        points.label = sweep.algorithms[k];
        panel.series.push_back(std::move(points));
    }
}
void add_simulated_overlaps(plot::Panel& panel, const tensor_amp::Sweep& sweep, Index modes) {
    if (!sweep.has_overlaps()) return;
    for (std::size_t k = 0; k < sweep.algorithms.size(); ++k) {
        if (!starts_with(sweep.algorithms[k], "amp")) continue;
        for (Index a = 0; a < std::min(modes, static_cast<Index>(sweep.shape.size())); ++a) {
            plot::Series points =
                simulated(sweep, k, static_cast<int>(a), [a](const auto& summary) {
                    return Measured{summary.overlap(a), summary.overlap_sem(a)};
                });
            points.label = concat(sweep.algorithms[k], ", mode ", a);
            panel.series.push_back(std::move(points));
        }
    }
}

// Overlaps and the error of the signal at the end, against the noise; simulations as points.
plot::Figure overlap_figure(const hdf5::Group& root) {
    const Trajectories t = trajectories_of(root);
    if (t.noises < 2) return evolution_figure(root);
    const hdf5::Group group = root.group(kEvolution);
    plot::Panel overlaps = panel_at(0.08, 0.33, "", "noise", "overlap"),
                errors = panel_at(0.5, 0.33, "", "noise", "error of the signal");
    overlaps.x_log = errors.x_log = is_logarithmic(t.noise);
    const Numbers error = numbers(group, "signal_error");
    double top = 0, top_error = 0;
    for (Index s = 0; s < t.starts; ++s) {
        for (Index a = 0; a < std::min(t.modes, kShownModes); ++a) {
            Numbers y;
            for (Index i = 0; i < t.noises; ++i) y.push_back(t.overlap(i, s, t.sweeps - 1, a));
            top = std::max(top, *std::max_element(y.begin(), y.end()));
            overlaps.series.push_back(
                line(t.noise, std::move(y), static_cast<int>(a), "", s == 0 ? 1.8 : 0.8));
            if (s == 0)
                errors.series.push_back(line({}, {}, static_cast<int>(a), concat("mode ", a)));
        }
        Numbers y;
        for (Index i = 0; i < t.noises; ++i) y.push_back(error.at(at(i * t.starts + s)));
        top_error = std::max(top_error, *std::max_element(y.begin(), y.end()));
        errors.series.push_back(
            line(t.noise, std::move(y), kBlack, t.names[at(s)], s == 0 ? 1.8 : 0.8));
    }
    const auto [low, high] = std::minmax_element(t.noise.begin(), t.noise.end());
    add_marks(overlaps, group, *low, *high, top);
    add_marks(errors, group, *low, *high, top_error);
    const Index modes = std::min(t.modes, kShownModes);
    if (const auto sweep = simulations_in(root)) {
        add_simulated_overlaps(overlaps, *sweep, modes);
        add_simulated_errors(errors, *sweep, static_cast<int>(modes));
    }
    errors.legend = errors.legend_outside = true;
    // The legend of the modes stands beside the errors: series without points carry it.
    for (plot::Series& series : errors.series)
        if (series.x.empty()) {
            series.x = {t.noise.front()};
            series.y = {error.front()};
        }
    return figure_of({std::move(overlaps), std::move(errors)}, 8);
}

// ---- phase diagrams

hdf5::Group whole_phase(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kPhase);
    if (group.has_attribute("shard"))
        throw Error(group.where() + ": one shard of many (see merge)");
    return group;
}

std::vector<std::string> grid_of(const hdf5::Group& group) {
    const std::string grid = group.text_attribute("grid").value_or("");
    return grid.empty() ? std::vector<std::string>{} : split(grid, ',');
}

struct Kind {
    const char* name;
    const char* label;
    int colour;
};
constexpr Kind kKinds[] = {{"delta_alg", "alg", 2},       {"delta_it", "IT", kBlack},
                           {"delta_dyn", "dyn", 1},       {"delta_bbp", "onset", 0},
                           {"delta_unf", "unfolding", 3}, {"delta_spec", "components", 0}};

// Lines of every threshold over one parameter; gaps where there is none.
plot::Figure lines_figure(const hdf5::Group& group, const std::string& name) {
    const Numbers x = numbers(group, name);
    plot::Panel panel = panel_at(0.13, 0.6, "", name, "noise");
    panel.legend = panel.legend_outside = true;
    panel.x_log = is_logarithmic(x);
    for (const Kind& kind : kKinds) {
        if (!group.has_dataset(kind.name)) continue;
        const hdf5::Dataset dataset = group.dataset(kind.name).expect_rank(2);
        const Numbers values = dataset.read<double>();
        const std::size_t folds = at(dataset.shape()[1]);
        if (values.size() != x.size() * folds)
            throw Error(dataset.where() + ": does not fit " + name);
        for (std::size_t f = 0; f < folds; ++f) {
            plot::Series series = line({}, {}, kind.colour, f == 0 ? kind.label : "");
            for (std::size_t i = 0; i < x.size(); ++i)
                if (std::isfinite(values[i * folds + f])) {
                    series.x.push_back(x[i]);
                    series.y.push_back(values[i * folds + f]);
                }
            if (!series.x.empty()) panel.series.push_back(std::move(series));
        }
    }
    if (panel.series.empty()) throw Error(group.where() + ": no threshold on this grid");
    return figure_of({std::move(panel)}, 5.5);
}

// One map a threshold (the first fold) over two parameters, the first upwards.
plot::Figure maps_figure(const hdf5::Group& group, const std::vector<std::string>& grid) {
    const Numbers y = numbers(group, grid[0]), x = numbers(group, grid[1]);
    std::vector<plot::Panel> panels;
    for (const Kind& kind : kKinds) {
        if (!group.has_dataset(kind.name)) continue;
        const hdf5::Dataset dataset = group.dataset(kind.name).expect_rank(3);
        const Numbers values = dataset.read<double>();
        const auto folds = static_cast<std::size_t>(dataset.shape()[2]);
        if (values.size() != x.size() * y.size() * folds || folds == 0)
            throw Error(dataset.where() + ": does not fit " + grid[0] + " and " + grid[1]);
        const bool any =
            std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
        if (!any) continue;
        panels.push_back(map_panel(kind.label, values, folds, cell_axis(x, grid[1]), x.size(),
                                   cell_axis(y, grid[0]), y.size()));
    }
    if (panels.empty()) throw Error(group.where() + ": no threshold on this grid");
    return row_of_maps(std::move(panels));
}

plot::Figure phase_figure(const hdf5::Group& root) {
    const hdf5::Group group = whole_phase(root);
    const auto grid = grid_of(group);
    if (grid.empty())
        throw Error(group.where() + ": one point; a grid is expected (phase --grid mean=0:0.5:51)");
    if (grid.size() == 1) return lines_figure(group, grid[0]);
    if (grid.size() == 2) return maps_figure(group, grid);
    throw Error(concat(group.where(), ": ", grid.size(), " parameters; one or two can be drawn"));
}

// Delta(P) with its folds, and the overlaps of all fixed points against the noise.
plot::Figure curve_figure(const hdf5::Group& root) {
    const hdf5::Group group = whole_phase(root);
    if (!grid_of(group).empty())
        throw Error(group.where() + ": many curves; one without --grid is expected");
    const Numbers p = numbers(group, "curve/P"), delta = numbers(group, "curve/delta"),
                  q = numbers(group, "curve/q");
    if (p.empty() || delta.size() != p.size() || q.size() % p.size() != 0)
        throw Error(group.where() + "/curve: arrays do not fit");
    const std::size_t modes = q.size() / p.size();
    // What lies far above every threshold is left out.
    Numbers marks;
    for (const Kind& kind : kKinds)
        if (group.has_dataset(kind.name))
            for (const double mark : numbers(group, kind.name)) marks.push_back(mark);
    Numbers sorted = delta;
    std::sort(sorted.begin(), sorted.end());
    const double top = 2 * (marks.empty() ? sorted[sorted.size() / 2]
                                          : *std::max_element(marks.begin(), marks.end()));
    Numbers log_p;
    for (const double product : p) log_p.push_back(std::log10(product));
    plot::Panel curve = panel_at(0.09, 0.34, "", "log10 P", "noise"),
                overlaps = panel_at(0.53, 0.3, "", "noise", "overlap of fixed points");
    curve.y_range = plot::Range{0, top};
    overlaps.x_range = plot::Range{0, top};
    overlaps.legend = overlaps.legend_outside = true;
    curve.series.push_back(line(log_p, delta, kBlack));
    for (const Kind& kind : kKinds)
        if (group.has_dataset(kind.name))
            for (const double mark : numbers(group, kind.name))
                curve.series.push_back(
                    line({log_p.front(), log_p.back()}, {mark, mark}, kind.colour, kind.label));
    for (std::size_t a = 0; a < std::min(modes, at(kShownModes)); ++a) {
        Numbers x, y;
        for (std::size_t i = 0; i < p.size(); ++i)
            if (delta[i] <= top) {
                x.push_back(delta[i]);
                y.push_back(q[i * modes + a]);
            }
        overlaps.series.push_back(
            line(std::move(x), std::move(y), static_cast<int>(a), concat("mode ", a)));
    }
    curve.legend = true;
    return figure_of({std::move(curve), std::move(overlaps)}, 8);
}

// Errors reached and best, and the regime, over noise and one parameter (or the noise alone).
plot::Figure mse_map_figure(const hdf5::Group& root) {
    const hdf5::Group group = whole_phase(root);
    const auto grid = grid_of(group);
    if (grid.size() > 1)
        throw Error(concat(group.where(), ": ", grid.size(),
                           " parameters beside the noise; one can "
                           "be drawn"));
    const Numbers noise = numbers(group, "mse_map/noise_var"),
                  reached = numbers(group, "mse_map/mse_reached"),
                  best = numbers(group, "mse_map/mse_best");
    const Numbers y = grid.empty() ? Numbers{0} : numbers(group, grid[0]);
    const std::size_t cells = y.size() * noise.size();
    if (cells == 0 || reached.size() % cells != 0 || reached.size() != best.size())
        throw Error(group.where() + "/mse_map: arrays do not fit");
    const std::size_t modes = reached.size() / cells;
    if (grid.empty()) {
        plot::Panel panel = panel_at(0.13, 0.55, "", "noise", "mean squared error");
        panel.legend = panel.legend_outside = true;
        panel.x_log = is_logarithmic(noise);
        for (std::size_t a = 0; a < std::min(modes, at(kShownModes)); ++a) {
            Numbers one, other;
            for (std::size_t i = 0; i < noise.size(); ++i) {
                one.push_back(reached[i * modes + a]);
                other.push_back(best[i * modes + a]);
            }
            panel.series.push_back(line(noise, std::move(one), static_cast<int>(a),
                                        concat("mode ", a, ", reached"), 1.8));
            panel.series.push_back(line(noise, std::move(other), static_cast<int>(a),
                                        concat("mode ", a, ", best"), 0.8));
        }
        return figure_of({std::move(panel)}, 6);
    }
    const Numbers regime = numbers(group, "mse_map/regime");
    if (regime.size() != cells) throw Error(group.where() + "/mse_map: arrays do not fit");
    const CellAxis across = cell_axis(noise, "noise"), up = cell_axis(y, grid[0]);
    const auto map = [&](const std::string& title, const Numbers& values, std::size_t stride) {
        return map_panel(title, values, stride, across, noise.size(), up, y.size());
    };
    return row_of_maps({map("error reached, mode 0", reached, modes),
                        map("best error, mode 0", best, modes),
                        map("0 easy, 1 hard, 2 nothing", regime, 1)});
}

} // namespace

std::vector<FigureKind> theory_figures() {
    return {
        {"overlap",
         {kEvolution},
         "overlaps and error against noise, with thresholds",
         overlap_figure},
        {"evolution", {kEvolution}, "overlaps sweep by sweep", evolution_figure},
        {"curve", {"/tensor_amp/phase/curve"}, "all fixed points and their folds", curve_figure},
        {"mse-map", {"/tensor_amp/phase/mse_map"}, "errors and regimes over noise", mse_map_figure},
        {"phase", {kPhase}, "thresholds over one or two parameters", phase_figure}};
}

} // namespace tensor_amp_app
