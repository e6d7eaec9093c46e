// The ways that the weights of training runs take, seen in the plane in which they vary most.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/model.hpp>

#include <string>
#include <vector>

namespace assay::training {

struct WeightPaths {
    std::vector<RowMatrix> runs; // checkpoints x 2: scores along the two directions
    Vector variance_ratio; // 2: the share of each direction in the variance of all checkpoints
};

// Principal directions of all checkpoints of all runs together. Each run is a list of checkpoints
// of one architecture, all parameters counting alike; `names` are theirs, for messages. Throws
// Error where arrays differ or are not finite, or where there are fewer than two checkpoints.
// O(checkpoints^2 parameters).
[[nodiscard]] ASSAY_API WeightPaths weight_paths(
    const std::vector<std::vector<network::Model>>& runs, const std::vector<std::string>& names);

} // namespace assay::training
