// Where a command's networks and data come from: files of any kind, the stream, built-in tasks.
#pragma once

#include "model_input.hpp"

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/formats/model_file.hpp>
#include <assay/hdf5/tree.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/trainer.hpp>

#include <optional>
#include <string>
#include <vector>

namespace checkpoint_app {

using tools::add_repeated;
using tools::data_group;
using tools::declare_model_file;
using tools::memory_use;
using tools::MemoryUse;
using tools::ModelFileOptions;
using tools::open_model;
using tools::read_text_file;
using tools::run_source;
using tools::run_words;
using tools::RunWords;

// Of a built-in task: for evaluation, and for the next step of a pipe.
constexpr assay::Index kTaskTestSamples = 512;

// What --set changes, KEY=VALUE each. Throws UsageError.
std::vector<assay::training::Override> set_overrides(const std::vector<std::string>& words);

// The data that a configuration names, prepared; a built-in task gives its test split too.
// `memory`: for all splits together.
assay::training::TrainingData load_training_data(assay::training::TrainingConfig& c,
                                                 MemoryUse memory, assay::cli::Context& context);
// What a run's file and its state say of the run.
assay::training::RunDescription describe_run(const assay::training::TrainingConfig& c,
                                             const assay::training::TrainingData& data);
// How a run's numbers stand in its file.
assay::network::Storage storage_of(const assay::training::TrainingConfig& c);
// A run's file: /model and /run, and of a built-in task /data/test and /truth. `earlier`: the run
// that it goes on, or null.
void write_run(assay::hdf5::Group root, const assay::training::TrainingConfig& c,
               const assay::training::TrainingData& data, const assay::training::RunFolder& folder,
               const assay::training::RunResult& result, const assay::hdf5::Group* earlier,
               assay::hdf5::Timings timings);
// Fills the configuration's architecture, for sequences as long as the data's; returns the weights
// to start from, where init is "file": those of `repeated`, the root of a run, where that is given.
// `named_in`: the file whose key `model` is meant, or empty for the command line's: its mistakes
// are UsageErrors.
std::optional<assay::network::Model> load_network(const ModelFileOptions& files,
                                                  assay::training::TrainingConfig& c,
                                                  const assay::training::TrainingData& data,
                                                  const std::optional<assay::hdf5::Group>& repeated,
                                                  const std::string& named_in,
                                                  assay::cli::Context& context);

} // namespace checkpoint_app
