// Simulated runs in HDF5: strengths and losses of all repeats (/lindyn/simulate), or of those of a
// shard, the first repeat as a training run that every tool reads (/model, /run), and the state of
// an interrupted one.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/shards.hpp>
#include <assay/lindyn/simulate.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace assay::lindyn {

struct SimulationFacts {
    StepSettings step; // in the statistics' own units
    // Of half_squared_error, mean over samples.
    double learning_rate = 0, weight_decay = 0;
    Index batch_size = 0; // 0: all samples
    Index epoch = 1;      // updates of one pass through the samples
    bool flow = false;    // integrated, not stepped
    std::uint64_t seed = 0;
    std::string data;
    std::optional<Normalisation> whitening; // of the inputs it was on, by these correlations
};

// All repeats, or those of a part.
struct SimulationStudy {
    SimulationFacts facts;
    Index repeats = 1; // of the whole
    StudyPart part;
    std::map<Index, SimulationRecord> runs; // by repeat
};
ASSAY_API void write_simulation(hdf5::Group group, const SimulationStudy& study);
// A part. Throws Error on arrays that do not fit each other.
[[nodiscard]] ASSAY_API SimulationStudy read_simulation(const hdf5::Group& group);
// The whole from all its parts, which have the same settings. Throws Error where a part or a repeat
// is missing or given twice.
[[nodiscard]] ASSAY_API SimulationStudy merge_simulations(std::vector<SimulationStudy> parts);
// A simulation that kept its layers, as a training run that every tool reads (/model, /run).
struct SimulatedRun {
    // The resolved configuration with which `checkpoint train` does the same (on whitened inputs,
    // where these were).
    std::string training;
    double learning_rate = 0; // of half_squared_error
    std::vector<Index> steps;
    Vector epochs, loss;                    // at the steps
    std::vector<Layers> kept;               // at the steps; they act on the inputs as they are
    std::optional<Normalisation> whitening; // descended on whitened ones, by these correlations
};
[[nodiscard]] ASSAY_API SimulatedRun run_of(const Simulation& first, const SimulationFacts& facts);
ASSAY_API void write_run(hdf5::Group root, const SimulatedRun& run);
// Throws Error where the checkpoints are not those of a linear network.
[[nodiscard]] ASSAY_API SimulatedRun read_run(const hdf5::Group& root);
// What a run (/run) says of whitened inputs.
[[nodiscard]] ASSAY_API std::optional<Normalisation> run_whitening(const hdf5::Group& run);

// The state of all repeats. Reading throws Error where arrays do not fit each other.
ASSAY_API void write_states(hdf5::Group group, const std::vector<Simulation>& repeats);
[[nodiscard]] ASSAY_API std::vector<SimulationState> read_states(const hdf5::Group& group);

} // namespace assay::lindyn
