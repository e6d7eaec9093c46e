// Eigen-systems of points: those of linearize where the input has them, else computed.
#pragma once

#include "inputs.hpp"

#include <vector>

namespace fixedpoints_app {

// All eigenvalues, and the vectors of unstable modes, one system a point. Throws Error where
// /fixedpoints/linearize belongs to other points.
std::vector<assay::fixedpoints::EigenSystem> load_systems(assay::cli::Context& context,
                                                          const LoadedNetwork& network,
                                                          const assay::fixedpoints::Points& points);

} // namespace fixedpoints_app
