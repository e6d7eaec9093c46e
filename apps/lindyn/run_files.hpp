// The runs that theory is compared with, from whatever they were kept in: run files of checkpoint
// train and lindyn simulate, one model file a checkpoint, stored maps; and the clock of each.
#pragma once

#include "clock.hpp"
#include "model_input.hpp"
#include "problem_input.hpp"

#include <assay/lindyn/comparison_io.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lindyn_app {

struct RunOptions {
    std::string data, split = "train";
    std::string held_out = "auto";   // a split; auto, none
    std::vector<assay::Index> steps; // of model files; empty: the numbers in their names
    assay::Index epoch_steps = 1;    // updates in one unit of those numbers
    ClockOptions clock;
    ProblemOptions problem;
    tools::ModelFileOptions files;
};

void declare_runs(assay::cli::Command& c, RunOptions& o);

struct RunToCompare {
    std::string name;
    assay::lindyn::Problem problem;
    std::optional<assay::lindyn::KnownMap> known;  // behind the targets
    std::optional<assay::lindyn::Statistics> held; // of held-out samples
    std::unique_ptr<assay::lindyn::RunSource> source;
    assay::Vector times; // the flow's time at each checkpoint; empty: not known
    Clock clock;
    int depth = 2;          // of a network that is no linear one
    std::string why_fitted; // empty: a linear network
};

// All inputs: run files and stored maps are a run each, model files are the checkpoints of one.
// Throws Error that names the file.
std::vector<RunToCompare> open_runs(assay::cli::Context& context, const RunOptions& o);

} // namespace lindyn_app
