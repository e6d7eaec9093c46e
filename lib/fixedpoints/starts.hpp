// Where searches start: states sampled from trajectories with noise, uniform boxes, grids. Draws
// are addressed by (seed, start), so they depend neither on threads nor on the number of starts.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>

namespace assay::fixedpoints {

struct TrajectorySampling {
    Index count = 1024;
    double noise = 0.5;         // standard deviation added to every entry
    double noise_relative = -1; // instead: times each entry's standard deviation along trajectories
    Index skip_steps = 0;       // first steps of a trial that are left out
    std::uint64_t seed = 0;
};

// The rows of all valid steps of the trials, but for the first `skip_steps` of each; may be empty.
[[nodiscard]] ASSAY_API std::vector<Index> valid_steps(const Trajectories& trajectories,
                                                       Index skip_steps = 0);
// States (count x state size) drawn uniformly from the valid steps, with replacement. Throws Error
// where no step is left.
[[nodiscard]] ASSAY_API RowMatrix sample_states(const Trajectories& trajectories,
                                                const TrajectorySampling& sampling,
                                                int threads = 1);
// The valid states of trials, one below the other.
[[nodiscard]] ASSAY_API RowMatrix valid_states(const Trajectories& trajectories,
                                               Index skip_steps = 0);
// Uniform on [low, high] in every entry.
[[nodiscard]] ASSAY_API RowMatrix uniform_states(Index count, Index size, double low, double high,
                                                 std::uint64_t seed, int threads = 1);
// All nodes of a grid of `nodes` points a dimension. Throws Error above 1e6 of them.
[[nodiscard]] ASSAY_API RowMatrix grid_states(Index nodes, Index size, double low, double high);

} // namespace assay::fixedpoints
