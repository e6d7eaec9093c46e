#include <assay/fixedpoints/graph_gaps.hpp>

#include <assay/fixedpoints/topology.hpp>

#include <map>

namespace assay::fixedpoints {

GraphGaps find_gaps(const std::vector<Edge>& edges, const std::vector<Index>& unstable) {
    const auto dimensions = [&](Index point) { return unstable[static_cast<std::size_t>(point)]; };
    // How many orbits an edge between adjacent dimensions stands for.
    const auto orbits = [&](const Edge& edge) {
        return dimensions(edge.from) <= 2 ? edge.orbits : 1;
    };
    std::vector<std::vector<const Edge*>> from(unstable.size());
    std::map<std::array<Index, 2>, Index> ways; // 0 and more between all pairs that edges join
    std::map<std::array<Index, 2>, bool> known;
    for (const Edge& edge : edges) {
        from[static_cast<std::size_t>(edge.from)].push_back(&edge);
        known[{edge.from, edge.to}] = true;
    }
    GraphGaps gaps;
    for (const Edge& first : edges)
        for (const Edge* second : from[static_cast<std::size_t>(first.to)]) {
            if (second->to == first.from) continue;
            const std::array<Index, 2> ends{first.from, second->to};
            const bool adjacent = dimensions(first.from) == dimensions(first.to) + 1 &&
                                  dimensions(first.to) == dimensions(second->to) + 1;
            ways[ends] += adjacent ? orbits(first) * orbits(*second) : 0;
        }
    for (const auto& [ends, count] : ways) {
        if (known.count(ends) == 0) gaps.implied.push_back(ends);
        if (count % 2 != 0) gaps.odd.push_back(ends);
    }
    return gaps;
}

} // namespace assay::fixedpoints
