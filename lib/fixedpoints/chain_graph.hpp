// The chain of points over a family of inputs (Maheswaranathan et al. 2019b): where one point an
// input moves smoothly, a simple path.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/points.hpp>

#include <array>
#include <vector>

namespace assay::fixedpoints {

// Points of neighbouring inputs, each joined with its nearest on either side.
struct Chain {
    std::vector<std::array<Index, 2>> edges; // rows of the points, each once, the lower input first
    std::vector<double> distance;
    bool simple = false; // one path through one point of every input
};

// Of the nodes (Points::nodes); neighbours in the order of input ids.
[[nodiscard]] ASSAY_API Chain chain_graph(const Points& points);

} // namespace assay::fixedpoints
