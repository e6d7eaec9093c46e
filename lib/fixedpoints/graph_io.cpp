#include <assay/fixedpoints/graph_io.hpp>

#include <assay/fixedpoints/dataset_io.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>

namespace assay::fixedpoints {
namespace {

using hdf5::ArrayInfo;
using hdf5::Group;

std::int32_t whole(Index value) {
    return static_cast<std::int32_t>(value);
}

// Pairs of rows.
void write_pairs(Group group, const std::string& name, const std::vector<std::int32_t>& ends,
                 const ArrayInfo& info) {
    group.write(name, ends.data(), {static_cast<Index>(ends.size()) / 2, 2}, info);
}

void write_gaps(Group group, const std::string& name,
                const std::vector<std::array<Index, 2>>& pairs, const std::string& what) {
    std::vector<std::int32_t> ends;
    for (const auto& pair : pairs)
        for (const Index p : pair) ends.push_back(whole(p));
    write_pairs(group, name, ends, {"gap,end", "", "rows of find/points: " + what});
}

// Rows of find/points.
std::vector<Index> read_points(const hdf5::Dataset& dataset, Index points) {
    std::vector<Index> rows;
    for (const auto row : dataset.read<std::int64_t>()) {
        if (row < 0 || row >= points)
            throw Error(concat(dataset.where(), ": found ", row, "; a row of ", points,
                               " points is expected"));
        rows.push_back(static_cast<Index>(row));
    }
    return rows;
}

std::vector<std::array<Index, 2>> read_pairs(const Group& group, const std::string& name,
                                             Index points) {
    const auto dataset = group.dataset(name).expect_rank(2);
    if (dataset.shape()[1] != 2)
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                           "; pairs of rows are expected"));
    const auto ends = read_points(dataset, points);
    std::vector<std::array<Index, 2>> pairs;
    for (std::size_t e = 0; e + 1 < ends.size(); e += 2) pairs.push_back({ends[e], ends[e + 1]});
    return pairs;
}

// Columns of a table that grow row by row, or block by block.
struct RowTable {
    std::vector<double> values;
    Index columns = 0;
    void add(const RowMatrix& rows) {
        columns = rows.cols();
        values.insert(values.end(), rows.data(), rows.data() + rows.size());
    }
    void write(Group group, const std::string& name, const ArrayInfo& info) const {
        const Index rows = columns > 0 ? static_cast<Index>(values.size()) / columns : 0;
        group.write(name, values.data(), {rows, columns}, info);
    }
};

template <class T>
void append_column(std::vector<T>& all, const std::vector<T>& more) {
    all.insert(all.end(), more.begin(), more.end());
}

void append_column(std::vector<double>& all, const Vector& more) {
    all.insert(all.end(), more.data(), more.data() + more.size());
}

void write_branch_table(Group group, const std::vector<PathBranch>& branches) {
    std::vector<std::int32_t> segment, before, point, first, count, meets, arrives;
    std::vector<BranchEnd> end;
    Index row = 0;
    for (const PathBranch& one : branches) {
        segment.push_back(whole(one.segment));
        before.push_back(whole(one.before));
        point.push_back(whole(one.point));
        first.push_back(whole(row));
        count.push_back(whole(one.branch.count()));
        meets.push_back(whole(one.branch.meets));
        arrives.push_back(whole(one.arrives));
        end.push_back(one.branch.end);
        row += one.branch.count();
    }
    group.write("segment", segment, {"branch", "", "from this row of the path to the next"});
    group.write("before", before, {"branch", "", "the branch that it continues; -1: none"});
    group.write("point", point, {"branch", "", "row of find/points it starts from; -1: none"});
    group.write("arrives", arrives, {"branch", "", "row of find/points at its end; -1: none"});
    group.write("meets", meets, {"branch", "", "turned back to the start of this one; -1: none"});
    group.write("first", first, {"branch", "", "its first row in points"});
    group.write("count", count, {"branch", "", "how many rows"});
    write_words(group, "end", end, kBranchEnds, {"branch", "", "how it ended"});
}

