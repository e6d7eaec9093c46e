// What every subcommand reads: the network, the trials it runs on, and the points found before.
#pragma once

#include "model_input.hpp"

#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace fixedpoints_app {

// --layer, --checkpoint and how to read model files.
struct NetworkOptions {
    std::string layer, checkpoint;
    tools::ModelFileOptions files;
};
// Which stages of a run --checkpoint may name.
enum class Stages { one, several };
void declare_network(assay::cli::Command& c, NetworkOptions& o, Stages stages = Stages::one);
// Throws UsageError where --checkpoint names several; `otherwise` says where that would do.
void check_stage(const NetworkOptions& o, const std::string& otherwise);

struct LoadedNetwork {
    assay::network::Model model;
    assay::fixedpoints::Dynamics dynamics;
    std::string digest; // of architecture and weights
    bool in_own_form;   // the input carries this very model as /model
};
// The network of the command's input. Errors name the file.
LoadedNetwork load_network(assay::cli::Context& context, const NetworkOptions& o,
                           const assay::hdf5::Address& address);
// One network of many: its file is closed again, and not carried into the output.
LoadedNetwork load_network_apart(const NetworkOptions& o, const assay::hdf5::Address& address,
                                 assay::Monitor& monitor);
// Writes the model where the output would not carry it forward by itself, so that the next step
// needs no other file.
void pass_on(assay::cli::Context& context, const LoadedNetwork& network);

// --data and --split.
struct DataOptions {
    std::string data, split;
};
void declare_data(assay::cli::Command& c, DataOptions& o,
                  const std::string& otherwise = "/data of the input");

struct StoredSamples {
    // A mask whose trials each begin with ones and end with zeros stands in `lengths`; any other
    // one weighs the loss, and bounds no trial.
    assay::network::Samples samples;
    std::string where;
    std::string digest; // of inputs and lengths
    // states beside the inputs (trial x time x unit), where there are any
    std::optional<assay::hdf5::Dataset> states;
};
// The samples of --data, or of the /data the input carries; empty where there are none.
std::optional<StoredSamples> load_samples(assay::cli::Context& context, const DataOptions& o);
// One split of a group of splits (`split` "": test, or the only one), or the group itself.
StoredSamples read_samples(const assay::hdf5::Group& group, std::string split,
                           assay::Monitor& monitor);

struct Trials {
    assay::network::Samples samples;
    assay::fixedpoints::Trajectories trajectories;
    std::string digest; // of all samples, run or not
    std::string where;
};
// A network on samples. `most` > 0 bounds their number: every so-manyeth is taken; most < 0: as
// many as 2 GB of states hold. Warns where stored states are others than these, unless there is
// noise.
Trials run_samples(const StoredSamples& stored, const assay::fixedpoints::Dynamics& dynamics,
                   assay::Index most, const assay::Execution& execution, double noise = 0,
                   std::uint64_t seed = 0);
std::optional<Trials> load_trials(assay::cli::Context& context, const DataOptions& o,
                                  const assay::fixedpoints::Dynamics& dynamics,
                                  assay::Index most = 0, double noise = 0, std::uint64_t seed = 0);
// Distance of every point to the nearest valid state of all samples, which are run block by block.
assay::Vector distance_to_samples(const assay::RowMatrix& points, const StoredSamples& stored,
                                  const assay::fixedpoints::Dynamics& dynamics,
                                  const assay::Execution& execution);

// How well a network does what the samples' targets ask for; NaN where they ask for nothing. `loss`
// "": mse, of classes the cross entropy.
struct Judgement {
    double loss = std::numeric_limits<double>::quiet_NaN(), accuracy = loss;
};
bool have_targets(const assay::network::Samples& samples);
Judgement judge(const assay::network::Model& model, const assay::network::Samples& samples,
                const std::string& loss, const assay::Execution& execution);

// /fixedpoints/find of the input; a digest of another model is refused.
assay::fixedpoints::FoundPoints load_points(assay::cli::Context& context,
                                            const LoadedNetwork& network);

} // namespace fixedpoints_app
