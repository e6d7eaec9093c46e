#include "compare_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kCompare = "/lindyn/compare";

constexpr std::size_t kMostRuns = 4; // rows of a figure

// The comparison, or those of the first runs of several.
std::vector<hdf5::Group> comparisons_of(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kCompare);
    if (group.has_dataset("observed")) return {group};
    std::vector<hdf5::Group> runs;
    for (const auto& name : group.names())
        if (runs.size() < kMostRuns && group.has_group(name) &&
            group.group(name).has_dataset("observed"))
            runs.push_back(group.group(name));
    if (runs.empty()) throw Error(group.where() + ": holds no comparison");
    return runs;
}

// A row of panels a run, the first on top, each named after its run.
plot::Figure rows_of(const hdf5::Group& root, plot::Figure (*row_of)(const hdf5::Group&)) {
    const auto runs = comparisons_of(root);
    plot::Figure figure = row_of(runs.front());
    if (runs.size() == 1) return figure;
    const auto count = static_cast<double>(runs.size());
    figure.height *= count;
    figure.title.clear();
    figure.panels.clear();
    for (std::size_t k = 0; k < runs.size(); ++k) {
        std::vector<plot::Panel> row = row_of(runs[k]).panels;
        std::string& title = row.front().title;
        const std::string name = runs[k].text_attribute("run").value_or("");
        title = title.empty() ? name : name + ": " + title;
        for (plot::Panel& panel : row) {
            panel.bottom = (count - 1 - static_cast<double>(k) + panel.bottom) / count;
            panel.height /= count;
            figure.panels.push_back(std::move(panel));
        }
    }
    return figure;
}

// How the run stands.
std::string verdict_of(const hdf5::Group& group) {
    return group.text_attribute("run").value_or("") + ": " +
           group.text_attribute("verdict").value_or("");
}

// A box of words: how well theory does, and how far the run is from what it assumes.
plot::Panel conditions_panel(const hdf5::Group& group, double left, double width) {
    const auto number = [&](const char* name) {
        return significant(group.number_attribute(name).value_or(std::nan("")), 3);
    };
    const auto word = [&](const char* name) { return group.text_attribute(name).value_or(""); };
    const std::vector<std::string> lines{"loss explained (R^2): " + number("loss_r2"),
                                         "regime: " + word("regime"),
                                         "stage likeness: " + number("stage_likeness"),
                                         "method: " + word("method"),
                                         "whiteness: " + number("whiteness"),
                                         "commutation: " + number("commutation"),
                                         "imbalance: " + number("imbalance"),
                                         "misalignment: " + number("misalignment"),
                                         "expected error: " + number("expected_relative_error"),
                                         "largest stable rate: " + number("learning_rate_bound")};
    plot::Panel panel = panel_at(left, width, "conditions", "", "");
    panel.x_range = panel.y_range = plot::Range{0, 1};
    panel.x_tics = panel.y_tics = false;
    for (std::size_t i = 0; i < lines.size(); ++i)
        panel.labels.push_back(
            {0.04, 1 - (static_cast<double>(i) + 0.6) / static_cast<double>(lines.size()), lines[i],
             plot::Align::left});
    return panel;
}

// Steps by which each mode comes after its prediction.
plot::Panel lag_panel(const hdf5::Group& group, double left, double width) {
    plot::Panel panel = panel_at(left, width, "lag", "mode", "steps");
    const auto lag = numbers(group, "lag");
    const std::size_t shown = std::min(lag.size(), static_cast<std::size_t>(kShownModes));
    for (std::size_t a = 0; a < shown; ++a) {
        if (!std::isfinite(lag[a])) continue;
        plot::Series bar = line({static_cast<double>(a)}, {lag[a]}, static_cast<int>(a));
        bar.style = plot::Style::bars;
        panel.series.push_back(std::move(bar));
    }
    panel.x_range = plot::Range{-0.5, static_cast<double>(shown) - 0.5};
    panel.series.push_back(line({panel.x_range->low, panel.x_range->high}, {0, 0}, -1));
    return panel;
}

// Observed points over predicted lines, the lag of each mode, the conditions.
plot::Figure curves_row(const hdf5::Group& group) {
    plot::Figure figure;
    figure.width = 10;
    figure.height = 3.6;
    plot::Panel panel = panel_at(0.07, 0.38, "", "step", "strength");
    panel.height = 0.72;
    panel.legend = panel.legend_outside = true;
    const auto steps = numbers(group, "step");
    add_curves(panel, steps, curves(group, "predicted"), plot::Style::line, false);
    add_curves(panel, steps, curves(group, "observed"), plot::Style::points, true);
    plot::Panel lag = lag_panel(group, 0.61, 0.13),
                conditions = conditions_panel(group, 0.77, 0.22);
    lag.height = conditions.height = 0.72;
    figure.panels = {std::move(panel), std::move(lag), std::move(conditions)};
    figure.title = verdict_of(group);
    return figure;
}

plot::Figure loss_row(const hdf5::Group& group) {
    plot::Figure figure;
    figure.width = 6;
    figure.height = 3.6;
    plot::Panel panel = panel_at(0.12, 0.84, "", "step", "half the squared error");
    panel.legend = true;
    const auto steps = numbers(group, "step");
    panel.series.push_back(line(steps, numbers(group, "loss_predicted"), 0));
    panel.series.back().label = "theory";
    panel.series.push_back(line(steps, numbers(group, "loss_observed"), 1));
    panel.series.back().label = "run";
    panel.series.back().style = plot::Style::points;
    if (group.has_dataset("test_loss_observed"))
        panel.series.push_back(line(steps, numbers(group, "test_loss_observed"), 2, "held out"));
    figure.panels.push_back(std::move(panel));
    figure.title = verdict_of(group);
    return figure;
}

// |v.v'|, |u.u'| and what lies outside the modes.
plot::Figure alignment_row(const hdf5::Group& group) {
    plot::Figure figure;
    figure.width = 11;
    figure.height = 3;
    const auto steps = numbers(group, "step");
    // The legend is that of the last panel: it stands at the right edge of the figure.
    plot::Panel off =
        panel_at(0.06, 0.22, "map outside the data's modes", "step", "share of |U^T W V|^2");
    off.series.push_back(line(steps, numbers(group, "off_diagonal_energy"), -1));
    plot::Panel input =
        panel_at(0.36, 0.22, "input vectors, network and data", "step", "|cosine| of v and v'");
    add_curves(input, steps, curves(group, "alignment_input"), plot::Style::line, false);
    plot::Panel output =
        panel_at(0.66, 0.22, "output vectors, network and data", "step", "|cosine| of u and u'");
    add_curves(output, steps, curves(group, "alignment_output"), plot::Style::line, true);
    output.legend = output.legend_outside = true;
    for (plot::Panel* panel : {&input, &output, &off}) panel->y_range = plot::Range{0, 1.05};
    figure.panels = {std::move(off), std::move(input), std::move(output)};
    return figure;
}

} // namespace

std::vector<FigureKind> compare_figures() {
    return {{"compare-curves",
             {kCompare},
             "strengths observed (points) and predicted (lines), lags and conditions",
             [](const hdf5::Group& root) { return rows_of(root, curves_row); }},
            {"compare-loss",
             {kCompare},
             "loss observed and predicted, of held-out samples too",
             [](const hdf5::Group& root) { return rows_of(root, loss_row); }},
            {"compare-alignment",
             {kCompare},
             "the network's singular vectors against the data's over training",
             [](const hdf5::Group& root) { return rows_of(root, alignment_row); }}};
}

} // namespace lindyn_app