void write_branch_points(Group group, const std::vector<PathBranch>& branches, Index size) {
    std::vector<std::int32_t> branch_of, unstable, index;
    std::vector<double> s, residual;
    std::vector<Stability> stability;
    RowTable state, input, output;
    std::vector<std::complex<double>> eigenvalues;
    for (std::size_t b = 0; b < branches.size(); ++b) {
        const Branch& branch = branches[b].branch;
        branch_of.insert(branch_of.end(), static_cast<std::size_t>(branch.count()),
                         static_cast<std::int32_t>(b));
        append_column(s, branch.s);
        append_column(residual, branch.residual_inf);
        append_column(unstable, branch.n_unstable);
        append_column(index, branch.poincare_index);
        append_column(stability, branch.stability);
        state.add(branch.state);
        input.add(branches[b].input);
        output.add(branches[b].output);
        for (Index i = 0; i < branch.count(); ++i)
            for (Index a = 0; a < size; ++a) eigenvalues.push_back(branch.eigenvalues(i, a));
    }
    group.write("branch", branch_of, {"point", "", "row of branches"});
    group.write("s", s, {"point", "", "share of the way from one input to the next"});
    state.write(group, "state", {"point,unit", "", "where the network rests"});
    input.write(group, "input", {"point,input", "", "under this input"});
    output.write(group, "output", {"point,output", "", "readout of the point"});
    group.write("eigenvalues", eigenvalues.data(), {static_cast<Index>(s.size()), size},
                {"point,mode", "", "of dF/dh, by falling magnitude"});
    group.write("n_unstable", unstable, {"point", "", "eigenvalues beyond the unit circle"});
    group.write("poincare_index", index, {"point", "", "sign det(I - J)"});
    write_words(group, "stability", stability, kStabilities,
                {"point", "", "by the magnitudes of eigenvalues"});
    group.write("residual_inf", residual, {"point", "", "largest entry of F(h) - h"});
}

void write_bifurcations(Group group, const std::vector<PathBranch>& branches, Index size) {
    std::vector<std::int32_t> branch_of, after;
    std::vector<double> s, width;
    std::vector<BifurcationKind> kind;
    std::vector<std::complex<double>> eigenvalue;
    RowTable state;
    state.columns = size;
    for (std::size_t b = 0; b < branches.size(); ++b)
        for (const Bifurcation& one : branches[b].branch.bifurcations) {
            branch_of.push_back(static_cast<std::int32_t>(b));
            after.push_back(whole(one.after));
            s.push_back(one.s);
            width.push_back(one.width);
            kind.push_back(one.kind);
            eigenvalue.push_back(one.eigenvalue);
            state.add(one.state.transpose());
        }
    group.write("branch", branch_of, {"bifurcation", "", "row of branches"});
    write_words(group, "kind", kind, kBifurcations, {"bifurcation", "", "by the eigenvalues of J"});
    group.write("s", s, {"bifurcation", "", "share of the way from one input to the next"});
    state.write(group, "state", {"bifurcation,unit", "", "where the network rests there"});
    group.write("eigenvalue", eigenvalue, {"bifurcation", "", "the one on the unit circle"});
    group.write("after", after, {"bifurcation", "", "follows this point of the branch"});
    group.write("width", width, {"bifurcation", "", "of the arclength known to hold it"});
}

} // namespace

std::string word_of(Motion motion) {
    return word_of(motion, kMotions);
}

std::string word_of(BranchEnd end) {
    return word_of(end, kBranchEnds);
}

std::string word_of(BifurcationKind kind) {
    return word_of(kind, kBifurcations);
}

