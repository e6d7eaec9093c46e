// Figures of points, their spectra and the searches that found them.
#pragma once

#include "figure_options.hpp"

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

namespace fixedpoints_app {

// Throws Error where components of states are asked for and the file does not know them.
assay::plot::Figure space_figure(const assay::hdf5::Group& root, ComponentsOf components);
assay::plot::Figure speed_figure(const assay::hdf5::Group& root);
assay::plot::Figure spectrum_figure(const assay::hdf5::Group& root);
assay::plot::Figure times_figure(const assay::hdf5::Group& root);
bool has_scree(const assay::hdf5::Group& root);
assay::plot::Figure scree_figure(const assay::hdf5::Group& root);

} // namespace fixedpoints_app
