// What becomes of states under a constant input: batches are followed until every state has arrived
// at a known point, runs in a cycle, diverges, rests elsewhere, or the steps are used up. States
// that have ended leave the batch; the rest go on as one matrix product a step.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

// node: near an attracting point, or at rest at any point. cycle: bounded motion that recurs
// (periodic, quasi-periodic or chaotic; cycles.hpp tells which). rest: at rest, but at no known
// point.
enum class Fate : std::uint8_t { node, cycle, diverged, rest, none };

struct Destination {
    Fate fate = Fate::none;
    Index place = -1; // which node of the landscape, or which cycle
    [[nodiscard]] bool operator==(const Destination& other) const {
        return fate == other.fate && place == other.place;
    }
    [[nodiscard]] bool operator!=(const Destination& other) const { return !(*this == other); }
};

struct FlightRules {
    double arrival = 1e-3; // this near to an attractor, or a tenth of its spacing: it has arrived
    Index max_steps = 5000;
    // One a node: radii around attractors from which nothing is expected to leave; empty: none.
    // They save the last, slow part of an approach where only the fate is asked for.
    Vector capture;
};

// The exact points of one input, as places where states may end.
struct Landscape {
    std::int32_t input_id = 0;
    RowMatrix input;             // 1 x inputs
    std::vector<Index> point;    // rows of the points, ascending
    RowMatrix state;             // nodes x state size
    std::vector<Index> unstable; // unstable dimensions of each; a node without any attracts
    Vector spacing;              // distance to the nearest other node; 1 where there is none
    [[nodiscard]] Index count() const { return state.rows(); }
    [[nodiscard]] bool attracts(Index node) const {
        return unstable[static_cast<std::size_t>(node)] == 0;
    }
};

// How near a flight has arrived at a node.
[[nodiscard]] ASSAY_API double arrival_radius(const Landscape& landscape, Index node,
                                              const FlightRules& rules);

// One landscape for every input that has an exact point, by ascending input id. `systems`: one a
// point. Throws Error where their number differs.
[[nodiscard]] ASSAY_API std::vector<Landscape> landscapes(const Points& points,
                                                          const std::vector<EigenSystem>& systems);

// The recurrent motions met so far, told apart by their time averages.
struct Cycles {
    RowMatrix mean;  // cycles x state size
    RowMatrix state; // one state on each
    Vector spread;   // root mean square distance from the mean
};

struct Flights {
    std::vector<Destination> destination;
    RowMatrix end;            // last states
    std::vector<Index> steps; // how many were taken
    Vector distance;          // of the last state to the node it arrived at; NaN elsewhere
    RowMatrix closest;        // flights x nodes: smallest distance on the way; where asked for
    std::vector<Index> when;  // flights x nodes: after how many steps
    RowMatrix mean;           // time averages of motions that recur
    Vector spread;            // their root mean square distance from it
    [[nodiscard]] Index count() const { return end.rows(); }
};

// Follows `starts` (B x state size). A motion recurs when its averages over two successive windows
// (the second twice as long, Hann weights) agree within 2 % of its spread, which must exceed 10
// arrival distances. New cycles are added to `cycles`. `approaches`: whether to note the smallest
// distances to all nodes. Cost: a batched step each, and B x nodes x state size every fourth (with
// approaches: every) step.
[[nodiscard]] ASSAY_API Flights fly(const Dynamics& dynamics, const Landscape& landscape,
                                    const RowMatrix& starts, const FlightRules& rules,
                                    Cycles& cycles, const Execution& run, bool approaches = false);

// Distances of states (B x state size) to the nodes (B x nodes), exact also where they are small.
[[nodiscard]] ASSAY_API RowMatrix distances(const RowMatrix& states, const RowMatrix& nodes);

} // namespace assay::fixedpoints
