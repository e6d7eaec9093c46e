// Pieces that several figures are made of.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fixedpoints_app {

// Colours of the palette by the number of unstable dimensions, and what the legend says.
int colour_of(std::int32_t unstable);
std::string kind_label(std::int32_t unstable);

// A panel of usual height from `left`, `width` wide (shares of the figure).
assay::plot::Panel panel_at(double left, double width, const std::string& x, const std::string& y);
// A figure of one panel.
assay::plot::Figure single(assay::plot::Panel panel, double width, double height);

// A dataset of numbers, whatever its rank.
std::vector<double> numbers(const assay::hdf5::Group& root, const std::string& path);
// Bars of a histogram: `edges` one more than `counts`.
assay::plot::Series histogram_bars(const std::vector<double>& edges,
                                   const std::vector<double>& counts);
// Edges of `bins` bins of equal width over the finite values; none where there are none.
std::vector<double> histogram_edges(const std::vector<double>& values, int bins);
// Counts of finite values in bins of equal width; those outside go into the first or last.
assay::plot::Series histogram_of(const std::vector<double>& values,
                                 const std::vector<double>& edges);
assay::plot::Series histogram_of(const std::vector<double>& values, int bins);
// A pale straight line.
assay::plot::Series guide(double x0, double y0, double x1, double y1);

} // namespace fixedpoints_app
