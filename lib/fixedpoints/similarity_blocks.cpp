#include <assay/fixedpoints/similarity_blocks.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <list>
#include <mutex>
#include <tuple>
#include <vector>

namespace assay::fixedpoints {
namespace {

constexpr Index kBlockColumns = 4096;  // features of a block, about
constexpr Index kProductColumns = 512; // of a block that are multiplied together by one thread

struct Block {
    Index index = 0, first = 0;
    Matrix stack;                         // T x sum of features
    std::vector<Index> offset;            // of each network in the stack, and the end
    std::vector<Representation> networks; // without their features
    [[nodiscard]] Index count() const { return static_cast<Index>(networks.size()); }
    [[nodiscard]] Index begin(Index network) const {
        return offset[static_cast<std::size_t>(network)];
    }
    [[nodiscard]] Index width(Index network) const { return begin(network + 1) - begin(network); }
    [[nodiscard]] std::int64_t bytes() const {
        return static_cast<std::int64_t>(stack.size()) * static_cast<std::int64_t>(sizeof(double));
    }
};

Block stacked_block(Index index, Index first, std::vector<Representation> networks) {
    Block block;
    block.index = index;
    block.first = first;
    block.offset.push_back(0);
    for (const auto& network : networks)
        block.offset.push_back(block.offset.back() + network.features.cols());
    block.stack.resize(networks.front().samples, block.offset.back());
    for (std::size_t i = 0; i < networks.size(); ++i) {
        block.stack.middleCols(block.offset[i], networks[i].features.cols()) = networks[i].features;
        networks[i].features.resize(0, 0);
    }
    block.networks = std::move(networks);
    return block;
}

// Reads and prepares blocks, and keeps those used last within a number of bytes.
class BlockCache {
  public:
    BlockCache(const Networks& read, const SimilarityOptions& options, const Execution& run,
               std::int64_t memory)
        : read_(read), options_(options), run_(run), memory_(memory) {}

    [[nodiscard]] Representation prepare(Index network) {
        return at_place(concat("network ", network), [&] {
            RowMatrix activations;
            {
                const std::lock_guard<std::mutex> one_at_a_time(reading_);
                activations = read_(network);
            }
            return represent(activations, options_);
        });
    }
    // Valid until the second call after this one.
    [[nodiscard]] const Block& block(Index index, const Blocks& blocks) {
        const auto found = std::find_if(held_.begin(), held_.end(),
                                        [&](const Block& held) { return held.index == index; });
        if (found != held_.end()) {
            held_.splice(held_.begin(), held_, found);
        } else {
            forget(std::max(memory_ - largest_, std::int64_t{0}));
            held_.push_front(load(index, blocks));
            largest_ = std::max(largest_, held_.front().bytes());
        }
        return held_.front();
    }

  private:
    // Keeps the one used last, and others while they fit.
    void forget(std::int64_t memory) {
        std::int64_t bytes = 0;
        for (const Block& block : held_) bytes += block.bytes();
        while (held_.size() > 1 && bytes > memory) {
            bytes -= held_.back().bytes();
            held_.pop_back();
        }
    }
    Block load(Index index, const Blocks& blocks) {
        std::vector<Representation> networks(static_cast<std::size_t>(blocks.extent(index)));
        parallel_blocks(blocks.extent(index), run_.threads, [&](Index i) {
            run_.monitor->stop_if_interrupted();
            networks[static_cast<std::size_t>(i)] = prepare(blocks.begin(index) + i);
        });
        if (samples_ == 0) samples_ = networks.front().samples;
        for (std::size_t i = 0; i < networks.size(); ++i)
            if (networks[i].samples != samples_)
                throw Error(concat("compare: network ", blocks.begin(index) + static_cast<Index>(i),
                                   " has ", networks[i].samples, " samples, others ", samples_,
                                   ": networks must see the same inputs"));
        return stacked_block(index, blocks.begin(index), std::move(networks));
    }

