// Figures of line attractors, of what inputs do there, and of linearised predictions.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

namespace fixedpoints_app {

assay::plot::Figure alignment_figure(const assay::hdf5::Group& root);
assay::plot::Figure words_figure(const assay::hdf5::Group& root);
assay::plot::Figure projections_figure(const assay::hdf5::Group& root);
assay::plot::Figure modes_figure(const assay::hdf5::Group& root);
assay::plot::Figure error_figure(const assay::hdf5::Group& root);

} // namespace fixedpoints_app
