#include "figure_parts.hpp"

#include <assay/core/error.hpp>

#include <algorithm>

namespace lindyn_app {

using namespace assay;

std::vector<double> numbers(const hdf5::Group& root, const std::string& path) {
    return root.dataset(path).expect_numeric().read<double>();
}

RowMatrix curves(const hdf5::Group& root, const std::string& path) {
    const hdf5::Dataset dataset = root.dataset(path).expect_numeric();
    if (dataset.rank() == 2) return dataset.read_matrix();
    dataset.expect_rank(3);
    if (dataset.shape()[0] < 1) throw Error(dataset.where() + ": no repeat to draw");
    RowMatrix first(dataset.shape()[1], dataset.shape()[2]);
    dataset.read_box<double>({0, 0, 0}, {1, first.rows(), first.cols()}, first.data());
    return first;
}

plot::Series line(std::vector<double> x, std::vector<double> y, int colour,
                  const std::string& label) {
    plot::Series series;
    series.x = std::move(x);
    series.y = std::move(y);
    series.colour = colour;
    series.label = label;
    return series;
}

void add_curves(plot::Panel& panel, const std::vector<double>& time, const RowMatrix& values,
                plot::Style style, bool labelled) {
    for (Index a = 0; a < std::min(values.cols(), kShownModes); ++a) {
        std::vector<double> y(static_cast<std::size_t>(values.rows()));
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = values(static_cast<Index>(i), a);
        plot::Series series = line(time, std::move(y), static_cast<int>(a));
        series.style = style;
        if (labelled) series.label = concat("mode ", a);
        panel.series.push_back(std::move(series));
    }
}

plot::Panel matrix_panel(double left, double width, const std::string& title, const Matrix& values,
                         const std::string& x, const std::string& y) {
    plot::Panel panel = panel_at(left, width, title, x, y);
    plot::HeatMap map;
    map.values = values.colwise().reverse(); // the first row on top
    map.x1 = static_cast<double>(values.cols());
    map.y1 = static_cast<double>(values.rows());
    map.diverging = true;
    panel.maps.push_back(std::move(map));
    panel.x_tics = panel.y_tics = false;
    return panel;
}

} // namespace lindyn_app
