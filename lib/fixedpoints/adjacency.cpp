#include <assay/fixedpoints/adjacency.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>

namespace assay::fixedpoints {

Matrix adjacency(const Graph& graph) {
    constexpr double kLeast = 1e-9; // an edge stays an edge
    const Index points = graph.probability.rows();
    Matrix weights = Matrix::Zero(points, points);
    for (const Edge& edge : graph.edges) {
        double weight = 1;
        if (edge.kind == EdgeKind::to_attractor) {
            const auto at = std::find(graph.attractors.begin(), graph.attractors.end(), edge.to);
            if (at == graph.attractors.end())
                throw Error(concat("an edge leads to the attractor ", edge.to, ", which is none"));
            weight = std::max(
                kLeast,
                graph.probability(edge.from, static_cast<Index>(at - graph.attractors.begin())));
        }
        weights(edge.from, edge.to) = std::max(weights(edge.from, edge.to), weight);
    }
    return weights;
}

Matrix adjacency(const Chain& chain, Index points) {
    Matrix weights = Matrix::Zero(points, points);
    for (const auto& edge : chain.edges) weights(edge[0], edge[1]) = 1;
    return weights;
}

} // namespace assay::fixedpoints
