#include "fit_figures.hpp"

#include "figure_parts.hpp"
#include "fit_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/comparison_io.hpp>
#include <assay/tensor_amp/fit_io.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

constexpr const char* kTrace = "/tensor_amp/fit/trace";
constexpr const char* kRestarts = "/tensor_amp/fit/restarts";
constexpr const char* kEvolution = "/tensor_amp/se";
constexpr const char* kRank = "/tensor_amp/rank";

Numbers of(const VectorXd& values) {
    return {values.begin(), values.end()};
}

std::string mode_label(const std::vector<std::string>& names, std::size_t mode) {
    return mode < names.size() ? names[mode] : concat("mode ", mode);
}

// ---- factors

// How the entries of a mode are drawn, by its name.
enum class ModeStyle { bars, curve, points };
ModeStyle style_of(const std::string& name) {
    const auto holds = [&](const char* word) { return name.find(word) != std::string::npos; };
    for (const char* word : {"neuron", "unit", "cell", "channel", "electrode", "roi"})
        if (holds(word)) return ModeStyle::bars;
    for (const char* word : {"trial", "session", "subject", "animal", "repeat"})
        if (holds(word)) return ModeStyle::points;
    return ModeStyle::curve;
}

// Standard deviations of one component's entries; empty without covariances.
Numbers deviations(const FitResult& fit, std::size_t mode, Index component) {
    if (fit.covariances.empty()) return {};
    const MatrixXd& rows = fit.covariances[mode];
    Numbers sd(at(fit.shape[mode]));
    for (std::size_t i = 0; i < sd.size(); ++i)
        sd[i] = std::sqrt(std::max(
            0.0, rows(rows.rows() == 1 ? 0 : static_cast<Index>(i), component * (fit.rank + 1))));
    return sd;
}

// The truth in the order, signs and scales of the fit; nothing where there is none that fits.
std::optional<Factors> truth_beside(const hdf5::Group& root, const FitResult& fit) {
    const auto truth = truth_in(root);
    if (!truth || truth->factors.size() != fit.shape.size()) return std::nullopt;
    for (std::size_t a = 0; a < fit.shape.size(); ++a)
        if (truth->factors[a].rows() != fit.shape[a]) return std::nullopt;
    const Alignment alignment =
        align(fit.factors, truth->factors, SimilarityScore::product, free_signs(fit));
    Factors beside;
    for (std::size_t a = 0; a < fit.shape.size(); ++a) {
        MatrixXd factor = MatrixXd::Zero(fit.shape[a], fit.rank);
        for (Index rho = 0; rho < fit.rank; ++rho) {
            if (alignment.partner[at(rho)] < 0) continue;
            const auto column = truth->factors[a].col(alignment.partner[at(rho)]);
            const double norm = column.norm();
            if (norm > 0)
                factor.col(rho) = column * (alignment.signs(static_cast<Index>(a), rho) *
                                            fit.factors[a].col(rho).norm() / norm);
        }
        beside.push_back(std::move(factor));
    }
    return beside;
}

// The largest of 1, 2 and 5 times a power of ten up to `value`.
double round_below(double value) {
    const double decade = std::pow(10.0, std::floor(std::log10(value)));
    for (const double factor : {5.0, 2.0})
        if (factor * decade <= value) return factor * decade;
    return decade;
}

// Small panels have numbers at 0 and at one value to either side.
void label_values(plot::Panel& panel) {
    double low = 0, high = 0;
    for (const plot::Series& series : panel.series)
        for (std::size_t i = 0; i < series.y.size(); ++i) {
            const double spread = i < series.error.size() ? series.error[i] : 0;
            low = std::min(low, series.y[i] - spread);
            high = std::max(high, series.y[i] + spread);
        }
    if (!(high > low)) return;
    panel.y_tics = false;
    panel.y_range = plot::Range{low - 0.05 * (high - low), high + 0.05 * (high - low)};
    const double x = panel.x_range->low - 0.02 * (panel.x_range->high - panel.x_range->low);
    panel.labels.push_back({x, 0, "0", plot::Align::right});
    for (const double end : {low, high}) {
        if (std::abs(end) < 0.3 * (high - low)) continue;
        const double value = std::copysign(round_below(std::abs(end)), end);
        panel.labels.push_back({x, value, significant(value, 3), plot::Align::right});
    }
}

