#include <assay/fixedpoints/pairwise.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

void check_belongs(const PairwiseDistances& part, const PairwiseDistances& first) {
    if (part.shard.count != first.shard.count)
        throw Error(concat("merge: shard ", part.shard.index, " is one of ", part.shard.count,
                           ", shard ", first.shard.index, " one of ", first.shard.count));
    if (part.description != first.description)
        throw Error(concat("merge: shard ", part.shard.index, " was run with other options: ",
                           part.description, " against ", first.description));
    if (part.distance.rows() != first.distance.rows())
        throw Error(concat("merge: shard ", part.shard.index, " compares ", part.distance.rows(),
                           " networks, shard ", first.shard.index, " ", first.distance.rows()));
}

void check_complete(const std::vector<PairwiseDistances>& shards) {
    const Index count = shards.front().shard.count;
    std::vector<Index> seen(static_cast<std::size_t>(count), 0);
    for (const auto& part : shards) {
        check_belongs(part, shards.front());
        ++seen[static_cast<std::size_t>(part.shard.index - 1)];
    }
    for (Index i = 0; i < count; ++i) {
        const Index times = seen[static_cast<std::size_t>(i)];
        if (times == 0) throw Error(concat("merge: shard ", i + 1, " of ", count, " missing"));
        if (times > 1) throw Error(concat("merge: shard ", i + 1, " of ", count, " given twice"));
    }
}

// Of the pairs i < j only; mirrored afterwards.
void add_pairs(PairwiseDistances& whole, const PairwiseDistances& part) {
    for (Index j = 0; j < whole.distance.cols(); ++j)
        for (Index i = 0; i < j; ++i) {
            const double value = part.distance(i, j);
            if (std::isnan(value)) continue;
            if (!std::isnan(whole.distance(i, j)))
                throw Error(concat("merge: pair (", i, ", ", j, ") is in two shards"));
            whole.distance(i, j) = whole.distance(j, i) = value;
        }
    for (std::size_t i = 0; i < whole.dimensions.size(); ++i)
        if (part.dimensions[i] != 0) whole.dimensions[i] = part.dimensions[i];
}

} // namespace

PairwiseDistances no_distances(Index networks, const Shard& shard, std::string description) {
    if (shard.count < 1 || shard.index < 1 || shard.index > shard.count)
        throw Error(concat("shard ", shard.index, "/", shard.count, ": must be one of 1/",
                           shard.count, " ... ", shard.count, "/", shard.count));
    PairwiseDistances none;
    none.distance = Matrix::Constant(networks, networks, std::numeric_limits<double>::quiet_NaN());
    none.distance.diagonal().setZero();
    none.dimensions.assign(static_cast<std::size_t>(networks), 0);
    none.description = std::move(description);
    none.shard = shard;
    return none;
}

std::vector<BlockPair> block_pairs(Index blocks, const Shard& shard) {
    const Index pairs = blocks * (blocks + 1) / 2;
    const Index begin = pairs * (shard.index - 1) / shard.count;
    const Index end = pairs * shard.index / shard.count;
    std::vector<BlockPair> mine;
    Index position = 0;
    for (Index row = 0; row < blocks; ++row)
        for (Index column = row; column < blocks; ++column, ++position)
            if (position >= begin && position < end) mine.push_back({row, column});
    return mine;
}

PairwiseDistances pairwise_distances(Index networks,
                                     const std::function<double(Index, Index)>& distance,
                                     const std::string& description, const Shard& shard,
                                     const Execution& run, Index block) {
    PairwiseDistances result = no_distances(networks, shard, description);
    const Blocks blocks{networks, block};
    const std::vector<BlockPair> pairs = block_pairs(blocks.count(), shard);
    for (std::size_t p = 0; p < pairs.size(); ++p) {
        run.monitor->stop_if_interrupted();
        run.monitor->progress(
            {static_cast<double>(p), static_cast<double>(pairs.size()), "pairs of blocks", ""});
        const Index first_row = blocks.begin(pairs[p].row);
        parallel_blocks(blocks.extent(pairs[p].column), run.threads, [&](Index offset) {
            const Index j = blocks.begin(pairs[p].column) + offset;
            for (Index i = first_row; i < std::min(j, first_row + blocks.extent(pairs[p].row)); ++i)
                result.distance(i, j) = result.distance(j, i) = distance(i, j);
        });
    }
    return result;
}

PairwiseDistances merge_distances(const std::vector<PairwiseDistances>& shards) {
    if (shards.empty()) throw Error("merge: no shards given");
    check_complete(shards);
    PairwiseDistances whole =
        no_distances(shards.front().distance.rows(), Shard{}, shards.front().description);
    for (const auto& part : shards) add_pairs(whole, part);
    for (Index j = 0; j < whole.distance.cols(); ++j)
        for (Index i = 0; i < j; ++i)
            if (std::isnan(whole.distance(i, j)))
                throw Error(concat("merge: pair (", i, ", ", j, ") is in no shard"));
    return whole;
}

} // namespace assay::fixedpoints
