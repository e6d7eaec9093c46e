#include "figure_parts.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace tensor_amp_app {

using namespace assay;

namespace {

// How a grid is spaced: values beyond the ends are half a step away.
enum class Spacing { linear, logarithmic, other };
Spacing spacing_of(const Numbers& values) {
    if (values.size() < 3) return Spacing::linear;
    const double first = values[1] - values[0];
    bool linear = true, logarithmic = values[0] > 0 && first > 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
        const double step = values[i] - values[i - 1];
        linear = linear && std::abs(step - first) <= 1e-6 * std::abs(first);
        logarithmic =
            logarithmic && values[i] > 0 &&
            std::abs(std::log(values[i] / values[i - 1]) - std::log(values[1] / values[0])) < 1e-6;
    }
    return linear ? Spacing::linear : logarithmic ? Spacing::logarithmic : Spacing::other;
}

} // namespace

Numbers numbers(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().read<double>();
}

plot::Series line(Numbers x, Numbers y, int colour, const std::string& label, double width) {
    plot::Series series;
    series.x = std::move(x);
    series.y = std::move(y);
    series.colour = colour;
    series.label = label;
    series.width = width;
    return series;
}

plot::Figure figure_of(std::vector<plot::Panel> panels, double width) {
    plot::Figure figure;
    figure.width = width;
    figure.height = 3.4;
    figure.panels = std::move(panels);
    return figure;
}

plot::Figure row_of_panels(std::vector<plot::Panel> panels, double inches) {
    const bool legend = std::any_of(panels.begin(), panels.end(),
                                    [](const plot::Panel& panel) { return panel.legend; });
    const double width = 0.2 + inches * static_cast<double>(panels.size()) + (legend ? 1.6 : 0);
    for (std::size_t i = 0; i < panels.size(); ++i) {
        panels[i].left = (0.75 + inches * static_cast<double>(i)) / width;
        panels[i].width = (inches - 0.95) / width;
        if (!legend) continue;
        panels[i].legend = panels[i].legend_outside = i + 1 == panels.size();
    }
    return figure_of(std::move(panels), width);
}

Numbers counted(std::size_t count) {
    Numbers x(count);
    std::iota(x.begin(), x.end(), 0.0);
    return x;
}

bool is_logarithmic(const Numbers& values) {
    return spacing_of(values) == Spacing::logarithmic;
}

CellAxis cell_axis(const Numbers& values, const std::string& name) {
    const Spacing spacing = spacing_of(values);
    const auto cells = static_cast<double>(values.size());
    if (spacing == Spacing::other) return {-0.5, cells - 0.5, name + " (number of the value)"};
    const bool logarithmic = spacing == Spacing::logarithmic;
    const double first = logarithmic ? std::log10(values.front()) : values.front(),
                 last = logarithmic ? std::log10(values.back()) : values.back();
    const double half = values.size() > 1 ? 0.5 * (last - first) / (cells - 1) : 0.5;
    return {first - half, last + half, logarithmic ? "log10 " + name : name};
}

plot::Panel map_panel(const std::string& title, const Numbers& values, std::size_t stride,
                      const CellAxis& x, std::size_t columns, const CellAxis& y, std::size_t rows) {
    plot::Panel panel = panel_at(0, 0, title, x.label, y.label);
    plot::HeatMap map;
    map.values.resize(static_cast<Index>(rows), static_cast<Index>(columns));
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
            map.values(static_cast<Index>(i), static_cast<Index>(j)) =
                values[(i * columns + j) * stride];
    map.x0 = x.low;
    map.x1 = x.high;
    map.y0 = y.low;
    map.y1 = y.high;
    map.colour_bar = true;
    panel.x_range = plot::Range{std::min(x.low, x.high), std::max(x.low, x.high)};
    panel.y_range = plot::Range{std::min(y.low, y.high), std::max(y.low, y.high)};
    panel.maps.push_back(std::move(map));
    return panel;
}

plot::Figure row_of_maps(std::vector<plot::Panel> panels) {
    const double width = 1 + 2.8 * static_cast<double>(panels.size());
    for (std::size_t i = 0; i < panels.size(); ++i) {
        panels[i].left = (0.7 + 2.8 * static_cast<double>(i)) / width;
        panels[i].width = 1.9 / width;
        if (i > 0) panels[i].y_label = "";
    }
    return figure_of(std::move(panels), width);
}

} // namespace tensor_amp_app
