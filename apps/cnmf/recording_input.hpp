// Options and steps that the subcommands of cnmf share: a recording as input, its mask, the engine,
// a model.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/cli/state_file.hpp>
#include <assay/cnmf/cnmf_io.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/state_io.hpp>
#include <assay/core/keeping.hpp>
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

// Where the numbers are, and which stretch of the session is meant.
void declare_source(assay::cli::Command& command, assay::formats::RecordingOptions& options);
// The same, and how to read the numbers.
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
                                                         const assay::hdf5::Address& address,
                                                         const DataOptions& options);
// Opens, excludes what the mask or NaN exclude, surveys.
[[nodiscard]] Loaded load(assay::cli::Context& context, const DataOptions& options,
                          assay::Index lags);
// A digest of all files read so far.
[[nodiscard]] std::string inputs_digest(const assay::cli::Context& context);

// Which model is meant where none is named.
inline constexpr const char* kNewestModel = "newest of fit, transform and align in the input";

struct LoadedModel {
    assay::cnmf::Model model;
    assay::cnmf::ModelFacts facts;
    assay::Vector loadings;  // empty where the group holds none
    std::string data_digest; // of the data it was fitted to; empty where the group holds none
};

inline constexpr double kSaveEvery = 30; // seconds between states of interrupted work
// How the work of a subcommand is kept, once its inputs have been read. `file` must outlive it.
template <class State>
[[nodiscard]] assay::Keeping<State> keeping_in(assay::cli::StateFile& file) {
    return file.keeping<State>(assay::cnmf::read_packed<State>, assay::cnmf::write_packed<State>,
                               kSaveEvery);
}

// What FILE[:/group] names; an empty text means the input's file.
[[nodiscard]] assay::hdf5::Address model_address(const assay::cli::Context& context,
                                                 const std::string& address);
// The group named, or that of the newest model in the file.
[[nodiscard]] assay::hdf5::Group model_group(assay::cli::Context& context,
                                             const assay::hdf5::Address& address);
[[nodiscard]] LoadedModel load_model(assay::cli::Context& context, const std::string& address);
[[nodiscard]] LoadedModel load_model(assay::cli::Context& context,
                                     const assay::hdf5::Address& address);
// Data for a model: scaled unit by unit as those of its fit were (in place of --scale).
[[nodiscard]] DataOptions scaled_as(const DataOptions& options, const LoadedModel& fitted);
void need_activations(const LoadedModel& loaded);
// The components that --components names. Throws UsageError for one that the model lacks.
[[nodiscard]] std::vector<assay::Index> chosen_components(const std::vector<std::int64_t>& named,
                                                          assay::Index components);
// Throws Error where model and recording differ in the number of units; warns where their bins last
// differently or their units have other ids.
void check_belongs(const LoadedModel& fitted, const assay::Recording& recording,
                   assay::Monitor& monitor);

} // namespace cnmf_app
