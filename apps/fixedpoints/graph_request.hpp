// A graph of points as it is asked for on the command line, and that of one network. Shared by
// topology and population.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/fixedpoints/graph_io.hpp>
#include <assay/fixedpoints/topology.hpp>

#include <optional>

namespace fixedpoints_app {

struct GraphRequest {
    assay::fixedpoints::TopologyOptions graph;
    assay::Index kicks = 0;
    double kick_scale = 0.1;
};
void declare_graph(assay::cli::Command& c, GraphRequest& o);

struct PointGraph {
    assay::fixedpoints::Graph graph;
    std::optional<assay::RowMatrix> kicks; // where kicks were asked for
    assay::Index kicks_a_point = 0;
    std::optional<assay::fixedpoints::Chain> chain; // of points of several inputs
    void write(const assay::hdf5::Group& group) const;
};
// `inputs`: how many were searched; `systems`: one a point, with all unstable modes.
PointGraph graph_points(const GraphRequest& o, const assay::fixedpoints::Dynamics& dynamics,
                        const assay::fixedpoints::Points& points, assay::Index inputs,
                        const std::vector<assay::fixedpoints::EigenSystem>& systems,
                        const assay::Execution& execution);

} // namespace fixedpoints_app
