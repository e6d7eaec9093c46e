// Options and steps that the subcommands of cnmf share: a recording as input, its mask, the engine,
// a model.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/cnmf/cnmf_io.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/formats/recording_file.hpp>

#include <memory>
#include <string>

namespace cnmf_app {

struct DataOptions {
    assay::formats::RecordingOptions recording;
    assay::cnmf::EngineChoice engine;
    double hold_out = 0;
    std::int64_t hold_out_block = 1;
};

// Where the numbers are and how to read them.
void declare_recording(assay::cli::Command& command, DataOptions& options);
// Mask, missing values and engine, for what fits a model.
void declare_data(assay::cli::Command& command, DataOptions& options);
void declare_hold_out(assay::cli::Command& command, DataOptions& options);
// Penalties, loss, algorithm and stopping.
void declare_fit(assay::cli::Command& command, assay::cnmf::FitOptions& options);

// A recording ready for the library; keep it alive while its parts are used.
struct Loaded {
    assay::formats::OpenedRecording opened;
    assay::cnmf::Mask excluded;
    std::unique_ptr<assay::Recording> masked;
    std::unique_ptr<assay::cnmf::Data> data;
    [[nodiscard]] const assay::Recording& recording() const {
        return masked ? *masked : *opened.recording;
    }
    [[nodiscard]] assay::cnmf::ModelFacts facts() const;
};

[[nodiscard]] assay::formats::OpenedRecording open_input(assay::cli::Context& context,
                                                         assay::formats::RecordingOptions options);
// Opens, excludes what the mask or NaN exclude, surveys.
[[nodiscard]] Loaded load(assay::cli::Context& context, const DataOptions& options,
                          assay::Index lags);
// A digest of all files read so far.
[[nodiscard]] std::string inputs_digest(const assay::cli::Context& context);

struct LoadedModel {
    assay::cnmf::Model model;
    assay::cnmf::ModelFacts facts;
    assay::Vector loadings; // empty where the group holds none
};
// FILE[:/group]; an empty text means the input's file. Default group /cnmf/fit.
[[nodiscard]] LoadedModel load_model(assay::cli::Context& context, const std::string& address);
[[nodiscard]] LoadedModel load_model(assay::cli::Context& context,
                                     const assay::hdf5::Address& address);
// Data for a model: scaled unit by unit as those of its fit were (in place of --scale).
[[nodiscard]] DataOptions scaled_as(const DataOptions& options, const LoadedModel& fitted);
void need_activations(const LoadedModel& loaded);
// Throws Error where model and recording have different units.
void check_units(const assay::cnmf::Model& model, const assay::Recording& recording);

} // namespace cnmf_app
