#include <assay/fixedpoints/synth_io.hpp>

#include <assay/fixedpoints/dataset_io.hpp>
#include <assay/fixedpoints/graph_io.hpp>
#include <assay/network/network_io.hpp>

namespace assay::fixedpoints {
namespace {

using hdf5::Group;

void write_edges(Group group, const std::vector<TrueEdge>& edges) {
    std::vector<std::int32_t> ends;
    std::vector<TrueEdge::Kind> kinds;
    for (const TrueEdge& edge : edges) {
        ends.push_back(static_cast<std::int32_t>(edge.from));
        ends.push_back(static_cast<std::int32_t>(edge.to));
        kinds.push_back(edge.kind);
    }
    group.write("edges", ends.data(), {static_cast<Index>(edges.size()), 2},
                {"edge,end", "", "rows of points: from, to"});
    write_words(group, "edge_kind", kinds, kEdgeKinds, {"edge", "", "what the flow leads to"});
}

void write_truth(Group group, const SyntheticTruth& truth) {
    const Index points = truth.state.rows();
    group.set_attribute("complete", truth.complete ? 1 : 0);
    if (truth.index_sum)
        group.set_attribute("index_sum", static_cast<std::int64_t>(*truth.index_sum));
    if (truth.henrici) group.set_attribute("henrici", *truth.henrici);
    if (points > 0) {
        write_rows(group, "state", truth.state,
                   {"point,unit", "", "where the network rests at zero input"});
        write_complex(group, "eigenvalues", truth.eigenvalues,
                      {"point,mode", "", "of dF/dh, by falling magnitude"});
        group.write("n_unstable", truth.n_unstable,
                    {"point", "", "eigenvalues beyond the unit circle"});
    }
    if (truth.coordinates.size() > 0)
        write_rows(group, "coordinates", truth.coordinates,
                   {"point,coordinate", "", "sign of every bit, or place on the line"});
    if (!truth.edges.empty()) write_edges(group, truth.edges);
    if (truth.line_direction.size() > 0)
        write_rows(group, "line_direction", truth.line_direction,
                   {"point,unit", "", "right eigenvector of eigenvalue 1"});
    if (truth.line_left.size() > 0)
        group.write("line_left", truth.line_left,
                    {"unit", "", "left eigenvector of eigenvalue 1, at every point"});
    if (truth.right.size() > 0)
        write_complex(group, "right", truth.right,
                      {"unit,mode", "", "right eigenvectors, columns of norm 1"});
    if (truth.left.size() > 0)
        write_complex(group, "left", truth.left,
                      {"mode,unit", "", "left eigenvectors, rows of the inverse"});
}

} // namespace

void write_synthetic(Group root, const Synthetic& made, const network::Samples& trials) {
    network::write_model(root.create_group("/model"), made.model, network::Storage::float64);
    write_truth(root.create_group("/truth"), made.truth);
    if (trials.count() > 0)
        network::write_samples(root.create_group("/data/test"), trials, network::Storage::float64);
}

} // namespace assay::fixedpoints
