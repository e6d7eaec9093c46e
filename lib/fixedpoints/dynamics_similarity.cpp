#include <assay/fixedpoints/dynamics_similarity.hpp>

#include <assay/core/error.hpp>
#include <assay/linalg/assignment.hpp>
#include <assay/linalg/graph_matching.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace assay::fixedpoints {
namespace {

// Rows of the points of each input.
std::map<std::int32_t, std::vector<Index>> rows_by_input(Index points,
                                                         const std::vector<std::int32_t>& input) {
    if (!input.empty() && static_cast<Index>(input.size()) != points)
        throw Error(concat("compare: ", input.size(), " inputs for ", points, " points"));
    std::map<std::int32_t, std::vector<Index>> rows;
    for (Index i = 0; i < points; ++i)
        rows[input.empty() ? 0 : input[static_cast<std::size_t>(i)]].push_back(i);
    return rows;
}

ComplexVector padded(const ComplexVector& values, Index size) {
    ComplexVector longer = ComplexVector::Zero(size);
    longer.head(values.size()) = values;
    return longer;
}

Vector padded(const Vector& values, Index size) {
    Vector longer = Vector::Zero(size);
    longer.head(values.size()) = values;
    return longer;
}

void sort_descending(Vector& values) {
    std::sort(values.data(), values.data() + values.size(), std::greater<>());
}

void check_spectra(const PointSpectra& spectra) {
    if (static_cast<Index>(spectra.eigenvalues.size()) != spectra.readout.rows())
        throw Error(concat("compare: spectra of ", spectra.eigenvalues.size(),
                           " points, readouts of ", spectra.readout.rows()));
}

} // namespace

Vector mean_modulus_curve(const PointSpectra& spectra) {
    Index longest = 0;
    for (const auto& values : spectra.eigenvalues) longest = std::max(longest, values.size());
    Vector mean = Vector::Zero(longest);
    for (const auto& values : spectra.eigenvalues) {
        Vector moduli = values.cwiseAbs();
        sort_descending(moduli);
        mean.head(moduli.size()) += moduli;
    }
    return mean / static_cast<double>(std::max<std::size_t>(spectra.eigenvalues.size(), 1));
}

double curve_distance(const Vector& a, const Vector& b) {
    const Index size = std::max(a.size(), b.size());
    return (padded(a, size) - padded(b, size)).norm();
}

double spectrum_distance(const ComplexVector& a, const ComplexVector& b) {
    const Index size = std::max(a.size(), b.size());
    if (size == 0) return 0;
    const ComplexVector first = padded(a, size), second = padded(b, size);
    Matrix cost(size, size);
    for (Index j = 0; j < size; ++j) cost.col(j) = (first.array() - second(j)).abs2();
    return std::sqrt(linalg::assign(cost).cost / static_cast<double>(size));
}

std::vector<PointPair> match_points(const RowMatrix& readout_a,
                                    const std::vector<std::int32_t>& input_a,
                                    const RowMatrix& readout_b,
                                    const std::vector<std::int32_t>& input_b) {
    if (readout_a.cols() != readout_b.cols())
        throw Error(concat("compare: networks of ", readout_a.cols(), " and ", readout_b.cols(),
                           " outputs"));
    const auto rows_a = rows_by_input(readout_a.rows(), input_a);
    const auto rows_b = rows_by_input(readout_b.rows(), input_b);
    std::vector<PointPair> pairs;
    for (const auto& [input, from] : rows_a) {
        const auto found = rows_b.find(input);
        if (found == rows_b.end()) continue;
        const std::vector<Index>& to = found->second;
        Matrix cost(static_cast<Index>(from.size()), static_cast<Index>(to.size()));
        for (Index j = 0; j < cost.cols(); ++j)
            for (Index i = 0; i < cost.rows(); ++i)
                cost(i, j) = (readout_a.row(from[static_cast<std::size_t>(i)]) -
                              readout_b.row(to[static_cast<std::size_t>(j)]))
                                 .norm();
        const linalg::Assignment assignment = linalg::assign(cost);
        for (std::size_t i = 0; i < from.size(); ++i)
            if (assignment.column[i] >= 0)
                pairs.push_back({from[i], to[static_cast<std::size_t>(assignment.column[i])]});
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const PointPair& x, const PointPair& y) { return x.a < y.a; });
    return pairs;
}

SpectrumDistance spectrum_distance(const PointSpectra& a, const PointSpectra& b) {
    check_spectra(a);
    check_spectra(b);
    const std::vector<PointPair> pairs = match_points(a.readout, a.input_id, b.readout, b.input_id);
    SpectrumDistance distance;
    distance.matched = static_cast<Index>(pairs.size());
    for (const PointPair& pair : pairs)
        distance.wasserstein += spectrum_distance(a.eigenvalues[static_cast<std::size_t>(pair.a)],
                                                  b.eigenvalues[static_cast<std::size_t>(pair.b)]);
    distance.wasserstein = pairs.empty() ? std::numeric_limits<double>::quiet_NaN()
                                         : distance.wasserstein / static_cast<double>(pairs.size());
    distance.curves = curve_distance(mean_modulus_curve(a), mean_modulus_curve(b));
    return distance;
}

