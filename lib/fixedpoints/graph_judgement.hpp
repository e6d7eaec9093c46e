// Whether a graph of points lacks edges, by laws that hold of whole ones (graph_gaps.hpp).
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/topology.hpp>

#include <vector>

namespace assay::fixedpoints {

// Fills in gaps and complete of a graph whose edges, probabilities, cycles and unexplained borders
// are known; `lands` are those of its points (flights.hpp).
ASSAY_API void judge_graph(Graph& graph, const std::vector<Landscape>& lands);

} // namespace assay::fixedpoints
