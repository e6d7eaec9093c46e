#include "figures.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

namespace cnmf_app {

using namespace assay;
using plot::Figure;
using plot::HeatMap;
using plot::Panel;
using plot::Series;

namespace {

// Rows in the order of units from top to bottom: the picture's rows run upwards.
Matrix sorted_rows(const Matrix& image, const cnmf::UnitOrder& order) {
    Matrix sorted(image.rows(), image.cols());
    for (Index i = 0; i < image.rows(); ++i)
        sorted.row(i) = image.row(order.order[static_cast<std::size_t>(image.rows() - 1 - i)]);
    return sorted;
}

plot::Strip component_strip(const cnmf::UnitOrder& order, double x0, double x1) {
    plot::Strip strip;
    strip.x0 = x0;
    strip.x1 = x1;
    for (auto it = order.order.rbegin(); it != order.order.rend(); ++it)
        strip.classes.push_back(order.component[static_cast<std::size_t>(*it)]);
    return strip;
}

// Values above the 99.5th percentile of the non-zeros saturate: single large values would hide the
// rest.
double bright(const Matrix& image) {
    std::vector<double> values;
    for (Index i = 0; i < image.size(); ++i)
        if (image.data()[i] > 0) values.push_back(image.data()[i]);
    if (values.empty()) return 1;
    const auto at = static_cast<std::ptrdiff_t>(0.995 * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

struct Unit {
    double scale;
    std::string label;
};

Unit time_unit(const cnmf::ModelFacts& facts) {
    return facts.bin_seconds ? Unit{*facts.bin_seconds, "time (s)"} : Unit{1.0, "time (bins)"};
}

// The axis of a stretch: session time from its first bin on.
struct Span {
    double begin, end;
    std::string label;
};

Span time_span(const cnmf::ModelFacts& facts, Index first_bin, Index bins) {
    const Unit unit = time_unit(facts);
    const double begin = facts.seconds_of(first_bin),
                 end = begin + static_cast<double>(bins) * unit.scale;
    const double last = facts.seconds_of(first_bin + bins - 1);
    const bool gaps = std::abs(last + unit.scale - end) > 0.5 * unit.scale;
    return {begin, end, unit.label + (gaps ? ", pauses between segments left out" : "")};
}

} // namespace

Rows picture_rows(const cnmf::Model& model, RowOrder order) {
    Rows rows{cnmf::order_units(model), order};
    if (order == RowOrder::source)
        std::iota(rows.units.order.rbegin(), rows.units.order.rend(), std::int64_t{0});
    return rows;
}

Figure overview(const OverviewInput& in) {
    const Index components = in.model.components, units = in.model.units();
    const cnmf::UnitOrder& order = in.rows.units;
    const Unit unit = time_unit(in.facts);
    const auto [begin, end, time_label] = time_span(in.facts, in.first_bin, in.bins);
    constexpr double kLeft = 0.07, kMotifs = 0.30, kGap = 0.035, kBottom = 0.11, kImage = 0.55,
                     kTraces = 0.22;
    Figure figure;
    figure.width = 9;
    figure.height = 5.5;
    figure.title = concat(components, " motifs of ", in.model.lags, " bins, ", units, " units");
    const double each = kMotifs / static_cast<double>(components);
    for (Index k = 0; k < components; ++k) {
        Panel p;
        p.left = kLeft + each * static_cast<double>(k);
        p.width = each * 0.88;
        p.bottom = kBottom;
        p.height = kImage;
        p.y_tics = k == 0;
        if (k == 0) p.y_label = in.rows.label();
        p.x_tics = false;
        p.title = concat("w", k);
        const Matrix image = sorted_rows(cnmf::motif_image(in.model, k), order);
        const double length = static_cast<double>(in.model.lags) * unit.scale;
        HeatMap map{image, 0,   length,        0,    static_cast<double>(units),
                    false, 0.0, bright(image), false};
        p.maps.push_back(map);
        if (in.rows.order == RowOrder::component)
            p.strips.push_back(component_strip(order, -0.07 * length, 0));
        p.x_range = plot::Range{-0.07 * length, length};
        p.y_range = plot::Range{0, static_cast<double>(units)};
        p.x_label = k == components / 2
                        ? "lag, " + significant(length, 3) + (in.facts.bin_seconds ? " s" : " bins")
                        : "";
        figure.panels.push_back(p);
    }
    const double data_left = kLeft + kMotifs + kGap, data_width = 0.97 - data_left;
    Panel traces;
    traces.left = data_left;
    traces.width = data_width;
    traces.bottom = kBottom + kImage + 0.05;
    traces.height = kTraces;
    traces.x_tics = traces.y_tics = traces.frame = false;
    traces.x_range = plot::Range{begin, end};
    traces.y_range = plot::Range{-static_cast<double>(components), 0.1};
    for (Index k = 0; k < components; ++k) {
        const Eigen::RowVectorXd h = in.model.activations.row(k).segment(in.first_bin, in.bins);
        const double top = h.maxCoeff() > 0 ? h.maxCoeff() : 1;
        Series s;
        s.colour = static_cast<int>(k);
        s.width = 1.1;
        for (Index t = 0; t < in.bins; ++t) {
            s.x.push_back(begin + (static_cast<double>(t) + 0.5) * unit.scale);
            s.y.push_back(0.9 * h(t) / top - static_cast<double>(k) - 1);
        }
        traces.series.push_back(std::move(s));
        traces.labels.push_back(
            {begin - 0.03 * (end - begin), -static_cast<double>(k) - 0.6, concat("h", k)});
    }
    figure.panels.push_back(traces);
    Panel data;
    data.left = data_left;
    data.width = data_width;
    data.bottom = kBottom;
    data.height = kImage;
    data.title = in.image_title;
    data.y_tics = false;
    data.x_label = time_label;
    const Matrix image = sorted_rows(in.image(in.first_bin, in.bins), order);
    const double top = bright(image.cwiseAbs());
    data.maps.push_back({image, begin, end, 0, static_cast<double>(units), in.diverging,
                         in.diverging ? -top : 0.0, top, false});
    data.x_range = plot::Range{begin, end};
    data.y_range = plot::Range{0, static_cast<double>(units)};
    figure.panels.push_back(data);
    return figure;
}

Figure motif_images(const cnmf::Model& model, const cnmf::ModelFacts& facts, const Rows& picture) {
    const cnmf::UnitOrder& order = picture.units;
    const Unit unit = time_unit(facts);
    const Index columns = std::min<Index>(model.components, 5),
                rows = (model.components + columns - 1) / columns;
    Figure figure;
    figure.width = 7;
    figure.height = 0.6 + 2.6 * static_cast<double>(rows);
    figure.title = concat(model.components, " motifs");
    for (Index k = 0; k < model.components; ++k) {
        Panel p;
        const double width = 0.9 / static_cast<double>(columns),
                     height = 0.88 / static_cast<double>(rows);
        p.left = 0.08 + width * static_cast<double>(k % columns);
        const Index from_bottom = rows - 1 - k / columns;
        p.bottom = 0.02 + height * static_cast<double>(from_bottom) + 0.22 * height;
        p.width = 0.85 * width;
        p.height = 0.62 * height;
        p.title = concat("motif ", k);
        p.x_label = unit.label == "time (s)" ? "lag (s)" : "lag (bins)";
        p.y_tics = k % columns == 0;
        const Matrix image = sorted_rows(cnmf::motif_image(model, k), order);
        p.maps.push_back({image, 0, static_cast<double>(model.lags) * unit.scale, 0,
                          static_cast<double>(model.units()), false, 0.0, bright(image), false});
        p.x_range = plot::Range{0, static_cast<double>(model.lags) * unit.scale};
        p.y_range = plot::Range{0, static_cast<double>(model.units())};
        figure.panels.push_back(p);
    }
    return figure;
}

Figure loss_curves(const std::vector<NamedFit>& fits) {
    Figure figure;
    figure.title = "loss";
    Panel by_iteration, by_time;
    by_iteration.left = 0.1, by_iteration.width = 0.38;
    by_time.left = 0.58, by_time.width = 0.38;
    by_iteration.x_label = "iteration";
    by_time.x_label = "seconds";
    by_iteration.y_label = "relative loss";
    by_iteration.legend = true;
    int colour = 0;
    for (const auto& fit : fits) {
        Series s{{}, fit.loss, {}, fit.name, colour, plot::Style::line, 1.6};
        for (std::size_t i = 0; i < fit.loss.size(); ++i) s.x.push_back(static_cast<double>(i));
        by_iteration.series.push_back(s);
        if (fit.seconds.size() == fit.loss.size())
            by_time.series.push_back(
                {fit.seconds, fit.loss, {}, fit.name, colour, plot::Style::line, 1.6});
        if (!fit.test_loss.empty()) {
            Series test = s;
            test.y = fit.test_loss;
            test.label = fit.name + ", held out";
            test.style = plot::Style::points;
            by_iteration.series.push_back(test);
        }
        ++colour;
    }
    figure.panels.push_back(by_iteration);
    if (!by_time.series.empty()) figure.panels.push_back(by_time);
    return figure;
}

namespace {

// Curves against K, one for each (L, x-ortho), and the single fits that they are means of.
struct Curve {
    std::string name;
    int colour;
    double (*value)(const cnmf::SelectSummary&);
    double (*error)(const cnmf::SelectSummary&);
    double (*single)(const cnmf::SelectRow&);
};

using LagsAndPenalty = std::pair<Index, double>;

LagsAndPenalty group_of(const cnmf::SelectPoint& point) {
    return {point.lags, point.x_ortho};
}

Series mean_curve(const std::vector<cnmf::SelectSummary>& summaries, const LagsAndPenalty& group,
                  const Curve& curve) {
    Series series;
    series.style = plot::Style::line_points;
    for (const auto& s : summaries) {
        if (group_of(s.point) != group) continue;
        series.x.push_back(static_cast<double>(s.point.components));
        series.y.push_back(curve.value(s));
        series.error.push_back(curve.error(s));
    }
    if (std::all_of(series.error.begin(), series.error.end(), [](double e) { return !(e > 0); }))
        series.error.clear();
    return series;
}

Series single_fits(const std::vector<cnmf::SelectRow>& rows, const LagsAndPenalty& group,
                   const Curve& curve) {
    Series series;
    series.style = plot::Style::points;
    series.size = 0.3;
    for (const auto& row : rows) {
        if (group_of(row.point) != group) continue;
        series.x.push_back(static_cast<double>(row.point.components));
        series.y.push_back(curve.single(row));
    }
    return series;
}

void against_components(Panel& panel, const std::vector<cnmf::SelectRow>& rows,
                        const Curve& curve) {
    const auto summaries = cnmf::summarize(rows);
    std::vector<LagsAndPenalty> groups;
    for (const auto& s : summaries)
        if (std::find(groups.begin(), groups.end(), group_of(s.point)) == groups.end())
            groups.push_back(group_of(s.point));
    int colour = curve.colour;
    for (const auto& group : groups) {
        const auto& [lags, x_ortho] = group;
        Series series = mean_curve(summaries, group, curve);
        series.label = curve.name;
        if (groups.size() > 1)
            series.label +=
                concat(" L ", lags, x_ortho > 0 ? " x-ortho " + significant(x_ortho, 3) : "");
        series.colour = colour;
        panel.series.push_back(series);
        if (rows.size() > summaries.size()) {
            panel.series.push_back(single_fits(rows, group, curve));
            panel.series.back().colour = colour;
        }
        colour += 2;
    }
}

double no_error(const cnmf::SelectSummary&) {
    return 0;
}

Panel curves_panel(const std::string& y_label) {
    Panel p;
    p.x_label = "components";
    p.y_label = y_label;
    p.legend = true;
    return p;
}

} // namespace

Figure select_curves(const std::vector<cnmf::SelectRow>& rows) {
    Figure figure;
    const bool held_out = !rows.empty() && std::isfinite(rows.front().test_loss);
    figure.title = held_out ? "held-out and training loss" : "loss over all entries";
    Panel p = curves_panel("relative loss");
    if (held_out) {
        against_components(p, rows,
                           {"held out", 1, [](const auto& s) { return s.test; },
                            [](const auto& s) { return s.test_sem; },
                            [](const auto& row) { return row.test_loss; }});
        against_components(p, rows,
                           {"training", 0, [](const auto& s) { return s.train; },
                            [](const auto& s) { return s.train_sem; },
                            [](const auto& row) { return row.train_loss; }});
    } else {
        against_components(p, rows,
                           {"all entries", 0, [](const auto& s) { return s.full; }, no_error,
                            [](const auto& row) { return row.full_loss; }});
    }
    figure.panels.push_back(p);
    return figure;
}

Figure dissimilarity_curve(const std::vector<cnmf::SelectRow>& rows) {
    Figure figure;
    figure.title = "dissimilarity of fits from different starts";
    Panel p = curves_panel("dissimilarity");
    against_components(p, rows,
                       {"median", 0, [](const auto& s) { return s.dissimilarity; }, no_error,
                        [](const auto& row) { return row.dissimilarity; }});
    figure.panels.push_back(p);
    return figure;
}

namespace {

// Values between their 10th and 90th percentile, as 0 to 1.
std::vector<double> scaled(std::vector<double> values) {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const auto quantile = [&](double q) {
        return sorted[static_cast<std::size_t>(
            std::lround(q * static_cast<double>(sorted.size() - 1)))];
    };
    const double low = quantile(0.1), high = quantile(0.9);
    for (double& v : values) v = high > low ? std::clamp((v - low) / (high - low), 0.0, 1.0) : 0.0;
    return values;
}

// Where two curves over the logarithm of lambda first meet.
struct Crossing {
    double lambda, height;
};
std::optional<Crossing> crossing_of(const std::vector<double>& lambda,
                                    const std::vector<double>& cost,
                                    const std::vector<double>& penalty) {
    const auto flat = [](const std::vector<double>& values) {
        return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
    };
    if (flat(cost) || flat(penalty)) return std::nullopt;
    for (std::size_t i = 1; i < lambda.size(); ++i) {
        const double before = cost[i - 1] - penalty[i - 1], after = cost[i] - penalty[i];
        if (!(before * after <= 0)) continue;
        const double share = before == after ? 0.5 : before / (before - after);
        return Crossing{lambda[i - 1] * std::pow(lambda[i] / lambda[i - 1], share),
                        cost[i - 1] + share * (cost[i] - cost[i - 1])};
    }
    return std::nullopt;
}

void add_penalty_curves(Panel& panel, const std::vector<cnmf::SelectSummary>& points,
                        const std::string& name, int colour) {
    std::vector<double> lambda, full, penalties;
    for (const auto& s : points) {
        lambda.push_back(s.point.x_ortho);
        full.push_back(s.full);
        penalties.push_back(s.penalty);
    }
    const auto cost = scaled(full), penalty = scaled(penalties);
    panel.series.push_back(
        {lambda, cost, {}, "cost" + name, colour, plot::Style::line_points, 1.5});
    panel.series.push_back(
        {lambda, penalty, {}, "penalty" + name, colour + 1, plot::Style::line_points, 1.5});
    if (const auto crossing = crossing_of(lambda, cost, penalty))
        panel.labels.push_back({crossing->lambda, crossing->height,
                                "crossing at " + significant(crossing->lambda, 3) + name});
}

} // namespace

Figure penalty_curves(const std::vector<cnmf::SelectRow>& rows) {
    std::map<std::pair<Index, Index>, std::vector<cnmf::SelectSummary>> models;
    for (const auto& s : cnmf::summarize(rows))
        if (s.point.x_ortho > 0) models[{s.point.components, s.point.lags}].push_back(s);
    constexpr std::size_t kFewest = 3;
    Figure figure;
    figure.title = "reconstruction cost and cross-orthogonality";
    Panel p;
    p.x_label = "lambda";
    p.y_label = "scaled between 10th and 90th percentile";
    p.x_log = true;
    p.legend = true;
    int colour = 0;
    for (auto& [model, points] : models) {
        if (points.size() < kFewest) continue;
        std::sort(points.begin(), points.end(),
                  [](const auto& a, const auto& b) { return a.point.x_ortho < b.point.x_ortho; });
        const std::string name =
            models.size() > 1 ? concat(" K ", model.first, " L ", model.second) : "";
        add_penalty_curves(p, points, name, colour);
        colour += 2;
    }
    if (p.series.empty()) throw Error("three x-ortho values or more are expected for this figure");
    figure.panels.push_back(p);
    return figure;
}

Figure significance_figure(const Matrix& null, const Vector& observed, const Vector& p_values) {
    Figure figure;
    figure.title = "skewness of overlap with held-out data: null (points), observed (bar)";
    Panel p;
    p.x_label = "component";
    p.y_label = "skewness";
    p.x_range = plot::Range{-0.6, static_cast<double>(observed.size()) - 0.4};
    for (Index k = 0; k < observed.size(); ++k) {
        Series cloud;
        cloud.style = plot::Style::points;
        cloud.colour = 7;
        for (Index i = 0; i < null.cols(); ++i) {
            cloud.x.push_back(
                static_cast<double>(k) +
                0.3 * (static_cast<double>(i) / static_cast<double>(null.cols()) - 0.5));
            cloud.y.push_back(null(k, i));
        }
        p.series.push_back(cloud);
        p.series.push_back({{static_cast<double>(k) - 0.35, static_cast<double>(k) + 0.35},
                            {observed(k), observed(k)},
                            {},
                            "",
                            1,
                            plot::Style::line,
                            3});
        p.labels.push_back(
            {static_cast<double>(k) - 0.3, observed(k), "  p " + significant(p_values(k), 2)});
    }
    figure.panels.push_back(p);
    return figure;
}

Figure similarity_figure(const Matrix& similarity, const std::string& of_what) {
    Figure figure;
    figure.width = 4.5;
    figure.title = "similarity of " + of_what + "s";
    Panel p;
    p.left = 0.15, p.width = 0.65;
    p.x_label = of_what == "fit" ? of_what : of_what + " of the second fit";
    p.y_label = of_what == "fit" ? of_what : of_what + " of the first fit";
    p.maps.push_back({similarity, -0.5, static_cast<double>(similarity.cols()) - 0.5, -0.5,
                      static_cast<double>(similarity.rows()) - 0.5, false, 0.0, 1.0, true});
    p.x_range = plot::Range{-0.5, static_cast<double>(similarity.cols()) - 0.5};
    p.y_range = plot::Range{-0.5, static_cast<double>(similarity.rows()) - 0.5};
    figure.panels.push_back(p);
    return figure;
}

Figure unit_fit(const Vector& r2, const Rows& rows) {
    const cnmf::UnitOrder& order = rows.units;
    Figure figure;
    figure.title = "power of each unit explained";
    Panel p;
    p.x_label = rows.label();
    p.y_label = "R^2";
    std::vector<Series> by_component;
    for (std::size_t i = 0; i < order.order.size(); ++i) {
        const auto n = static_cast<std::size_t>(order.order[i]);
        const auto component = order.component[n];
        const auto at = static_cast<std::size_t>(component + 1);
        if (by_component.size() <= at) by_component.resize(at + 1);
        Series& s = by_component[at];
        s.style = plot::Style::bars;
        s.colour = static_cast<int>(component);
        if (!std::isfinite(r2(static_cast<Index>(n)))) continue;
        s.x.push_back(static_cast<double>(i));
        s.y.push_back(r2(static_cast<Index>(n)));
    }
    for (auto& s : by_component)
        if (!s.x.empty()) p.series.push_back(std::move(s));
    figure.panels.push_back(p);
    return figure;
}

namespace {

// First bins of the windows around a component's events that lie in the stretch shown and in one
// segment.
std::vector<Index> event_windows(const OverviewInput& in, const cnmf::Events& events,
                                 Index component, Index before, Index width) {
    const auto& starts = in.facts.segment_start;
    std::vector<Index> windows;
    for (std::size_t e = 0; e < events.bin.size(); ++e) {
        const Index first = events.bin[e] - before, last = first + width;
        if (events.component[e] != component || first < in.first_bin ||
            last > in.first_bin + in.bins)
            continue;
        const auto next = std::upper_bound(starts.begin(), starts.end(), first);
        if (next != starts.end() && *next < last) continue;
        windows.push_back(first);
    }
    return windows;
}

} // namespace

Figure triggered(const OverviewInput& in, const cnmf::Events& events) {
    const cnmf::UnitOrder& order = in.rows.units;
    const Unit unit = time_unit(in.facts);
    const Index lags = in.model.lags, before = lags, width = 3 * lags;
    const double x0 = -static_cast<double>(before) * unit.scale,
                 x1 = static_cast<double>(width - before) * unit.scale;
    Figure figure;
    figure.width = 9;
    figure.height = 6;
    figure.title = "data around each motif's events: mean (top), each event (bottom)";
    for (Index k = 0; k < in.model.components; ++k) {
        const auto windows = event_windows(in, events, k, before, width);
        const Vector weight = cnmf::motif_image(in.model, k).rowwise().sum();
        Matrix mean = Matrix::Zero(in.model.units(), width);
        Matrix raster = Matrix::Zero(std::max<Index>(1, static_cast<Index>(windows.size())), width);
        for (std::size_t e = 0; e < windows.size(); ++e) {
            const Matrix data = in.image(windows[e], width);
            mean += data / static_cast<double>(windows.size());
            // The first event on top.
            auto row = raster.row(raster.rows() - 1 - static_cast<Index>(e));
            row = weight.transpose() * data;
        }
        const double share = 0.9 / static_cast<double>(in.model.components);
        const auto panel = [&](const Matrix& image, double bottom, double height) {
            Panel p;
            p.left = 0.07 + share * static_cast<double>(k);
            p.width = 0.85 * share;
            p.bottom = bottom;
            p.height = height;
            p.y_tics = k == 0;
            p.maps.push_back({image, x0, x1, 0, static_cast<double>(image.rows()), false, 0.0,
                              bright(image), false});
            p.x_range = plot::Range{x0, x1};
            p.y_range = plot::Range{0, static_cast<double>(image.rows())};
            return p;
        };
        Panel top = panel(sorted_rows(mean, order), 0.45, 0.43);
        top.title = concat("motif ", k, ", n = ", windows.size());
        if (k == 0) top.y_label = in.rows.label();
        Panel bottom = panel(raster, 0.1, 0.25);
        bottom.x_label = in.facts.bin_seconds ? "from onset (s)" : "from onset (bins)";
        if (k == 0) bottom.y_label = "event";
        figure.panels.push_back(top);
        figure.panels.push_back(bottom);
    }
    return figure;
}

Figure warp_response(const std::vector<double>& warps, const Matrix& loadings) {
    Figure figure;
    figure.title = "power explained at each time warp";
    Panel p;
    p.x_label = "warp (duration relative to the fit)";
    p.y_label = "share of power";
    p.x_log = true;
    p.legend = true;
    for (Index k = 0; k < loadings.cols(); ++k) {
        Series s;
        s.x = warps;
        s.label = concat("component ", k);
        s.colour = static_cast<int>(k);
        s.style = plot::Style::line_points;
        for (Index w = 0; w < loadings.rows(); ++w) s.y.push_back(loadings(w, k));
        p.series.push_back(s);
    }
    figure.panels.push_back(p);
    return figure;
}

} // namespace cnmf_app
