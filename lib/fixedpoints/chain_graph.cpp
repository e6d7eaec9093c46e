#include <assay/fixedpoints/chain_graph.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace assay::fixedpoints {

Chain chain_graph(const Points& points) {
    std::map<std::int32_t, std::vector<Index>> by_input;
    for (const Index p : points.nodes())
        by_input[points.input_id[static_cast<std::size_t>(p)]].push_back(p);
    const auto distance = [&](Index p, Index r) {
        return (points.state.row(p) - points.state.row(r)).norm();
    };
    const auto nearest = [&](Index p, const std::vector<Index>& rows) {
        return *std::min_element(rows.begin(), rows.end(),
                                 [&](Index a, Index b) { return distance(p, a) < distance(p, b); });
    };
    std::map<std::array<Index, 2>, double> edges;
    bool single = !by_input.empty();
    for (auto here = by_input.begin(); here != by_input.end(); ++here) {
        single = single && here->second.size() == 1;
        const auto next = std::next(here);
        if (next == by_input.end()) break;
        for (const Index p : here->second) {
            const Index r = nearest(p, next->second);
            edges[{p, r}] = distance(p, r);
        }
        for (const Index r : next->second) {
            const Index p = nearest(r, here->second);
            edges[{p, r}] = distance(p, r);
        }
    }
    Chain chain;
    chain.simple = single;
    for (const auto& [ends, length] : edges) {
        chain.edges.push_back(ends);
        chain.distance.push_back(length);
    }
    return chain;
}

} // namespace assay::fixedpoints
