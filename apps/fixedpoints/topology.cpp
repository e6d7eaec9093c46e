// fixedpoints topology: which points flow to which.
#include "commands.hpp"
#include "graph_request.hpp"
#include "systems.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <map>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    GraphRequest graph;
};

void report_edges(cli::Context& context, const Graph& graph, const Points& points) {
    std::map<std::pair<std::int32_t, std::int32_t>, Index> between;
    Index to_attractors = 0, adjacent = 0;
    double farthest = 0, corrected = 0;
    for (const Edge& edge : graph.edges) {
        const auto from = points.n_unstable[static_cast<std::size_t>(edge.from)],
                   to = points.n_unstable[static_cast<std::size_t>(edge.to)];
        ++between[{from, to}];
        if (from == to + 1) ++adjacent;
        if (edge.kind == EdgeKind::to_attractor)
            ++to_attractors;
        else
            farthest = std::max(farthest, edge.distance / graph.spacing(edge.to));
        corrected = std::max(corrected, edge.correction);
    }
    std::vector<std::string> counts;
    for (const auto& [ends, count] : between)
        counts.push_back(concat(count, " from ", ends.first, " to ", ends.second));
    const auto edges = static_cast<std::int64_t>(graph.edges.size());
    context.report("edges", edges,
                   counts.empty() ? "" : join(counts, ", ") + " unstable dimensions");
    context.report("between adjacent dimensions", static_cast<std::int64_t>(adjacent));
    context.report("to attractors", static_cast<std::int64_t>(to_attractors));
    context.report("heteroclinic", edges - to_attractors,
                   edges > to_attractors
                       ? concat("within ", significant(farthest, 2),
                                " spacings, jumps of orbits at most ", significant(corrected, 2))
                       : std::string());
}

// What the graph tells of itself.
void report_gaps(cli::Context& context, const Graph& graph) {
    context.report("edges complete", word_of(graph.complete),
                   graph.complete == Completeness::no    ? "(edges or points are missing)"
                   : graph.complete == Completeness::yes ? "(as if none is missing)"
                                                         : "(no law where not all rests)");
    if (!graph.gaps.implied.empty())
        context.report("implied edges", static_cast<std::int64_t>(graph.gaps.implied.size()),
                       "over a third point, but by no orbit met");
    if (!graph.gaps.odd.empty())
        context.report("odd pairs", static_cast<std::int64_t>(graph.gaps.odd.size()),
                       "two dimensions apart, with an odd number of ways");
}

void report_rest(cli::Context& context, const Graph& graph) {
    Index unexplained = 0;
    for (const auto count : graph.unexplained) unexplained += count;
    if (unexplained > 0)
        context.report("unexplained borders", static_cast<std::int64_t>(unexplained),
                       "between fates, at no known saddle");
    context.report("cycles", static_cast<std::int64_t>(graph.cycle_state.rows()));
    static const char* const kFates[] = {"share to cycles", "share to infinity",
                                         "share unresolved"};
    for (Index k = 0; k < 3; ++k) {
        const double share = graph.probability.col(graph.probability.cols() - 3 + k).sum();
        if (share > 0)
            context.report(kFates[k], share / static_cast<double>(graph.probability.rows()));
    }
}

// The chance that a kick leads away from the attractor it was given at.
double error_rate(const Graph& graph, const RowMatrix& probability) {
    double stays = 0;
    for (const Index p : graph.attractors) stays += probability(p, p);
    return 1 - stays / static_cast<double>(graph.attractors.size());
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const auto systems = load_systems(context, network, found.points);
    const PointGraph result = graph_points(o.graph, network.dynamics, found.points,
                                           found.inputs.rows(), systems, context.execution());
    const Graph& graph = result.graph;
    result.write(context.output().create_group("/fixedpoints/topology"));
    context.report("points", static_cast<std::int64_t>(found.points.count()));
    context.report("attractors", static_cast<std::int64_t>(graph.attractors.size()));
    report_edges(context, graph, found.points);
    report_gaps(context, graph);
    report_rest(context, graph);
    if (result.kicks && !graph.attractors.empty())
        context.report("memory errors", error_rate(graph, *result.kicks), "of a kick");
    if (result.chain)
        context.report("chain edges", static_cast<std::int64_t>(result.chain->edges.size()),
                       result.chain->simple ? "a simple chain" : "no simple chain");
}

} // namespace

cli::Command topology() {
    auto o = std::make_shared<Options>();
    cli::Command c("topology", "the graph of points and what flows to what");
    c.describe(
        "Starts on a small sphere in the unstable subspace of every exact point are followed until "
        "they arrive at an attractor, run in a cycle, or diverge. Where neighbouring starts part, "
        "bisection and shooting find the saddles that the border leads to. Two laws tell whether "
        "edges are missing (attribute complete; implied, odd). Points of several "
        "inputs are joined in a chain as well.");
    c.input("result of find, or of linearize");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/topology/edges", "rows of find/points: from, to"},
              {"/fixedpoints/topology/edge_kind", "to_attractor, heteroclinic"},
              {"/fixedpoints/topology/edge_distance", "how near; also departure, correction"},
              {"/fixedpoints/topology/implied", "pairs that miss an edge; also odd"},
              {"/fixedpoints/topology/attractor_probability", "where starts of a point fall to"},
              {"/fixedpoints/topology/kick_probability", "with --kicks: the chain of errors"},
              {"/fixedpoints/topology/chain", "several inputs: joined neighbours"}});
    declare_graph(c, o->graph);
    c.seed(o->graph.graph.seed);
    declare_network(c, o->network);
    c.example("The faces of a cube",
              "fixedpoints synth product | fixedpoints find | fixedpoints topology -o graph.h5");
    c.example("Errors of a memory under noise",
              "fixedpoints topology fp.h5 --kicks 1000 --kick-scale 0.3 -o graph.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
