// Sweeps in HDF5: a plan (which settings to try) and the table of what came out.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/training/config.hpp>
#include <assay/training/sweep.hpp>

#include <map>
#include <string>
#include <vector>

namespace assay::training {

struct SweepPlan {
    std::string base;    // configuration, JSON
    std::string space;   // search space, JSON
    std::string sampler; // grid, random, sobol, tpe
    std::uint64_t seed = 0;
    Index repeats = 1; // seeds a trial
    Index first = 1;   // number of the first trial
    std::vector<TrialPoint> points;
    std::vector<Override> changes; // of the base, by who runs the trials; not in the plan's file
};

// What became of a run. A divergence is a result; a failure is not: it is tried again.
enum class RunStatus { finished, diverged, failed, missing };
[[nodiscard]] ASSAY_API std::string status_name(RunStatus status);
// Throws Error for another word.
[[nodiscard]] ASSAY_API RunStatus status_of(const std::string& word);

// What is known of one run of one trial.
struct SweepRow {
    Index trial = 0, repeat = 0;
    TrialPoint values;
    double loss = 0, eval_loss = 0, eval_accuracy = 0; // NaN: diverged or not measured
    RunStatus status = RunStatus::missing;
    // Not part of the table:
    std::string file;    // of its run, in the folder of results
    std::string message; // why it did not finish
};

struct SweepTable {
    SweepPlan plan;             // without points
    std::vector<SweepRow> rows; // finished or diverged
    Index last_trial = 0;       // of all that were planned or run
};

ASSAY_API void write_plan(hdf5::Group group, const SweepPlan& plan);
[[nodiscard]] ASSAY_API SweepPlan read_plan(const hdf5::Group& group);
// The table `status` of all runs, one row a run; and how many are missing as an attribute.
ASSAY_API void write_status(hdf5::Group group, const std::vector<SweepRow>& runs);
// The table, scores of trials, marginal curves, robustness (NaN unless scores are accuracies), best
// trial.
ASSAY_API void write_table(hdf5::Group group, const SweepTable& table);
[[nodiscard]] ASSAY_API SweepTable read_table(const hdf5::Group& group);

// Where the runs of a table stand and what tells them apart, so that others can use them as a list
// of networks: the table `runs`, one row a run. `results` is their folder, relative to the file's.
ASSAY_API void write_runs(hdf5::Group group, const SweepTable& table, const std::string& results);
struct SweepRuns {
    std::string results;
    std::vector<std::string> files;
    // trial, repeat, seed, and every setting by the last part of its path (the whole path where two
    // would be called alike); of a model "gru:64:relu" also arch, units and activation.
    std::vector<std::map<std::string, std::string>> labels;
};
// Throws Error where the file was collected without them.
[[nodiscard]] ASSAY_API SweepRuns read_runs(const hdf5::Group& group);

// Higher is better: accuracy where it was measured, else minus the loss; NaN where a run diverged.
[[nodiscard]] ASSAY_API double score_of(const SweepRow& row);
// Mean score of each trial over its repeats (NaN where one diverged), with its values.
struct TrialScore {
    Index trial = 0;
    TrialPoint values;
    double score = 0;
};
[[nodiscard]] ASSAY_API std::vector<TrialScore> trial_scores(const std::vector<SweepRow>& rows);
// Scores of the same trials in several folders: a row a folder, a column a trial that any has,
// ascending; NaN where a folder has no result. Throws Error where a trial's settings are not the
// same everywhere; `names` are the folders'.
struct TransferTable {
    std::vector<Index> trials;
    RowMatrix score;
};
[[nodiscard]] ASSAY_API TransferTable transfer_table(const std::vector<std::vector<SweepRow>>& rows,
                                                     const std::vector<std::string>& names);
// The configuration of one run: base, its changes, the trial's settings, seed + repeat. A built-in
// task has the run's seed too, unless base or settings give it one.
[[nodiscard]] ASSAY_API TrainingConfig trial_config(const SweepPlan& plan, const TrialPoint& point,
                                                    Index repeat);

} // namespace assay::training
