// Long runs as they are asked for on the command line, and those of one network. Shared by cycles
// and population.
#pragma once

#include "inputs.hpp"

#include <assay/fixedpoints/graph_io.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fixedpoints_app {

enum class StartFrom { automatic, data, points };

struct CycleRequest {
    assay::fixedpoints::CycleOptions cycles;
    std::string section = "output:0";
    StartFrom from = StartFrom::automatic;
    assay::Index starts = 4;
    double noise = 1e-3, kick_scale = 0.1; // some noise: none shall stay on an unstable point
    std::uint64_t seed = 0;
};
void declare_long_runs(assay::cli::Command& c, CycleRequest& o);
void declare_cycle_starts(assay::cli::Command& c, CycleRequest& o);

struct Cycles {
    assay::RowMatrix starts;         // one row a run
    std::vector<std::int32_t> input; // of each run: a row of the searched inputs
    assay::fixedpoints::LongRun runs;
    assay::RowMatrix inputs; // the searched ones
    assay::fixedpoints::Frequencies frequencies;
    void write(assay::hdf5::Group group) const;
};
// `trials` may be null, `target` empty where nothing is known. Throws UsageError for a section that
// does not exist.
Cycles run_cycles(const CycleRequest& o, const assay::fixedpoints::Dynamics& dynamics,
                  const assay::fixedpoints::Points& points, const assay::RowMatrix& inputs,
                  const std::vector<assay::fixedpoints::EigenSystem>& systems,
                  const assay::fixedpoints::Trajectories* trials,
                  const std::optional<assay::fixedpoints::TargetFrequencies>& target,
                  const assay::Execution& execution);

} // namespace fixedpoints_app
