#include "compare_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kCompare = "/lindyn/compare";

// The comparison, or the first of several.
hdf5::Group comparison_of(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kCompare);
    if (group.has_dataset("observed")) return group;
    for (const auto& name : group.names())
        if (group.has_group(name)) return group.group(name);
    throw Error(group.where() + ": holds no comparison");
}

// How the run and its conditions stand.
std::string verdict_of(const hdf5::Group& group) {
    const auto value = [&](const char* name) {
        return significant(group.number_attribute(name).value_or(std::nan("")), 3);
    };
    return concat(group.text_attribute("run").value_or(""), ": ",
                  group.text_attribute("verdict").value_or(""), "; whiteness ", value("whiteness"),
                  ", imbalance ", value("imbalance"));
}

// Observed points over predicted lines.
plot::Figure curves_figure(const hdf5::Group& root) {
    const hdf5::Group group = comparison_of(root);
    plot::Figure figure;
    figure.width = 6;
    figure.height = 3.6;
    plot::Panel panel = panel_at(0.11, 0.72, "", "step", "strength");
    panel.height = 0.72;
    panel.legend = panel.legend_outside = true;
    const auto steps = numbers(group, "step");
    add_curves(panel, steps, curves(group, "predicted"), plot::Style::line, false);
    add_curves(panel, steps, curves(group, "observed"), plot::Style::points, true);
    figure.panels.push_back(std::move(panel));
    figure.title = verdict_of(group);
    return figure;
}

plot::Figure loss_figure(const hdf5::Group& root) {
    const hdf5::Group group = comparison_of(root);
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
    figure.panels.push_back(std::move(panel));
    figure.title = verdict_of(group);
    return figure;
}

// |v.v'|, |u.u'| and what lies outside the modes.
plot::Figure alignment_figure(const hdf5::Group& root) {
    const hdf5::Group group = comparison_of(root);
    plot::Figure figure;
    figure.width = 11;
    figure.height = 3;
    const auto steps = numbers(group, "step");
    plot::Panel input = panel_at(0.07, 0.24, "input vectors", "step", "|v.v'|");
    add_curves(input, steps, curves(group, "alignment_input"), plot::Style::line, false);
    plot::Panel output = panel_at(0.38, 0.24, "output vectors", "step", "|u.u'|");
    add_curves(output, steps, curves(group, "alignment_output"), plot::Style::line, true);
    output.legend = output.legend_outside = true;
    plot::Panel off = panel_at(0.76, 0.22, "outside the modes", "step", "share");
    off.series.push_back(line(steps, numbers(group, "off_diagonal_energy"), 0));
    for (plot::Panel* panel : {&input, &output, &off}) panel->y_range = plot::Range{0, 1.05};
    figure.panels = {std::move(input), std::move(output), std::move(off)};
    return figure;
}

} // namespace

std::vector<FigureKind> compare_figures() {
    return {{"compare-curves",
             {kCompare},
             "strengths observed (points) and predicted (lines)",
             curves_figure},
            {"compare-loss", {kCompare}, "loss observed and predicted", loss_figure},
            {"compare-alignment",
             {kCompare},
             "the network's singular vectors against the data's over training",
             alignment_figure}};
}

} // namespace lindyn_app
