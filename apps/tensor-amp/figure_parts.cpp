#include "figure_parts.hpp"

#include <algorithm>
#include <numeric>

namespace tensor_amp_app {

using namespace assay;

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

} // namespace tensor_amp_app
