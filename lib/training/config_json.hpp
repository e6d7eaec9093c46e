// The resolved configuration of a training run as JSON: what reproduces the run, and what must not
// differ where one goes on.
#pragma once

#include <assay/core/export.hpp>
#include <assay/training/config.hpp>

#include <string>
#include <vector>

namespace assay::training {

// Every key, resolved; equal configurations give equal text.
[[nodiscard]] ASSAY_API std::string config_json(const TrainingConfig& config);
// Dotted paths at which two resolved configurations differ, apart from those that may change on
// resuming (steps, epochs, checkpoints, metrics.every, evaluate, stop).
[[nodiscard]] ASSAY_API std::vector<std::string> differences(const std::string& resolved,
                                                             const std::string& other);

} // namespace assay::training
