#include "graph_request.hpp"

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

void declare_graph(cli::Command& c, GraphRequest& o) {
    c.group("Starts");
    c.option("--epsilon", o.graph.epsilon, "X", "radius of the sphere of starts").range(0);
    c.option("--angles", o.graph.angles, "N", "starts with two unstable dimensions").range(1);
    c.option("--directions", o.graph.directions, "N", "starts with more").range(1);
    c.option("--pairs", o.graph.pairs, "N", "of directions that part: great circles to bisect")
        .range(1);
    c.option("--bisections", o.graph.bisections, "N", "of the angle between two that part")
        .range(0);
    c.group("Arrival");
    c.option("--max-steps", o.graph.max_steps, "N", "of an orbit").range(1);
    c.option("--arrival", o.graph.arrival, "X", "so near an attractor an orbit has arrived")
        .range(0);
    c.option("--edge-distance", o.graph.edge_distance, "X",
             "so near a saddle, in spacings, an orbit makes an edge")
        .range(0);
    c.group("Noise");
    c.option("--kicks", o.kicks, "N", "random kicks of every point; 0: none").range(0);
    c.option("--kick-scale", o.kick_scale, "X", "their standard deviation, in spacings").range(0);
}

void PointGraph::write(const hdf5::Group& group) const {
    write_graph(group, graph);
    if (kicks) write_kicks(group, *kicks, kicks_a_point);
    if (chain) write_chain(group, *chain);
}

PointGraph graph_points(const GraphRequest& o, const Dynamics& dynamics, const Points& points,
                        Index inputs, const std::vector<EigenSystem>& systems,
                        const Execution& execution) {
    PointGraph result;
    result.kicks_a_point = o.kicks;
    result.graph = find_graph(dynamics, points, systems, o.graph, execution);
    if (o.kicks > 0)
        result.kicks = kick_probability(
            dynamics, points, systems,
            {o.kicks, o.kick_scale, {o.graph.arrival, o.graph.max_steps, {}}, o.graph.seed},
            execution);
    if (inputs > 1) result.chain = chain_graph(points);
    return result;
}

} // namespace fixedpoints_app
