// Where long runs start: states that trials visit under an input, and kicks away from points.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/flights.hpp>

namespace assay::fixedpoints {

// The valid steps with this input (1 x inputs; within 1e-6 of its norm), each as a trial of its
// own; all valid steps where no trial has it.
[[nodiscard]] ASSAY_API Trajectories steps_under(const Trajectories& trajectories,
                                                 const RowMatrix& input);

// Every node, `kicks` times, plus normal noise in every state variable of `scale` times the node's
// distance to the nearest other. Row node * kicks + k, addressed by (seed, point, k).
[[nodiscard]] ASSAY_API RowMatrix kicked_states(const Landscape& landscape, Index kicks,
                                                double scale, std::uint64_t seed);
// `count` of such states, of one node after another.
[[nodiscard]] ASSAY_API RowMatrix kicked_starts(const Landscape& landscape, Index count,
                                                double scale, std::uint64_t seed);

} // namespace assay::fixedpoints
