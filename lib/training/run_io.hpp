// Training runs in HDF5: /run with checkpoints, metrics and the state for resuming, and /model, the
// last checkpoint. While a run goes on every checkpoint is a small file of its own, for an HDF5
// file does not survive being killed while it is written; the run file is assembled at the end.
// Arrays are written from where they stand.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/task.hpp>
#include <assay/training/trainer.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::training {

// What a run is, for its file and for those who would resume it.
struct RunDescription {
    std::string config;      // resolved
    std::string data;        // where the data came from, for messages
    std::string data_digest; // of the training split as it was read
    Preprocessing preprocessing;
};

// Name, in a run's folder, of the run file of what stood when it diverged.
inline constexpr const char* kDivergedRun = "diverged.h5";

// The resolved configuration of the run whose state RunFolder::resume would find; nothing where
// there is none.
[[nodiscard]] ASSAY_API std::optional<std::string> saved_configuration(const std::string& folder,
                                                                       const hdf5::Group* earlier);

class ASSAY_API RunFolder : public RunSink {
  public:
    // `folder` empty: kept in memory, lost with the program.
    RunFolder(std::string folder, RunDescription description);

    // The newest intact state, of this folder or else of an earlier run file (`earlier`, may be
    // null). Throws Error naming the keys that differ where it belongs to another configuration,
    // and both digests where the training data have changed.
    [[nodiscard]] std::optional<RunState> resume(const hdf5::Group* earlier);

    void checkpoint(const RunCheckpoint& checkpoint) override;
    void state(const RunState& state) override;

    // Writes /model and /run; /run/state where the result has its arrays. `earlier` as for resume.
    void assemble(hdf5::Group root, const RunResult& result, const hdf5::Group* earlier,
                  bool with_timing) const;
    // Files of the folder, to be removed once the run file has its name.
    [[nodiscard]] std::vector<std::string> files() const;

  private:
    [[nodiscard]] std::string part(Index step) const;
    void check_same(const hdf5::Group& saved, const std::string& where) const;
    [[nodiscard]] const RunCheckpoint* kept(Index step) const; // in memory, or null
    // The root of the file that has a checkpoint which is not in memory.
    [[nodiscard]] hdf5::Group holder(Index step, const hdf5::Group* earlier) const;
    void write_model(hdf5::Group group, const RunResult& result, const hdf5::Group* earlier) const;
    std::string folder_;
    RunDescription run_;
    std::vector<RunCheckpoint> kept_; // without a folder, with numbers
};

// `run` is /run, where the group `preprocessing` holds what was done to the data, if anything.
[[nodiscard]] ASSAY_API Preprocessing read_preprocessing(const hdf5::Group& run);
// Steps of a run's checkpoints, ascending. Throws Error where there is none.
[[nodiscard]] ASSAY_API std::vector<Index> run_steps(const hdf5::Group& run);
// "000001000".
[[nodiscard]] ASSAY_API std::string step_name(Index step);
// Which of `steps` a specification names: last, all, a list "0,100", or log:N. Throws UsageError.
[[nodiscard]] ASSAY_API std::vector<Index> choose_steps(const std::vector<Index>& steps,
                                                        const std::string& specification);
// The checkpoint with the architecture of /model.
[[nodiscard]] ASSAY_API network::Model read_checkpoint(const hdf5::Group& root, Index step);

// /truth of a task, and a split of its samples.
ASSAY_API void write_truth(hdf5::Group group, const Task& task);
ASSAY_API void write_task_samples(hdf5::Group data, const Task& task, const std::string& split,
                                  Index count, Stream stream, network::Storage storage);

} // namespace assay::training
