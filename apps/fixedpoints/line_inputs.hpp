// What the subcommands on line attractors read beside network and points: eigen-systems, the lines,
// trials with labels, words.
#pragma once

#include "inputs.hpp"

#include <assay/fixedpoints/line_io.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fixedpoints_app {

// Points of the input; throws where there are none.
assay::fixedpoints::FoundPoints need_points(assay::cli::Context& context,
                                            const LoadedNetwork& network);

// Eigen-systems of all points with `modes` vectors or more: those of linearize, in its order, where
// the input has them; else by falling magnitude.
std::vector<assay::fixedpoints::EigenSystem>
load_systems(assay::cli::Context& context, const LoadedNetwork& network,
             const assay::fixedpoints::FoundPoints& found, assay::Index modes);

// Lines of `attractor`; throws where it has not run.
assay::fixedpoints::LineFrame load_lines(assay::cli::Context& context,
                                         const assay::fixedpoints::FoundPoints& found);

// --data, --split and --trials.
struct TrialOptions {
    DataOptions data;
    assay::Index trials = -1;
};
void declare_trials(assay::cli::Command& c, TrialOptions& o);
Trials need_trials(assay::cli::Context& context, const TrialOptions& o,
                   const LoadedNetwork& network);

// One label a trial: its class, that of its last valid step where every step has one, or a single
// target of 0 or 1. Empty where there are none.
std::vector<std::int32_t> labels_of(const assay::network::Samples& samples);

// Rows of FILE:/path, as the data have steps of input: probes, or token ids in one column.
assay::RowMatrix read_inputs(assay::cli::Context& context, const std::string& option,
                             const std::string& text, assay::Index width, assay::Index vocabulary);

} // namespace fixedpoints_app
