// The eigen-systems of many points: what graphs and frequencies need of a linearisation.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <vector>

namespace assay::fixedpoints {

// All eigenvalues of dF/dh at every point, and the vectors of the unstable ones. O(25 S^3) a point,
// in parallel over points.
[[nodiscard]] ASSAY_API std::vector<EigenSystem>
unstable_systems(const Dynamics& dynamics, const Points& points, const Execution& run);

// Whether systems are those of these points: their number, that of their eigenvalues, and that the
// eigenvalues sum to the trace of dF/dh. O(S^2) a point.
[[nodiscard]] ASSAY_API bool are_systems_of(const std::vector<EigenSystem>& systems,
                                            const Dynamics& dynamics, const Points& points);

// Whether the vectors of all unstable eigenvalues are kept.
[[nodiscard]] ASSAY_API bool hold_unstable_modes(const std::vector<EigenSystem>& systems);

} // namespace assay::fixedpoints
