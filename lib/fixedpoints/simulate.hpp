// What a network does on its trials: states with their principal components, outputs, speeds.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>

namespace assay::fixedpoints {

struct Simulation {
    Trajectories trajectories;
    RowMatrix outputs;    // trials steps x outputs; zero beyond a trial's length
    RowMatrix components; // k x state size: principal directions of the valid states
    Vector mean;          // of the valid states
    RowMatrix scores;     // trials steps x k; zero beyond a trial's length
    Vector variance_ratio;
    double participation_ratio = 0;
    RowMatrix speed;               // trials x steps: |h' - h| / |h|; 0 beyond a trial's length
    double loss = 0, accuracy = 0; // NaN where they are not known
};

// Of trials that have been run. At most `components` principal directions. Throws Error where there
// is no valid step.
[[nodiscard]] ASSAY_API Simulation describe_trials(const Dynamics& dynamics,
                                                   Trajectories trajectories, Index components,
                                                   const Execution& run);

} // namespace assay::fixedpoints
