// Borders between basins: bisection between states of different fates, and the orbits on a border,
// which lead to the saddles that rule it. The straddle-orbit method of Battelino, Grebogi, Ott,
// Yorke and Yorke (1988): a pair of states on either side is followed until it parts, then bisected
// again, so that rounding does not limit how near a saddle is reached.
#pragma once

#include <assay/fixedpoints/flights.hpp>
#include <assay/fixedpoints/launch.hpp>

namespace assay::fixedpoints {

// Pairs of states whose fates differ.
struct Brackets {
    RowMatrix a, b;            // K x state size
    std::vector<Index> source; // the node that both lie near
    std::vector<Destination> to_a, to_b;
    [[nodiscard]] Index count() const { return static_cast<Index>(source.size()); }
};

// What every step of the search needs.
struct Surroundings {
    const Dynamics& dynamics;
    const Landscape& landscape;
    const FlightRules& rules;
    Cycles& cycles;
    Execution run;
};

// Halves every bracket up to `levels` times, all in one batch, until its width is 1e-13 (1 + |h|):
// what rounding in a step does to states. With `launches` (one a node) the states stay among the
// starts of their source, where the middle of two halves the angle of their directions. A middle of
// a third fate takes the place of b.
ASSAY_API void bisect(const Surroundings& around, Brackets& brackets, Index levels,
                      const std::vector<Launch>* launches = nullptr);

// Approaches to every node (K x nodes) along the borders.
struct Approaches {
    RowMatrix distance;       // the smallest
    RowMatrix first_distance; // before the pair was bisected again: along an orbit from the source
    std::vector<Index> first_when; // K x nodes: after how many steps
};

// Follows the border inside narrow brackets until it comes within 1e-3 spacings of a node with one
// unstable dimension, the pair no longer parts, or 8 rounds of following and bisecting have passed.
[[nodiscard]] ASSAY_API Approaches follow_border(const Surroundings& around, Brackets brackets);

} // namespace assay::fixedpoints