    const Networks& read_;
    const SimilarityOptions& options_;
    const Execution& run_;
    std::int64_t memory_, largest_ = 0;
    Index samples_ = 0;
    std::list<Block> held_; // used last first
    std::mutex reading_;
};

// Networks begin ... end - 1 of a block.
struct NetworkRange {
    Index begin = 0, end = 0;
};

// What is multiplied together: runs of networks of about kProductColumns features.
std::vector<NetworkRange> product_groups(const Block& block) {
    std::vector<NetworkRange> groups;
    for (Index begin = 0; begin < block.count(); begin = groups.back().end) {
        Index end = begin + 1, width = block.width(begin);
        while (end < block.count() && width + block.width(end) <= kProductColumns)
            width += block.width(end++);
        groups.push_back({begin, end});
    }
    return groups;
}

// All pairs of the networks of one block with a group of another (or the same) that comes later.
void compare_group(const Block& rows, const Block& columns, const NetworkRange& group,
                   const SimilarityOptions& options, Matrix& distances) {
    const Index left = columns.begin(group.begin), width = columns.begin(group.end) - left;
    const bool same = rows.first == columns.first;
    const Index last_row = same ? group.end : rows.count(); // of the same block only pairs i < j
    const Matrix product = rows.stack.leftCols(rows.begin(last_row)).transpose() *
                           columns.stack.middleCols(left, width);
    for (Index j = group.begin; j < group.end; ++j)
        for (Index i = 0; i < (same ? j : last_row); ++i) {
            const auto pair = product.block(rows.begin(i), columns.begin(j) - left, rows.width(i),
                                            columns.width(j));
            const Index a = rows.first + i, b = columns.first + j;
            distances(a, b) = distances(b, a) =
                distance(rows.networks[static_cast<std::size_t>(i)],
                         columns.networks[static_cast<std::size_t>(j)], pair, options);
        }
}

void note_dimensions(const Block& block, std::vector<Index>& dimensions) {
    for (Index i = 0; i < block.count(); ++i)
        dimensions[static_cast<std::size_t>(block.first + i)] =
            block.networks[static_cast<std::size_t>(i)].dimensions;
}

// Pairs in an order that reads few blocks twice: `held` rows of blocks stay in memory while the
// columns pass by once.
void order_for_memory(std::vector<BlockPair>& pairs, Index held) {
    std::sort(pairs.begin(), pairs.end(), [held](const BlockPair& a, const BlockPair& b) {
        return std::make_tuple(a.row / held, a.column, a.row) <
               std::make_tuple(b.row / held, b.column, b.row);
    });
}

std::string describe(const SimilarityOptions& options) {
    switch (options.metric) {
    case Metric::svcca:
    case Metric::pwcca:
        return metric_name(options.metric) + " --threshold " + shortest(options.threshold);
    case Metric::shape:
        return metric_name(options.metric) + " --alpha " + shortest(options.alpha);
    default:
        return metric_name(options.metric);
    }
}

} // namespace

PairwiseDistances pairwise_distances(Index count, const Networks& read,
                                     const SimilarityOptions& options, const Shard& shard,
                                     const Execution& run, const BlockOptions& limits) {
    if (limits.networks < 1)
        throw Error(concat("blocks of ", limits.networks, " networks: must be at least 1"));
    PairwiseDistances result = no_distances(count, shard, describe(options));
    if (count == 0) return result;
    BlockCache cache(read, options, run, limits.memory);
    const Representation first = cache.prepare(0);
    const Index width = first.features.cols();
    const Blocks blocks{count, std::clamp<Index>(kBlockColumns / width, 1, limits.networks)};
    const std::int64_t block_bytes = static_cast<std::int64_t>(sizeof(double)) * first.samples *
                                     width * std::min(blocks.length, count);
    std::vector<BlockPair> pairs = block_pairs(blocks.count(), shard);
    order_for_memory(pairs, std::max<Index>(limits.memory / block_bytes - 1, 1));
    for (std::size_t p = 0; p < pairs.size(); ++p) {
        run.monitor->stop_if_interrupted();
        run.monitor->progress(
            {static_cast<double>(p), static_cast<double>(pairs.size()), "pairs of blocks", ""});
        const Block& rows = cache.block(pairs[p].row, blocks);
        const Block& columns = cache.block(pairs[p].column, blocks);
        note_dimensions(rows, result.dimensions);
        note_dimensions(columns, result.dimensions);
        const std::vector<NetworkRange> groups = product_groups(columns);
        parallel_blocks(static_cast<Index>(groups.size()), run.threads, [&](Index g) {
            compare_group(rows, columns, groups[static_cast<std::size_t>(g)], options,
                          result.distance);
        });
    }
    return result;
}

} // namespace assay::fixedpoints
