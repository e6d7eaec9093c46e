// The graph of points (Maheswaranathan et al. 2019b): which attractors a network can fall to from
// each of its points, and which points orbits lead to. Nodes are the exact points of one input;
// starts lie on a small sphere in the unstable subspace of a node. Where neighbouring starts fall
// to different places, the border between them leads to a saddle: a heteroclinic edge. Also the
// Markov chain of errors after kicks.
#pragma once

#include <assay/fixedpoints/flights.hpp>
#include <assay/fixedpoints/graph_gaps.hpp>
#include <assay/fixedpoints/search.hpp>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

struct TopologyOptions {
    double epsilon = 1e-4;  // radius of the sphere of starts
    Index angles = 64;      // starts of a node with two unstable dimensions
    Index directions = 512; // with more
    Index pairs = 64;       // of directions whose fates differ: great circles to bisect
    Index bisections = 44;  // at most; fewer where rounding ends them
    Index max_steps = 5000;
    double arrival = 1e-3;       // distance from an attractor (see FlightRules)
    double edge_distance = 0.05; // approach, in spacings of the saddle, that makes an edge
    std::uint64_t seed = 0;
};

enum class EdgeKind : std::uint8_t { to_attractor, heteroclinic };

struct Edge {
    Index from = 0, to = 0; // rows of the points
    EdgeKind kind = EdgeKind::to_attractor;
    double distance = 0;   // how near the orbit came to the point
    double departure = 0;  // how far from its source it started
    double correction = 0; // the largest on its way, relative to 1 + |h|; 0: an orbit in one piece
    Index orbits = 1;      // how many were met; of a point with one or two unstable dimensions, to
                           // one with one less, these are all
};

struct Graph {
    std::vector<Index> attractors; // rows of points without an unstable dimension
    // P x (attractors + 3): the fraction of a point's starts that falls to each attractor, to a
    // cycle, to infinity, nowhere within the steps (or to rest at no known point). Rows of slow
    // points are zero; an attractor falls to itself.
    RowMatrix probability;
    // Of every share: 0 where one start a side tells it; on a circle, where each border lies
    // between two starts, at most half their distance a border; else see `share_error`.
    RowMatrix probability_error;
    std::vector<Edge> edges; // ordered by (from, to)
    Vector spacing;          // P: distance to the nearest other point of the input; slow: NaN
    // P: borders between fates that lead to no known saddle (to a saddle cycle, or a missing point)
    std::vector<std::int32_t> unexplained;
    GraphGaps gaps;
    // no: gaps, or borders unexplained. unknown: not all starts end at points, so that no law
    // tells.
    Completeness complete = Completeness::unknown;
    RowMatrix cycle_state;                 // one state on every cycle that was met
    std::vector<std::int32_t> cycle_input; // its input id
};

// `systems`: one a point, holding all unstable modes. A point with one unstable dimension has the
// two starts h* +- epsilon q. With two: `angles` starts on the sphere, whose fates are the
// probabilities, and as many on the ellipsoid on which all modes grow equally long (launch.hpp),
// with a bisection wherever neighbours differ. With three and more: `directions` random starts on
// both, bisections along great circles between `pairs` random pairs that differ, and shooting at
// the saddles with two and more unstable dimensions (see connections.hpp), first along eigenvectors
// and from the nearest approaches of all orbits. Orbits to saddles are corrected on their way
// against rounding, by at most 1e-7 (1 + |h|). Cost: all starts of an input advance as one batch; a
// batch of the borders for every halving (see separatrix.hpp). Throws
// Error: another number of systems than of points, a system without its unstable modes, options
// below 1 or not positive.
[[nodiscard]] ASSAY_API Graph find_graph(const Dynamics& dynamics, const Points& points,
                                         const std::vector<EigenSystem>& systems,
                                         const TopologyOptions& options, const Execution& run);

// The standard deviation of probabilities of which `draws` independent draws are known, from their
// shares (uniform prior: not 0 for what never or always came).
[[nodiscard]] ASSAY_API RowMatrix share_error(const RowMatrix& share, Index draws);

struct KickOptions {
    Index kicks = 100;  // of every point
    double scale = 0.1; // standard deviation of every state variable, in spacings of the point
    FlightRules rules;
    std::uint64_t seed = 0;
};

// P x P: the fraction of a point's kicks that ends at each point: an attractor, or the nearest
// point of the input where the steps are used up first. What runs in a cycle or diverges is missing
// from the sum of a row. Cost: one batch of P x kicks states.
[[nodiscard]] ASSAY_API RowMatrix kick_probability(const Dynamics& dynamics, const Points& points,
                                                   const std::vector<EigenSystem>& systems,
                                                   const KickOptions& options,
                                                   const Execution& run);

} // namespace assay::fixedpoints
