// Which steps of a training run are kept as checkpoints.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <string>
#include <vector>

namespace assay::training {

// Which steps are kept: every K, log N, decade N, pow2 K, or a list.
struct CheckpointSettings {
    std::string kind = "log";
    Index number = 32;
    std::vector<Index> list;
};

// The steps of a run of `total` steps that are kept: always 0 and `total`, ascending. `horizon`:
// the steps that log N are spread over, going on beyond them; 0: all.
[[nodiscard]] ASSAY_API std::vector<Index> checkpoint_steps(const CheckpointSettings& settings,
                                                            Index total, Index horizon = 0);
// "every:100", "log:32", "pow2", "list:1,5,25". Throws UsageError.
[[nodiscard]] ASSAY_API CheckpointSettings parse_checkpoints(const std::string& text);
} // namespace assay::training
