// Graphs and chains of points as matrices, in which networks are compared.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/chain_graph.hpp>
#include <assay/fixedpoints/topology.hpp>

namespace assay::fixedpoints {

// P x P, from row to column, 0 where there is no edge: the share of the point's starts that falls
// to an attractor (1e-9 where only a bisection met it), 1 for a heteroclinic edge.
[[nodiscard]] ASSAY_API Matrix adjacency(const Graph& graph);
// Of the chain, 1 from the lower input to the higher.
[[nodiscard]] ASSAY_API Matrix adjacency(const Chain& chain, Index points);

} // namespace assay::fixedpoints
