// Figures of the graph of points, of frequencies over inputs, and of branches.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/plot/figure.hpp>

#include <cstdint>
#include <vector>

namespace fixedpoints_app {

assay::plot::Figure graph_figure(const assay::hdf5::Group& root);
assay::plot::Figure frequency_figure(const assay::hdf5::Group& root);
// One panel a readout (from 0); none given: the first three. Throws Error for one that is not
// there.
assay::plot::Figure branches_figure(const assay::hdf5::Group& root,
                                    const std::vector<std::int64_t>& readouts);

} // namespace fixedpoints_app
