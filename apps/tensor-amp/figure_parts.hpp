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

} // namespace tensor_amp_app
