// What a graph of points tells of its own gaps. Where all connections are transversal and nothing
// turns in cycles (a Morse-Smale system), two laws hold: of p -> q and q -> r follows p -> r; and
// the boundary of a boundary is empty (Morse homology modulo 2): from a point to one of two
// dimensions less, an even number of ways lead over the points between.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <array>
#include <vector>

namespace assay::fixedpoints {

struct Edge;

struct GraphGaps {
    std::vector<std::array<Index, 2>> implied; // p, r: by the first law, but no edge
    std::vector<std::array<Index, 2>> odd;     // p, r: an odd number of ways
    [[nodiscard]] bool none() const { return implied.empty() && odd.empty(); }
};

// `unstable`: dimensions of each point. An edge counts as one orbit, but for those of points with
// one or two dimensions to points of one less, whose orbits were counted. O(edges^2 / points).
[[nodiscard]] ASSAY_API GraphGaps find_gaps(const std::vector<Edge>& edges,
                                            const std::vector<Index>& unstable);

} // namespace assay::fixedpoints