void write_graph(Group group, const Graph& graph) {
    std::vector<std::int32_t> attractors, ends;
    std::vector<EdgeKind> kinds;
    std::vector<std::int32_t> orbits;
    std::vector<double> distance, departure, correction;
    for (const Index p : graph.attractors) attractors.push_back(whole(p));
    for (const Edge& edge : graph.edges) {
        ends.push_back(whole(edge.from));
        ends.push_back(whole(edge.to));
        kinds.push_back(edge.kind);
        distance.push_back(edge.distance);
        departure.push_back(edge.departure);
        correction.push_back(edge.correction);
        orbits.push_back(whole(edge.orbits));
    }
    write_pairs(group, "edges", ends, {"edge,end", "", "rows of find/points: from, to"});
    write_words(group, "edge_kind", kinds, kEdgeKinds, {"edge", "", "what the flow leads to"});
    group.write("edge_distance", distance, {"edge", "", "how near the orbit came to the point"});
    group.write("edge_departure", departure,
                {"edge", "", "how far from the first point the orbit starts"});
    group.write("edge_correction", correction,
                {"edge", "", "largest jump on the way, relative to 1 + |h|; 0: one orbit"});
    group.write("edge_orbits", orbits,
                {"edge", "", "orbits met; all from one or two to one unstable dimension less"});
    group.write("attractors", attractors,
                {"attractor", "", "rows of find/points without an unstable dimension"});
    write_rows(group, "attractor_probability", graph.probability,
               {"point,fate", "",
                "share of starts that falls to each attractor; then to a cycle, to infinity, to "
                "nowhere known"});
    write_rows(group, "attractor_probability_error", graph.probability_error,
               {"point,fate", "", "of these shares: standard error, on a circle a bound"});
    group.write("spacing", graph.spacing,
                {"point", "", "distance to the nearest other point of the input"});
    write_gaps(group, "implied", graph.gaps.implied, "joined over a third point, but by no edge");
    write_gaps(group, "odd", graph.gaps.odd,
               "two dimensions apart with an odd number of ways between");
    group.set_attribute("complete", word_of(graph.complete));
    group.write("unexplained", graph.unexplained,
                {"point", "", "borders between fates that lead to no known saddle"});
    write_rows(group, "cycle_state", graph.cycle_state,
               {"cycle,unit", "", "a state on every cycle that was met"});
    group.write("cycle_input", graph.cycle_input, {"cycle", "", "row of find/inputs"});
}

void write_kicks(Group group, const RowMatrix& probability, Index kicks) {
    write_rows(group, "kick_probability", probability,
               {"from,to", "", "share of a point's kicks that ends at each point"});
    write_rows(group, "kick_probability_error", share_error(probability, kicks),
               {"from,to", "", "standard error of these shares"});
}

void write_chain(Group group, const Chain& chain) {
    std::vector<std::int32_t> ends;
    for (const auto& edge : chain.edges)
        for (const Index p : edge) ends.push_back(whole(p));
    write_pairs(group, "chain", ends,
                {"edge,end", "", "nearest points of neighbouring inputs, rows of find/points"});
    group.write("chain_distance", chain.distance, {"edge", "", "between the two"});
    group.set_attribute("chain_simple", chain.simple ? 1 : 0);
}

Graph read_graph(const Group& group, Index points) {
    Graph graph;
    graph.attractors = read_points(group.dataset("attractors").expect_rank(1), points);
    graph.probability = read_rows(group, "attractor_probability", points);
    if (graph.probability.cols() != static_cast<Index>(graph.attractors.size()) + 3)
        throw Error(concat(group.where(), "/attractor_probability: ", graph.probability.cols(),
                           " columns, expected ", graph.attractors.size(), " attractors and 3"));
    graph.probability_error = read_rows(group, "attractor_probability_error", points);
    const auto ends = read_pairs(group, "edges", points);
    const auto edges = static_cast<Index>(ends.size());
    const auto kinds = read_words<EdgeKind>(group, "edge_kind", kEdgeKinds);
    const auto distance = read_column<double>(group, "edge_distance", edges),
               departure = read_column<double>(group, "edge_departure", edges),
               correction = read_column<double>(group, "edge_correction", edges);
    const auto orbits = read_column<std::int32_t>(group, "edge_orbits", edges);
    if (static_cast<Index>(kinds.size()) != edges)
        throw Error(concat(group.where(), "/edge_kind: ", kinds.size(), " rows, expected ", edges));
    for (std::size_t e = 0; e < ends.size(); ++e)
        graph.edges.push_back({ends[e][0], ends[e][1], kinds[e], distance[e], departure[e],
                               correction[e], orbits[e]});
    const auto complete = group.text_attribute("complete");
    for (const auto one : {Completeness::yes, Completeness::no})
        if (complete == word_of(one)) graph.complete = one;
    graph.gaps = {read_pairs(group, "implied", points), read_pairs(group, "odd", points)};
    graph.spacing = vector_of(read_column<double>(group, "spacing", points));
    graph.unexplained = read_column<std::int32_t>(group, "unexplained", points);
    graph.cycle_state = read_rows(group, "cycle_state", -1);
    graph.cycle_input = read_column<std::int32_t>(group, "cycle_input", graph.cycle_state.rows());
    return graph;
}

