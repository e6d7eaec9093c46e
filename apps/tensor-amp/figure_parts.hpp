// Pieces that the figures of tensor-amp share.
#pragma once

#include <assay/core/recording.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <string>
#include <vector>

namespace tensor_amp_app {

using Numbers = std::vector<double>;

constexpr int kGrey = -2, kBlack = -1;
constexpr assay::Index kShownComponents = 8; // of which panels and curves are drawn
constexpr assay::Index kShownModes = 8;

Numbers numbers(const assay::hdf5::Group& group, const std::string& name);
assay::plot::Series line(Numbers x, Numbers y, int colour, const std::string& label = "",
                         double width = 1.2);
using assay::plot::panel_at;
assay::plot::Figure figure_of(std::vector<assay::plot::Panel> panels, double width);
// Panels of equal size side by side, each `inches` wide; only the last has its legend, outside.
assay::plot::Figure row_of_panels(std::vector<assay::plot::Panel> panels, double inches = 3.2);
// 0, 1, ..., count - 1.
Numbers counted(std::size_t count);

// Whether values are evenly spaced by their logarithms and not by themselves.
bool is_logarithmic(const Numbers& values);

// Evenly drawn cells over a grid: their edges, and what the axis counts.
struct CellAxis {
    double low = 0, high = 1;
    std::string label;
};
CellAxis cell_axis(const Numbers& values, const std::string& name);
// values[(i columns + j) stride] over y (upwards) and x.
assay::plot::Panel map_panel(const std::string& title, const Numbers& values, std::size_t stride,
                             const CellAxis& x, std::size_t columns, const CellAxis& y,
                             std::size_t rows);
// Panels with colour bars side by side.
assay::plot::Figure row_of_maps(std::vector<assay::plot::Panel> panels);

} // namespace tensor_amp_app