plot::Panel factor_panel(const FitResult& fit, std::size_t mode, Index component,
                         const std::optional<Factors>& truth) {
    plot::Panel panel;
    const Numbers x = counted(at(fit.shape[mode]));
    plot::Series series =
        line(x, of(fit.factors[mode].col(component)), static_cast<int>(component));
    series.error = deviations(fit, mode, component);
    switch (style_of(mode_label(fit.mode_names, mode))) {
    case ModeStyle::bars:
        series.style = plot::Style::bars;
        break;
    case ModeStyle::points:
        series.style = plot::Style::points;
        break;
    case ModeStyle::curve:
        break;
    }
    panel.x_range = plot::Range{-1, static_cast<double>(fit.shape[mode])};
    panel.series.push_back(std::move(series));
    if (truth) {
        plot::Series exact = line(x, of((*truth)[mode].col(component)), kBlack, "", 0.6);
        if (panel.series.front().style != plot::Style::line) {
            exact.style = plot::Style::points;
            exact.size = 0.25;
        }
        panel.series.push_back(std::move(exact));
    }
    label_values(panel);
    return panel;
}

// Components downwards, modes to the right.
plot::Figure factors_figure(const hdf5::Group& root) {
    const FitResult fit = read_fit(root.group(kFitGroup));
    const auto truth = truth_beside(root, fit);
    const Index rows = std::min(fit.rank, kShownComponents);
    const auto columns = static_cast<Index>(fit.shape.size());
    plot::Figure figure;
    figure.width = 0.9 + 2.6 * static_cast<double>(columns);
    figure.height = 0.8 + 1.3 * static_cast<double>(rows);
    const double row_share = 1.3 / figure.height;
    for (Index rho = 0; rho < rows; ++rho)
        for (Index a = 0; a < columns; ++a) {
            plot::Panel panel = factor_panel(fit, at(a), rho, truth);
            panel.left = (0.8 + 2.6 * static_cast<double>(a)) / figure.width;
            panel.width = 2.0 / figure.width;
            panel.bottom = 0.5 / figure.height + row_share * static_cast<double>(rows - 1 - rho);
            panel.height = 0.72 * row_share;
            if (rho == 0) panel.title = mode_label(fit.mode_names, at(a));
            if (a == 0 && panel.y_range)
                panel.labels.push_back({panel.x_range->low,
                                        1.08 * panel.y_range->high - 0.08 * panel.y_range->low,
                                        concat("component ", rho), plot::Align::left});
            panel.x_tics = rho + 1 == rows;
            figure.panels.push_back(std::move(panel));
        }
    return figure;
}

// ---- iterations

plot::Panel trace_panel(const std::string& title, const Numbers& values, bool logarithmic) {
    plot::Panel panel = panel_at(0, 0, title, "sweep", "");
    Numbers sweeps = counted(values.size());
    for (double& sweep : sweeps) ++sweep;
    panel.series.push_back(line(std::move(sweeps), values, 0));
    double low = INFINITY, high = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    if (logarithmic && low > 0 && high > 1e3 * low) { // too many decades for labels
        panel.title = "log10 " + title;
        for (double& y : panel.series.front().y) y = std::log10(y);
    } else {
        panel.y_log = logarithmic && low > 0 && high > 5 * low;
    }
    return panel;
}

// Summed overlaps of matched components, mode by mode; lines of state evolution where the file has
// a run of it of the same model.
plot::Panel overlap_panel(const FitResult& fit, const hdf5::Group& root) {
    plot::Panel panel = panel_at(0, 0, "overlap with the truth", "sweep", "tr M");
    panel.legend = true;
    const auto& overlaps = fit.trace.truth_overlap;
    const auto modes = std::min(overlaps.front().size(), at(kShownModes));
    for (std::size_t a = 0; a < modes; ++a) {
        Numbers x, y;
        for (std::size_t t = 0; t < overlaps.size(); ++t) {
            x.push_back(static_cast<double>(t + 1));
            y.push_back(overlaps[t].at(a).diagonal().sum());
        }
        plot::Series series =
            line(std::move(x), std::move(y), static_cast<int>(a), mode_label(fit.mode_names, a));
        series.style = plot::Style::points;
        panel.series.push_back(std::move(series));
    }
    const std::string path = std::string(kEvolution) + "/Q";
    if (!root.has_dataset(path)) return panel;
    const hdf5::Dataset theory = root.dataset(path);
    const hdf5::Shape& shape = theory.expect_numeric().shape();
    if (shape.size() != 4 || shape[1] != static_cast<Index>(fit.shape.size()) ||
        shape[2] != shape[3])
        return panel;
    const Numbers q = theory.read<double>();
    for (std::size_t a = 0; a < modes; ++a) {
        plot::Series series = line({}, {}, static_cast<int>(a));
        for (Index t = 0; t < std::min<Index>(shape[0], fit.iterations + 1); ++t) {
            const Index first = (t * shape[1] + static_cast<Index>(a)) * shape[2] * shape[2];
            double sum = 0;
            for (Index rho = 0; rho < shape[2]; ++rho) sum += q[at(first + rho * (shape[2] + 1))];
            series.x.push_back(static_cast<double>(t));
            series.y.push_back(sum);
        }
        panel.series.push_back(std::move(series));
    }
    return panel;
}

