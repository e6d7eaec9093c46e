// All pairs of many networks by one activations-based metric, without holding all activations: the
// features of up to 64 networks stand side by side, so that a pair of blocks costs one matrix
// product, whatever the number of networks in them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/pairwise.hpp>
#include <assay/fixedpoints/similarity.hpp>

#include <cstdint>
#include <functional>

namespace assay::fixedpoints {

// Activations of network i (T x N_i); called by one thread at a time, possibly several times.
using Networks = std::function<RowMatrix(Index)>;

struct BlockOptions {
    Index networks = 64; // in a block, at most; all shards must use the same
    std::int64_t memory = std::int64_t{1} << 30; // bytes of features held (at least two blocks)
};

// All pairs i < j of the networks 0 ... count - 1, or those of a shard. A block has fewer networks
// where network 0 has more than 64 features. What `memory` cannot hold is read and prepared again:
// O(M) preparations where all features fit, O(M^2 / fitting) otherwise. A pair costs 2 T f^2 and
// the singular values of f x f. Memory besides: one network's activations and some 512 columns of
// products for each thread. Same bits for any number of threads and any memory. Throws Error on
// what `represent` refuses ("network 3: ..."), and where networks have different numbers of
// samples.
[[nodiscard]] ASSAY_API PairwiseDistances pairwise_distances(Index count, const Networks& read,
                                                             const SimilarityOptions& options,
                                                             const Shard& shard,
                                                             const Execution& run,
                                                             const BlockOptions& blocks = {});

} // namespace assay::fixedpoints
