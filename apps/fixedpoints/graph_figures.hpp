// Figures of the graph of points, of frequencies over inputs, and of branches.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

namespace fixedpoints_app {

assay::plot::Figure graph_figure(const assay::hdf5::Group& root);
assay::plot::Figure frequency_figure(const assay::hdf5::Group& root);
assay::plot::Figure branches_figure(const assay::hdf5::Group& root);

} // namespace fixedpoints_app
