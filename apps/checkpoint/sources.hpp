// Where a command's networks and data come from: files of any kind, the stream, built-in tasks.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/formats/model_file.hpp>
#include <assay/network/samples.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/trainer.hpp>

#include <optional>
#include <string>
#include <vector>

namespace checkpoint_app {

// Of a built-in task: for evaluation, and for the next step of a pipe.
constexpr assay::Index kTaskTestSamples = 512;

// How to read other people's model files.
struct ModelFileOptions {
    std::string architecture; // FILE.json
    std::string key, cell, keras_backend, keras1_bn;
    std::vector<std::string> treat; // NAME=FUNCTION
};

void declare_model_file(assay::cli::Command& c, ModelFileOptions& o);
assay::formats::OpenedModel open_model(assay::cli::Context& context,
                                       const assay::hdf5::Address& address,
                                       const ModelFileOptions& o,
                                       const std::string& checkpoint = "");
std::string read_text_file(const std::string& file);

// The splits of a group (FILE[:/data], default /data).
assay::hdf5::Group data_group(assay::cli::Context& context, const assay::hdf5::Address& address);
std::optional<assay::network::Samples> read_split(const assay::hdf5::Group& data,
                                                  const std::string& split);

// An option that may stand more than once.
void add_repeated(assay::cli::Command& c, const std::string& name, std::vector<std::string>& target,
                  const std::string& value, const std::string& description);

// The data that a configuration names, prepared; a built-in task gives its test split too.
assay::training::TrainingData load_training_data(assay::training::TrainingConfig& c,
                                                 assay::cli::Context& context);
// What a run's file and its state say of the run.
assay::training::RunDescription describe_run(const assay::training::TrainingConfig& c,
                                             const assay::training::TrainingData& data);
// Fills the configuration's architecture; returns the weights to start from, where init is "file".
// `named_in`: the file whose key `model` is meant, or empty for the command line's: its mistakes
// are UsageErrors.
std::optional<assay::network::Model> load_network(const ModelFileOptions& files,
                                                  assay::training::TrainingConfig& c,
                                                  const assay::training::TrainingData& data,
                                                  const std::string& named_in,
                                                  assay::cli::Context& context);

} // namespace checkpoint_app
