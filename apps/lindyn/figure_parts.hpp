// Pieces that the figures of lindyn share.
#pragma once

#include <assay/core/recording.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <string>
#include <vector>

namespace lindyn_app {

constexpr assay::Index kShownModes = 8; // of which curves are drawn

std::vector<double> numbers(const assay::hdf5::Group& root, const std::string& path);
// Time x mode, or the first repeat of repeat x time x mode.
assay::RowMatrix curves(const assay::hdf5::Group& root, const std::string& path);
assay::plot::Series line(std::vector<double> x, std::vector<double> y, int colour,
                         const std::string& label = "");
// One series a column, coloured by mode.
void add_curves(assay::plot::Panel& panel, const std::vector<double>& time,
                const assay::RowMatrix& values, assay::plot::Style style, bool labelled);
using assay::plot::panel_at;
// A heat map, first row on top.
assay::plot::Panel matrix_panel(double left, double width, const std::string& title,
                                const assay::Matrix& values, const std::string& x,
                                const std::string& y);

} // namespace lindyn_app
