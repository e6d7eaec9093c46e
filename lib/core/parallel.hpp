// Deterministic parallel loops. Work is cut by shape only, each block writes its own slot, and sums
// run over fixed lanes in a fixed order; so results have the same bits for every number of threads.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <functional>
#include <vector>

namespace assay {

// Calls body(0) ... body(count-1) on up to `threads` threads, in any order. Bodies must not write
// shared data. If bodies throw, the exception of the lowest block is rethrown after all have ended.
ASSAY_API void parallel_blocks(Eigen::Index count, int threads,
                               const std::function<void(Eigen::Index)>& body);

// Sums `terms` pairwise in a fixed tree: ((0+1)+(2+3))+...  Returns an empty T for no terms.
template <class T>
[[nodiscard]] T tree_sum(std::vector<T> terms) {
    if (terms.empty()) return T{};
    for (std::size_t stride = 1; stride < terms.size(); stride *= 2)
        for (std::size_t i = 0; i + stride < terms.size(); i += 2 * stride)
            terms[i] += terms[i + stride];
    return std::move(terms.front());
}

// Splits [0, size) into pieces of `length`; the last may be shorter.
struct Blocks {
    Eigen::Index size = 0;
    Eigen::Index length = 1;
    [[nodiscard]] Eigen::Index count() const { return (size + length - 1) / length; }
    [[nodiscard]] Eigen::Index begin(Eigen::Index block) const { return block * length; }
    [[nodiscard]] Eigen::Index extent(Eigen::Index block) const {
        return std::min(length, size - block * length);
    }
};

} // namespace assay