plot::Figure iterations_figure(const hdf5::Group& root) {
    const FitResult fit = read_fit(root.group(kFitGroup));
    const FitTrace& trace = fit.trace;
    std::vector<plot::Panel> panels;
    const auto add = [&](const char* title, const VectorXd& values, bool logarithmic) {
        if (values.size() > 0) panels.push_back(trace_panel(title, of(values), logarithmic));
    };
    add("relative change", trace.change, true);
    add("free entropy / N", trace.free_entropy, false);
    add("noise variance", trace.noise_variance, true);
    add("relative error", trace.objective, true);
    if (!trace.truth_overlap.empty()) panels.push_back(overlap_panel(fit, root));
    if (panels.empty()) throw Error(root.where() + kTrace + ": no iterations to draw");
    for (plot::Panel& panel : panels) panel.height = 0.62; // room for the title
    plot::Figure figure = row_of_panels(std::move(panels));
    figure.title = concat(fit.algorithm, ": ", fit.status, " after ", fit.iterations, " sweeps");
    return figure;
}

// ---- comparisons

hdf5::Group comparison_in(const hdf5::Group& root, const std::string& part) {
    for (const std::string& path :
         {std::string(kCompareGroup), std::string(kDiagnoseGroup) + "/truth"})
        if (root.has(path + "/" + part)) return root.group(path);
    throw Error(root.where() + ": " + part + " is missing");
}

plot::Figure calibration_figure(const hdf5::Group& root) {
    const hdf5::Group group = comparison_in(root, "calibration").group("calibration");
    const RowMatrix counts =
        group.dataset("histogram").expect_numeric().expect_rank(2).read_matrix();
    const Numbers edges = numbers(group, "edges"), ratio = numbers(group, "ratio");
    if (edges.size() != at(counts.cols()) + 1 || ratio.size() != at(counts.rows()))
        throw Error(group.where() + ": histogram, edges and ratio do not fit");
    std::vector<plot::Panel> panels;
    for (Index a = 0; a < std::min(counts.rows(), kShownModes); ++a) {
        plot::Panel panel =
            panel_at(0, 0, concat("mode ", a, ": claimed / error ", significant(ratio[at(a)], 3)),
                     "(estimate - truth) / sd", a == 0 ? "density" : "");
        plot::Series bars = line({}, {}, 0), normal = line({}, {}, kBlack);
        bars.style = plot::Style::bars;
        const double total = std::max(1.0, counts.row(a).sum());
        for (std::size_t b = 0; b + 1 < edges.size(); ++b) {
            const double width = edges[b + 1] - edges[b];
            bars.x.push_back(edges[b] + width / 2);
            bars.y.push_back(counts(a, static_cast<Index>(b)) / (total * width));
        }
        for (double z = edges.front(); z <= edges.back(); z += 0.05) {
            normal.x.push_back(z);
            normal.y.push_back(std::exp(-z * z / 2) / std::sqrt(2 * M_PI));
        }
        panel.x_range = plot::Range{edges.front(), edges.back()};
        panel.series = {std::move(bars), std::move(normal)};
        panels.push_back(std::move(panel));
    }
    return row_of_panels(std::move(panels), 3.6);
}

plot::Figure similarity_figure(const hdf5::Group& root) {
    const hdf5::Group group = comparison_in(root, "similarity");
    const RowMatrix values =
        group.dataset("similarity").expect_numeric().expect_rank(2).read_matrix();
    plot::Panel panel = panel_at(0.16, 0.6, "", "component", "component of the reference");
    plot::HeatMap map;
    map.values = values;
    map.x0 = map.y0 = -0.5;
    map.x1 = static_cast<double>(values.cols()) - 0.5;
    map.y1 = static_cast<double>(values.rows()) - 0.5;
    map.low = 0;
    map.high = 1;
    map.colour_bar = true;
    panel.x_range = plot::Range{map.x0, map.x1};
    panel.y_range = plot::Range{map.y0, map.y1};
    panel.maps.push_back(std::move(map));
    panel.height = 0.66;
    plot::Figure figure = figure_of({std::move(panel)}, 4.2);
    figure.title = concat("similarity, mean of pairs ",
                          significant(group.number_attribute("mean_similarity").value_or(NAN), 3));
    return figure;
}