Chain read_chain(const Group& group, Index points) {
    Chain chain;
    chain.edges = read_pairs(group, "chain", points);
    chain.distance =
        read_column<double>(group, "chain_distance", static_cast<Index>(chain.edges.size()));
    chain.simple = group.number_attribute("chain_simple").value_or(0) != 0;
    return chain;
}

void write_long_run(Group group, const RowMatrix& starts,
                    const std::vector<std::int32_t>& start_input, const LongRun& runs) {
    write_rows(group, "start", starts, {"run,unit", "", "first state, before the transient"});
    group.write("input_id", start_input, {"run", "", "row of find/inputs"});
    write_words(group, "motion", runs.motion, kMotions, {"run", "", "what the network does"});
    group.write("speed", runs.speed, {"run", "", "|F(h) - h| at the end"});
    group.write("period", runs.period,
                {"run", "steps", "whole of a periodic motion, else between upward crossings"});
    group.write("frequency", runs.frequency,
                {"run", "radians per time", "between upward crossings of the section"});
    group.write("frequency_error", runs.frequency_error,
                {"run", "radians per time", "standard error, intervals taken as independent"});
    group.write("amplitude", runs.amplitude,
                {"run", "", "sqrt(2) standard deviations of the section"});
    group.write("rotation", runs.rotation,
                {"run", "radians per step", "mean, in the plane of the first two components"});
    group.write("rotation_error", runs.rotation_error,
                {"run", "radians per step", "standard error over blocks of steps"});
    write_rows(group, "lyapunov", runs.lyapunov,
               {"run,exponent", "per step", "falling; -infinity: the direction vanishes"});
    write_rows(group, "lyapunov_error", runs.lyapunov_error,
               {"run,exponent", "per step", "standard error over blocks of steps"});
    write_rows(group, "floquet_exponents", runs.floquet_exponents,
               {"run,exponent", "per period", "Lyapunov exponents times period"});
    write_complex(group, "floquet_multipliers", runs.floquet_multipliers,
                  {"run,multiplier", "", "of one turn around the cycle"});
    write_rows(group, "mean", runs.mean, {"run,unit", "", "time average of the state"});
    write_rows(group, "state", runs.state, {"run,unit", "", "last state"});
}

void write_frequencies(Group group, const RowMatrix& inputs, const Frequencies& f) {
    write_rows(group, "inputs", inputs, {"input,feature", "", "as the first cell sees them"});
    group.write("point", f.point,
                {"input", "", "row of find/points with the leading complex pair; -1: none"});
    group.write("modulus", f.modulus, {"input", "", "of that pair"});
    group.write("linear_frequency", f.linear, {"input", "radians per time", "arg lambda / dt"});
    group.write("cycle_frequency", f.cycle,
                {"input", "radians per time", "median of the runs on a cycle"});
    group.write("target_frequency", f.target,
                {"input", "radians per time", "what the task asks for"});
}

std::optional<TargetFrequencies> read_target_frequencies(const Group& root) {
    if (!root.has_dataset("/truth/frequency") || !root.has_dataset("/truth/input"))
        return std::nullopt;
    TargetFrequencies target;
    target.frequency = root.dataset("/truth/frequency").read_vector();
    const auto inputs = root.dataset("/truth/input");
    target.raw_inputs = inputs.read_vector();
    if (target.raw_inputs.rows() != target.frequency.size())
        throw Error(concat(inputs.where(), ": ", target.raw_inputs.rows(), " rows, expected ",
                           target.frequency.size()));
    return target;
}

void write_branches(Group group, const RowMatrix& path, const std::vector<PathBranch>& branches) {
    const Index size = branches.empty() ? 0 : branches.front().branch.state.cols();
    write_rows(group, "path", path, {"node,input", "", "as the first cell sees it"});
    write_branch_table(group.create_group("branches"), branches);
    write_branch_points(group.create_group("points"), branches, size);
    write_bifurcations(group.create_group("bifurcations"), branches, size);
}

} // namespace assay::fixedpoints
