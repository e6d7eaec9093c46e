#include "panels.hpp"

#include <assay/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fixedpoints_app {

using namespace assay;

int colour_of(std::int32_t unstable) {
    static constexpr std::array<int, 4> kColours{-1, 1, 2, 0};
    return kColours[static_cast<std::size_t>(std::clamp(unstable, 0, 3))];
}

std::string kind_label(std::int32_t unstable) {
    return unstable == 0 ? "stable" : concat(unstable, " unstable");
}

plot::Panel panel_at(double left, double width, const std::string& x, const std::string& y) {
    plot::Panel panel;
    panel.left = left;
    panel.width = width;
    panel.bottom = 0.16;
    panel.height = 0.74;
    panel.x_label = x;
    panel.y_label = y;
    return panel;
}

plot::Figure single(plot::Panel panel, double width, double height) {
    plot::Figure figure;
    figure.width = width;
    figure.height = height;
    figure.panels = {std::move(panel)};
    return figure;
}

std::vector<double> numbers(const hdf5::Group& root, const std::string& path) {
    return root.dataset(path).expect_numeric().read<double>();
}

plot::Series histogram_bars(const std::vector<double>& edges, const std::vector<double>& counts) {
    plot::Series bars;
    bars.style = plot::Style::bars;
    for (std::size_t i = 0; i < counts.size() && i + 1 < edges.size(); ++i) {
        bars.x.push_back((edges[i] + edges[i + 1]) / 2);
        bars.y.push_back(counts[i]);
    }
    return bars;
}

std::vector<double> histogram_edges(const std::vector<double>& values, int bins) {
    std::vector<double> finite, edges;
    for (const double one : values)
        if (std::isfinite(one)) finite.push_back(one);
    if (finite.empty()) return {};
    const auto [least, most] = std::minmax_element(finite.begin(), finite.end());
    const double low = *least, width = std::max(*most - low, 1e-12) / bins;
    for (int i = 0; i <= bins; ++i) edges.push_back(low + width * i);
    return edges;
}

plot::Series histogram_of(const std::vector<double>& values, const std::vector<double>& edges) {
    if (edges.size() < 2) return histogram_bars({}, {});
    std::vector<double> counts(edges.size() - 1, 0);
    const double width = edges[1] - edges[0];
    for (const double one : values) {
        if (!std::isfinite(one)) continue;
        const auto bin = static_cast<Index>((one - edges.front()) / width);
        ++counts[static_cast<std::size_t>(
            std::clamp<Index>(bin, 0, static_cast<Index>(counts.size()) - 1))];
    }
    return histogram_bars(edges, counts);
}

plot::Series histogram_of(const std::vector<double>& values, int bins) {
    return histogram_of(values, histogram_edges(values, bins));
}

plot::Series guide(double x0, double y0, double x1, double y1) {
    plot::Series line;
    line.colour = -2;
    line.x = {x0, x1};
    line.y = {y0, y1};
    return line;
}

} // namespace fixedpoints_app
