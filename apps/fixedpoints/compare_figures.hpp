// Figures of comparisons: distances between networks, their places on a page, their mean spectra.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

namespace fixedpoints_app {

assay::plot::Figure distances_figure(const assay::hdf5::Group& root);
// Whether a comparison has places for mds_figure: a shard has none.
bool has_places(const assay::hdf5::Group& root);
assay::plot::Figure mds_figure(const assay::hdf5::Group& root);
assay::plot::Figure eigenvalues_figure(const assay::hdf5::Group& root);

} // namespace fixedpoints_app
