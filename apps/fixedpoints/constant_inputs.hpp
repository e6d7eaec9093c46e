// Constant inputs by words, for find's --inputs and the ends of track's paths: zero, mean, each,
// value:v1,v2,..., FILE:/path, token:ID.
#pragma once

#include "inputs.hpp"

#include <optional>
#include <string>

namespace fixedpoints_app {

inline constexpr const char* kInputWords =
    "zero, mean, each, value:v1,v2,..., FILE:/path, token:ID";

// Rows (n x inputs) as the first cell sees them. `option` ("--inputs") names the text in errors;
// mean and each need trials.
assay::RowMatrix constant_inputs(const std::string& option, const std::string& text,
                                 assay::cli::Context& context,
                                 const assay::fixedpoints::Dynamics& dynamics,
                                 const std::optional<Trials>& trials);

// The dataset FILE:/path as `states` (no inputs): trial x step x column, where `lengths` beside it
// says how many steps of a trial count; else the last axis as columns, every row a trial of one
// step. What counts is finite.
assay::fixedpoints::Trajectories read_sequences(const std::string& option, const std::string& text,
                                                assay::cli::Context& context);

} // namespace fixedpoints_app
