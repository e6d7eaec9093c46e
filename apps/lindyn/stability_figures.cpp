#include "stability_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kStability = "/lindyn/stability";
constexpr std::size_t kDrawnPoints = 25;

// Theory as a line, drawn runs as points with their standard error.
void add_curve(plot::Panel& panel, const hdf5::Group& layer, const std::string& name,
               const std::vector<double>& steps, int colour) {
    if (layer.has_dataset(name + "_transient")) {
        panel.series.push_back(line(steps, numbers(layer, name + "_transient"), colour));
        panel.series.back().label = layer.path().substr(layer.path().rfind('/') + 1);
    }
    if (!layer.has_dataset(name + "_simulated")) return;
    const auto mean = numbers(layer, name + "_simulated"),
               error = numbers(layer, name + "_simulated_error");
    if (mean.size() != steps.size() || error.size() != steps.size())
        throw Error(layer.where() + ": curves and steps differ in length");
    plot::Series points;
    points.colour = colour;
    points.style = plot::Style::points;
    const std::size_t stride = std::max<std::size_t>(1, steps.size() / kDrawnPoints);
    for (std::size_t i = 0; i < steps.size(); i += stride) {
        points.x.push_back(steps[i]);
        points.y.push_back(mean[i]);
        points.error.push_back(error[i]);
    }
    panel.series.push_back(std::move(points));
}

// Whether runs were drawn: all layers have them or none.
bool simulated(const hdf5::Group& group) {
    const hdf5::Group layers = group.group("layer");
    const auto names = layers.names();
    return !names.empty() && layers.has_dataset(names.front() + "/norm_ratio_simulated");
}

plot::Figure stability_figure(const hdf5::Group& root) {
    const hdf5::Group group = root.group(kStability);
    const std::string rule = group.text_attribute("rule").value_or("");
    const bool differs = rule == "kp"; // what falls is W - B
    const auto steps = numbers(group, "step");
    plot::Figure figure;
    figure.width = 11;
    figure.height = 3;
    // The legend is that of the last panel: it stands at the right edge of the figure.
    plot::Panel gain = panel_at(0.06, 0.22, "", "singular value s of W", "loop gain s u^T B v");
    plot::Panel way = differs ? panel_at(0.36, 0.22, "", "update", "|W - B| / start")
                              : panel_at(0.36, 0.22, "", "update", "angle of W and B (degrees)");
    plot::Panel size = panel_at(0.66, 0.22, "", "update", "|B| / |W|");
    size.legend = size.legend_outside = true;
    int colour = 0;
    for (const auto& name : group.group("layer").names()) {
        if (colour == kShownModes) break;
        const hdf5::Group layer = group.group("layer/" + name);
        add_curve(way, layer, differs ? "difference" : "angle", steps, colour);
        add_curve(size, layer, "norm_ratio", steps, colour);
        gain.series.push_back(
            line(numbers(layer, "singular_values"), numbers(layer, "loop_gain"), colour));
        gain.series.back().style = plot::Style::points;
        ++colour;
    }
    figure.title = "rule " + rule +
                   (simulated(group) ? ": theory (lines); mean and standard error "
                                       "of drawn runs (points, band)"
                                     : ": theory");
    figure.panels = {std::move(gain), std::move(way), std::move(size)};
    return figure;
}

} // namespace

FigureKind stability_figure_kind() {
    return {"stability",
            {kStability},
            "how feedback aligns with the weights, and its loop gains",
            stability_figure};
}

} // namespace lindyn_app