namespace {

// The name of each node: the input it belongs to and a word.
using Name = std::pair<std::int32_t, std::string>;

void check_graph(const PointGraph& graph) {
    const Index points = graph.readout.rows();
    if (graph.adjacency.rows() != points || graph.adjacency.cols() != points ||
        static_cast<Index>(graph.n_unstable.size()) != points)
        throw Error(concat("compare: a graph of ", points, " points with an adjacency matrix of ",
                           graph.adjacency.rows(), " x ", graph.adjacency.cols(), " and ",
                           graph.n_unstable.size(), " numbers of unstable dimensions"));
}

std::vector<Name> names_by_label(const PointGraph& graph) {
    std::vector<Name> names(static_cast<std::size_t>(graph.readout.rows()));
    for (const auto& [input, rows] : rows_by_input(graph.readout.rows(), graph.input_id))
        for (const Index row : rows)
            names[static_cast<std::size_t>(row)] = {input, readout_label(graph.readout.row(row))};
    return names;
}

// Points of one input in the lexicographic order of their readouts.
std::vector<Name> names_by_rank(const PointGraph& graph) {
    std::vector<Name> names(static_cast<std::size_t>(graph.readout.rows()));
    for (auto [input, rows] : rows_by_input(graph.readout.rows(), graph.input_id)) {
        std::sort(rows.begin(), rows.end(), [&](Index x, Index y) {
            const Index outputs = graph.readout.cols();
            const double *first = graph.readout.data() + x * outputs,
                         *second = graph.readout.data() + y * outputs;
            return std::lexicographical_compare(first, first + outputs, second, second + outputs);
        });
        for (std::size_t rank = 0; rank < rows.size(); ++rank)
            names[static_cast<std::size_t>(rows[rank])] = {input, concat(rank)};
    }
    return names;
}

using NamedEdges = std::map<std::pair<Name, Name>, double>;

NamedEdges edges_by_name(const Matrix& adjacency, const std::vector<Name>& names,
                         EdgeWeights weights) {
    NamedEdges edges;
    for (Index j = 0; j < adjacency.cols(); ++j)
        for (Index i = 0; i < adjacency.rows(); ++i) {
            if (adjacency(i, j) == 0) continue;
            double& weight =
                edges[{names[static_cast<std::size_t>(i)], names[static_cast<std::size_t>(j)]}];
            weight = weights == EdgeWeights::ignored ? 1 : weight + adjacency(i, j);
        }
    return edges;
}

double named_distance(const NamedEdges& a, NamedEdges b) {
    double sum = 0;
    for (const auto& [edge, weight] : a) {
        const auto found = b.find(edge);
        const double other = found == b.end() ? 0 : found->second;
        sum += (weight - other) * (weight - other);
        if (found != b.end()) b.erase(found);
    }
    for (const auto& [edge, weight] : b) sum += weight * weight;
    return std::sqrt(sum);
}

Matrix edges_of(const PointGraph& graph, EdgeWeights weights) {
    if (weights == EdgeWeights::kept) return graph.adjacency;
    return (graph.adjacency.array() != 0).cast<double>();
}

Vector symmetrised_eigenvalues(const Matrix& adjacency) {
    if (adjacency.size() == 0) return {};
    return Eigen::SelfAdjointEigenSolver<Matrix>((adjacency + adjacency.transpose()) / 2,
                                                 Eigen::EigenvaluesOnly)
        .eigenvalues();
}

double spectral_distance(const Matrix& a, const Matrix& b) {
    const Index size = std::max(a.rows(), b.rows());
    Vector first = padded(symmetrised_eigenvalues(a), size);
    Vector second = padded(symmetrised_eigenvalues(b), size);
    sort_descending(first);
    sort_descending(second);
    return (first - second).norm();
}

double census_distance(const PointGraph& a, const PointGraph& b) {
    std::map<std::int32_t, Index> difference;
    for (const std::int32_t n : a.n_unstable) ++difference[n];
    for (const std::int32_t n : b.n_unstable) --difference[n];
    Index sum = 0;
    for (const auto& entry : difference) sum += std::abs(entry.second);
    return static_cast<double>(sum);
}

} // namespace

std::string topology_name(TopologyMetric metric) {
    switch (metric) {
    case TopologyMetric::label:
        return "label";
    case TopologyMetric::spectral:
        return "spectral";
    case TopologyMetric::census:
        return "census";
    case TopologyMetric::match:
        return "match";
    case TopologyMetric::chain:
        return "chain";
    }
    throw Error("unknown topology distance");
}

std::string readout_label(const Eigen::Ref<const RowMatrix>& row) {
    std::string label;
    for (Index k = 0; k < row.cols(); ++k)
        label += row(0, k) > 0.5 ? '+' : row(0, k) < -0.5 ? '-' : '0';
    return label;
}

double topology_distance(const PointGraph& a, const PointGraph& b, TopologyMetric metric,
                         const TopologyDistanceOptions& options) {
    check_graph(a);
    check_graph(b);
    const auto named = [&](const PointGraph& graph, const std::vector<Name>& names) {
        return edges_by_name(graph.adjacency, names, options.weights);
    };
    switch (metric) {
    case TopologyMetric::label:
        return named_distance(named(a, names_by_label(a)), named(b, names_by_label(b)));
    case TopologyMetric::chain:
        return named_distance(named(a, names_by_rank(a)), named(b, names_by_rank(b)));
    case TopologyMetric::spectral:
        return spectral_distance(edges_of(a, options.weights), edges_of(b, options.weights));
    case TopologyMetric::census:
        return census_distance(a, b);
    case TopologyMetric::match: {
        linalg::GraphMatchOptions matching;
        matching.starts = options.starts;
        matching.seed = options.seed;
        return linalg::match_graphs(edges_of(a, options.weights), edges_of(b, options.weights),
                                    matching)
            .distance;
    }
    }
    throw Error("unknown topology distance");
}

} // namespace assay::fixedpoints