// ---- residuals

plot::Figure residuals_figure(const hdf5::Group& root) {
    const hdf5::Group slices = root.group(std::string(kDiagnoseGroup) + "/slices");
    std::vector<std::string> names;
    std::optional<FitResult> fit;
    if (root.has_group(kFitGroup)) {
        fit = read_fit(root.group(kFitGroup));
        names = fit->mode_names;
    }
    std::vector<plot::Panel> panels;
    for (std::size_t a = 0; slices.has_group(concat("mode", a)); ++a) {
        const hdf5::Group mode = slices.group(concat("mode", a));
        const Numbers variance = numbers(mode, "residual_variance");
        const Numbers x = counted(variance.size());
        plot::Panel panel = panel_at(0, 0, "", mode_label(names, a), a == 0 ? "variance" : "");
        panel.legend = true;
        panel.series.push_back(line(x, numbers(mode, "data_variance"), kGrey, "data"));
        plot::Series residual = line(x, variance, 0, "residual");
        residual.style = plot::Style::line_points;
        residual.size = 0.3;
        panel.series.push_back(std::move(residual));
        if (fit) {
            const bool own = fit->noise_mode == static_cast<Index>(a);
            panel.series.push_back(
                line(x, own ? of(fit->slice_noise) : Numbers(x.size(), fit->noise_variance), 1,
                     "noise of the fit"));
        }
        panels.push_back(std::move(panel));
    }
    if (panels.empty()) throw Error(slices.where() + ": no mode to draw");
    return row_of_panels(std::move(panels));
}

// ---- restarts, choice of rank

plot::Figure restarts_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kRestarts);
    plot::Panel panel = panel_at(0.17, 0.78, "", "similarity to the best", "objective");
    plot::Series points = line(numbers(group, "similarity"), numbers(group, "objective"), 0);
    points.style = plot::Style::points;
    points.size = 0.8;
    panel.x_range = plot::Range{-0.02, 1.02};
    panel.series.push_back(std::move(points));
    return figure_of({std::move(panel)}, 4.2);
}

plot::Figure rank_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kRank);
    const Numbers ranks = numbers(group, "ranks");
    struct Criterion {
        const char *name, *title, *error;
    };
    std::vector<plot::Panel> panels;
    for (const Criterion& criterion : {Criterion{"evidence", "evidence / N", ""},
                                       Criterion{"cv_error", "held-out error", "cv_sem"},
                                       Criterion{"core_consistency", "core consistency", ""},
                                       Criterion{"similarity", "similarity of starts", ""}}) {
        if (!group.has_dataset(criterion.name)) continue;
        Numbers values = numbers(group, criterion.name);
        if (values.size() != ranks.size())
            throw Error(concat(group.where(), "/", criterion.name, ": not one number a rank"));
        plot::Panel panel = panel_at(0, 0, criterion.title, "rank", "");
        plot::Series series = line(ranks, std::move(values), 0);
        series.style = plot::Style::line_points;
        series.size = 0.7;
        if (*criterion.error != '\0' && group.has_dataset(criterion.error)) {
            plot::Series bars = series;
            bars.error = numbers(group, criterion.error);
            bars.style = plot::Style::points;
            panel.series.push_back(std::move(bars));
        }
        panel.series.push_back(std::move(series));
        panel.x_range = plot::Range{ranks.front() - 0.5, ranks.back() + 0.5};
        panels.push_back(std::move(panel));
    }
    if (panels.empty()) throw Error(group.where() + ": no criterion to draw");
    return row_of_panels(std::move(panels), 2.8);
}

} // namespace

std::vector<FigureKind> fit_figures() {
    const std::string compare = kCompareGroup, diagnose = std::string(kDiagnoseGroup);
    return {{"rank", {kRank}, "criteria of the rank", rank_figure},
            {"residuals",
             {diagnose + "/slices"},
             "residual variance of every slice, beside data and noise",
             residuals_figure},
            {"similarity",
             {compare + "/similarity", diagnose + "/truth/similarity"},
             "similarity of all pairs of components",
             similarity_figure},
            {"calibration",
             {compare + "/calibration", diagnose + "/truth/calibration"},
             "errors in units of the posterior standard deviation",
             calibration_figure},
            {"factors",
             {kFitGroup},
             "components: bars for neurons, curves of time with a band of one standard deviation, "
             "points for trials; a truth in black",
             factors_figure},
            {"iterations",
             {kTrace},
             "change, evidence, noise and overlaps by sweep",
             iterations_figure},
            {"restarts", {kRestarts}, "objective of restarts against similarity", restarts_figure}};
}

} // namespace tensor_amp_app
