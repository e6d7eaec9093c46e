// What every subcommand reads: the network, the trials it runs on, and the points found before.
#pragma once

#include "model_input.hpp"

#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <optional>
#include <string>

namespace fixedpoints_app {

// --layer, --checkpoint and how to read model files.
struct NetworkOptions {
    std::string layer, checkpoint;
    tools::ModelFileOptions files;
};
void declare_network(assay::cli::Command& c, NetworkOptions& o);

struct LoadedNetwork {
    assay::network::Model model;
    assay::fixedpoints::Dynamics dynamics;
    std::string digest; // of architecture and weights
    bool in_own_form;   // the input carries this very model as /model
};
// The network of the command's input. Errors name the file.
LoadedNetwork load_network(assay::cli::Context& context, const NetworkOptions& o,
                           const assay::hdf5::Address& address);
// Writes the model where the output would not carry it forward by itself, so that the next step
// needs no other file.
void pass_on(assay::cli::Context& context, const LoadedNetwork& network);

// --data and --split.
struct DataOptions {
    std::string data, split;
};
void declare_data(assay::cli::Command& c, DataOptions& o);

struct Trials {
    assay::network::Samples samples;
    assay::fixedpoints::Trajectories trajectories;
    std::string digest; // of inputs and lengths
    std::string where;
};
// The trials of --data, or of the /data the input carries; empty where there are none. `most` > 0
// bounds their number: every so-manyeth is taken; most < 0: as many as 2 GB of states hold.
std::optional<assay::network::Samples> load_samples(assay::cli::Context& context,
                                                    const DataOptions& o, std::string* where);
std::optional<Trials> load_trials(assay::cli::Context& context, const DataOptions& o,
                                  const assay::fixedpoints::Dynamics& dynamics,
                                  assay::Index most = 0, double noise = 0, std::uint64_t seed = 0);

// Runs the network on samples of `where`, after checking that they fit; the digest of what it saw.
assay::fixedpoints::Trajectories run_samples(assay::cli::Context& context,
                                             const assay::fixedpoints::Dynamics& dynamics,
                                             const assay::network::Samples& samples,
                                             const std::string& where, double noise = 0,
                                             std::uint64_t seed = 0);
// Digest of inputs and lengths.
std::string digest_of_inputs(const assay::network::Samples& samples);

// /fixedpoints/find of the input; a digest of another model is refused.
assay::fixedpoints::FoundPoints load_points(assay::cli::Context& context,
                                            const LoadedNetwork& network);

} // namespace fixedpoints_app
