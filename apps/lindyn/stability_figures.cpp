#include "stability_figures.hpp"

#include "figure_parts.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lindyn_app {

using namespace assay;

namespace {

constexpr const char* kStability = "/lindyn/stability";
constexpr const char* kMap = "/lindyn/stability/map";
constexpr std::size_t kDrawnPoints = 25;

using Numbers = std::vector<double>;

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

// A setting's values as a map draws them, in equal cells: logarithms where ratios are equal, their
// numbers where neither differences nor ratios are.
struct MapAxis {
    Numbers place;
    double low = 0, high = 1; // outer edges of the cells
    std::string label;
};
bool is_even(const Numbers& x) {
    const double step = x[1] - x[0];
    for (std::size_t i = 1; i + 1 < x.size(); ++i)
        if (!(std::abs(x[i + 1] - x[i] - step) < 1e-6 * std::abs(step))) return false;
    return std::isfinite(step);
}

MapAxis map_axis(const hdf5::Group& map, const std::string& name) {
    MapAxis axis{numbers(map, name), 0, 1, name};
    Numbers& x = axis.place;
    if (x.size() < 2) throw Error(map.where() + "/" + name + ": two values or more are expected");
    const std::size_t n = x.size();
    Numbers logs = x;
    for (double& value : logs) value = std::log10(value);
    if (!is_even(x) && is_even(logs)) {
        x = logs;
        axis.label = "log10 " + name;
    } else if (!is_even(x)) {
        axis.label = name + " (number of the value)";
        for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(i);
    }
    const double half = (x[n - 1] - x[0]) / static_cast<double>(n - 1) / 2;
    axis.low = x[0] - half;
    axis.high = x[n - 1] + half;
    return axis;
}

// Where the margin passes 1 between neighbours along rows and columns, by its logarithm.
plot::Series boundary(const RowMatrix& margin, const MapAxis& x, const MapAxis& y) {
    plot::Series edge = line({}, {}, 1, "theory");
    const auto place = [](const MapAxis& axis, Index i) {
        return axis.place[static_cast<std::size_t>(i)];
    };
    const auto pass = [&](Index i, Index j, Index next_i, Index next_j) {
        if (next_i == margin.rows() || next_j == margin.cols()) return;
        const double here = std::log(margin(i, j)), next = std::log(margin(next_i, next_j));
        if ((here > 0) == (next > 0) || !std::isfinite(here - next)) return;
        const double share = here / (here - next);
        edge.x.push_back(place(x, j) + share * (place(x, next_j) - place(x, j)));
        edge.y.push_back(place(y, i) + share * (place(y, next_i) - place(y, i)));
    };
    for (Index i = 0; i < margin.rows(); ++i)
        for (Index j = 0; j < margin.cols(); ++j) {
            pass(i, j, i, j + 1);
            pass(i, j, i + 1, j);
        }
    edge.style = plot::Style::points;
    edge.size = 1;
    return edge;
}

plot::Figure stability_map_figure(const hdf5::Group& root) {
    const hdf5::Group map = root.group(kMap);
    const auto names = split(map.text_attribute("axes").value_or(""), ',');
    if (names.size() != 2) throw Error(map.where() + ": two axes are expected");
    const MapAxis y = map_axis(map, names[0]), x = map_axis(map, names[1]);
    const RowMatrix margin = curves(root, std::string(kMap) + "/margin");
    const bool drawn = map.has_dataset("stayed");
    const RowMatrix shown = drawn ? curves(root, std::string(kMap) + "/stayed")
                                  : RowMatrix((margin.array() > 1).cast<double>());
    for (const RowMatrix* one : {&margin, &shown})
        if (one->rows() != static_cast<Index>(y.place.size()) ||
            one->cols() != static_cast<Index>(x.place.size()))
            throw Error(map.where() + ": a map of other sizes than its axes");
    plot::Panel panel = panel_at(0.13, 0.6,
                                 drawn ? "share of drawn runs that stay, and where theory ends"
                                       : "where theory is stable",
                                 x.label, y.label);
    plot::HeatMap cells;
    cells.values = shown;
    cells.x0 = x.low;
    cells.x1 = x.high;
    cells.y0 = y.low;
    cells.y1 = y.high;
    cells.low = 0;
    cells.high = 1;
    cells.colour_bar = true;
    panel.maps.push_back(std::move(cells));
    plot::Series edge = boundary(margin, x, y);
    if (!edge.x.empty()) panel.series.push_back(std::move(edge));
    panel.x_range = plot::Range{x.low, x.high};
    panel.y_range = plot::Range{y.low, y.high};
    plot::Figure figure;
    figure.width = 5.2;
    figure.height = 3.6;
    figure.panels.push_back(std::move(panel));
    return figure;
}

} // namespace

std::vector<FigureKind> stability_figures() {
    return {{"stability-map",
             {kMap},
             "where two settings are stable: drawn runs, and the limit of theory",
             stability_map_figure},
            {"stability",
             {kStability},
             "how feedback aligns with the weights, and its loop gains",
             stability_figure}};
}

} // namespace lindyn_app
