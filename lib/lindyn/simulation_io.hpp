// Simulated runs in HDF5: strengths and losses of all repeats (/lindyn/simulate), the first repeat
// as a training run that every tool reads (/model, /run), and the state of an interrupted one.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/simulate.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::lindyn {

struct SimulationFacts {
    StepSettings step; // in the statistics' own units
    // Of half_squared_error, mean over samples.
    double learning_rate = 0, weight_decay = 0;
    Index batch_size = 0; // 0: all samples
    bool flow = false;    // integrated, not stepped
    std::uint64_t seed = 0;
    std::string data;
};

ASSAY_API void write_simulation(hdf5::Group group, const std::vector<Simulation>& repeats,
                                const SimulationFacts& facts);
// /model and /run of a simulation that kept its layers.
ASSAY_API void write_run(hdf5::Group root, const Simulation& first, const SimulationFacts& facts);

// The state of all repeats. Reading throws Error where arrays do not fit each other.
ASSAY_API void write_states(hdf5::Group group, const std::vector<Simulation>& repeats);
[[nodiscard]] ASSAY_API std::vector<SimulationState> read_states(const hdf5::Group& group);

} // namespace assay::lindyn
