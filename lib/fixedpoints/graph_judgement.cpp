#include <assay/fixedpoints/graph_judgement.hpp>

#include <algorithm>

namespace assay::fixedpoints {

void judge_graph(Graph& graph, const std::vector<Landscape>& lands) {
    std::vector<Index> unstable(graph.unexplained.size(), 0);
    for (const Landscape& land : lands)
        for (Index node = 0; node < land.count(); ++node)
            unstable[static_cast<std::size_t>(land.point[static_cast<std::size_t>(node)])] =
                land.unstable[static_cast<std::size_t>(node)];
    graph.gaps = find_gaps(graph.edges, unstable);
    const bool explained = std::all_of(graph.unexplained.begin(), graph.unexplained.end(),
                                       [](std::int32_t count) { return count == 0; });
    const bool to_points = graph.cycle_state.rows() == 0 &&
                           graph.probability.middleCols(graph.probability.cols() - 2, 1).isZero();
    if (!to_points || graph.edges.empty()) return;
    graph.complete = graph.gaps.none() && explained ? Completeness::yes : Completeness::no;
}

} // namespace assay::fixedpoints
