// Distances between all pairs of many networks, computed whole or in shards: which pairs a shard
// holds, the matrix it fills, and the checked merge. Networks stand in blocks of consecutive
// numbers; a shard takes a run of the pairs of blocks, so that it needs few of the networks.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <functional>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// Shard `index` (1 ... count) of `count`.
struct Shard {
    Index index = 1, count = 1;
};

struct BlockPair {
    Index row = 0, column = 0; // row <= column
};

struct PairwiseDistances {
    Matrix distance;               // M x M, symmetric, 0 on the diagonal; NaN: in another shard
    std::vector<Index> dimensions; // M: kept of each network (svcca ...); 0: unknown to this shard
    std::string description;       // metric and options, as a command line has them
    Shard shard;
};

// An empty result. Throws Error on a shard that does not exist.
[[nodiscard]] ASSAY_API PairwiseDistances no_distances(Index networks, const Shard& shard,
                                                       std::string description);

// The pairs of blocks of one shard, ordered by row, then column; sizes differ by at most 1.
[[nodiscard]] ASSAY_API std::vector<BlockPair> block_pairs(Index blocks, const Shard& shard);

// `distance(i, j)`, i < j, of the shard's pairs of `networks`, in parallel (it must be safe to call
// from several threads). `block` networks form a block; all shards must use the same.
[[nodiscard]] ASSAY_API PairwiseDistances pairwise_distances(
    Index networks, const std::function<double(Index, Index)>& distance,
    const std::string& description, const Shard& shard, const Execution& run, Index block = 64);

// The whole from all its shards, in any order. Throws Error where a shard is missing or twice, was
// run with other options or other networks, and where pairs are missing or given twice.
[[nodiscard]] ASSAY_API PairwiseDistances
merge_distances(const std::vector<PairwiseDistances>& shards);

} // namespace assay::fixedpoints
