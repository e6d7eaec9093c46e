// Where the networks and data of a command come from, the same in every tool: model files of any
// kind, runs, streams, and groups of splits.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/formats/model_file.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/config.hpp>
#include <assay/training/preprocessing.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tools {

// How to read other people's model files.
struct ModelFileOptions {
    std::string architecture;      // FILE.json
    std::string architecture_text; // JSON that stands in where no file is named; no option
    std::string key, cell, keras_backend, keras1_bn;
    double forget_bias = 1;
    std::vector<std::string> treat; // NAME=FUNCTION
};

void declare_model_file(assay::cli::Command& c, ModelFileOptions& o);
assay::formats::OpenedModel open_model(assay::cli::Context& context,
                                       const assay::hdf5::Address& address,
                                       const ModelFileOptions& o,
                                       const std::string& checkpoint = "");
// The same through an opener of one's own: nothing of the file is carried into the output.
assay::formats::OpenedModel open_model(const assay::formats::Opener& opener,
                                       const assay::hdf5::Address& address,
                                       const ModelFileOptions& o, const std::string& checkpoint,
                                       assay::Monitor& monitor);
std::string read_text_file(const std::string& file);

// The splits of a group (FILE[:/data], default /data).
assay::hdf5::Group data_group(assay::cli::Context& context, const assay::hdf5::Address& address);
assay::hdf5::Group data_group(const assay::hdf5::InputFile& file,
                              const assay::hdf5::Address& address);
std::optional<assay::network::Samples> read_split(const assay::hdf5::Group& data,
                                                  const std::string& split);
// How much of the splits to come may be in memory, and where the rest goes.
struct MemoryUse {
    double bytes = 0;
    std::string directory = {}; // for temporary files
};
// A share of --memory (0: its default) where so many users run at once.
MemoryUse memory_use(const assay::cli::Context& context, std::int64_t memory,
                     std::int64_t shares = 1);
// The same split read as it is needed; null where there is none. What it takes is taken off
// `memory`.
std::shared_ptr<const assay::network::SampleSource>
open_split(const assay::hdf5::Group& data, const std::string& split, MemoryUse& memory);

// What a file's run, if it holds one, says of its training.
struct RunWords {
    assay::training::TrainingConfig config;
    assay::training::Preprocessing preprocessing;
    std::string data_digest;
};
std::optional<RunWords> run_words(assay::cli::Context& context,
                                  const assay::hdf5::Address& address);
// A split of `data` (or `data` itself, where it holds the inputs) as the run saw it: its own part
// where it held one out, scaled and standardised. `run` null: as it is. Warns where `data` are not
// those that the run held a part out of. Throws Error where there is no such split.
assay::network::Samples run_samples(const assay::hdf5::Group& data, const std::string& split,
                                    const RunWords* run, assay::Monitor& monitor);
// The same, read as it is needed.
std::shared_ptr<const assay::network::SampleSource>
run_source(const assay::hdf5::Group& data, const std::string& split, const RunWords* run,
           MemoryUse memory, assay::Monitor& monitor);

// An option that may stand more than once.
void add_repeated(assay::cli::Command& c, const std::string& name, std::vector<std::string>& target,
                  const std::string& value, const std::string& description);

} // namespace tools
