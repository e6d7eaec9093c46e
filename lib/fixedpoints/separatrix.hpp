// Borders between basins: bisection between states of different fates, and the orbits on a border,
// which lead to the saddles that rule it. The straddle-orbit method of Battelino, Grebogi, Ott,
// Yorke and Yorke (1988): a pair of states on either side is followed, and halved whenever it
// parts, so that rounding does not limit how near a saddle is reached.
#pragma once

#include <assay/fixedpoints/flights.hpp>
#include <assay/fixedpoints/launch.hpp>

#include <vector>

namespace assay::fixedpoints {

// Two starts whose fates differ.
struct Bracket {
    Index source = 0;        // the node that both lie near
    Eigen::RowVectorXd a, b; // states
    Destination to_a, to_b;
};

// An orbit between two basins. Distances are those of both states of the pair: one a node.
struct Border {
    Index source = 0;
    Eigen::RowVectorXd start;          // on the border, as well as the way needs, or rounding lets
    Eigen::RowVectorXd distance;       // the smallest
    Eigen::RowVectorXd start_distance; // the same while the pair is the orbit of `start` itself
    std::vector<Index> start_when;     // after how many steps
    // The largest width at which the pair was halved on its way to the smallest distance, relative
    // to 1 + |h|: a bound of the orbit's jumps. 0 while it is the orbit of `start`.
    Eigen::RowVectorXd correction;
    Eigen::RowVectorXd a, b; // the pair at the end
};

// What every step of the search needs.
struct Surroundings {
    const Dynamics& dynamics;
    const Landscape& landscape;
    const FlightRules& rules;
    Cycles& cycles;
    Execution run;
};

struct BorderRules {
    Index bisections = 44;     // of starts, at most: until their width is 1e-13 (1 + |h|)
    double near_saddle = 0.05; // in spacings: where a border ends at a saddle already reached
};

// Follows the borders between pairs of starts, all in one batch. A pair is never wider than 1e-7 (1
// + |h|), where the flow in it is linear within rounding, so that its middle belongs to the middle
// of its starts. `launches` (one a node): wide pairs of starts are halved among the starts of their
// source, by the angle of their directions. Where the middle has a third fate, there are two
// borders: results are those of the brackets, then such others, at most three for each bracket. A
// border ends within 0.01 spacings of a node with one unstable dimension (`near_saddle` where
// another of its source has been that near), where the pair falls to an attractor, or where 64
// halvings bring it neither nearer to a saddle nor farther from its source. Cost: a flight of all
// open pairs for every halving.
[[nodiscard]] ASSAY_API std::vector<Border> follow_borders(const Surroundings& around,
                                                           const std::vector<Bracket>& brackets,
                                                           const std::vector<Launch>& launches,
                                                           const BorderRules& rules);

} // namespace assay::fixedpoints
