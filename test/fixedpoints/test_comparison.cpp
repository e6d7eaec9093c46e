#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/adjacency.hpp>
#include <assay/fixedpoints/comparison.hpp>

#include "network_sets.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

TEST_CASE("metrics have the words of the command line", "[fixedpoints][comparison]") {
    CHECK(metric_name(AnyMetric(Metric::cka_debiased)) == "cka-debiased");
    CHECK(metric_name(AnyMetric(DynamicsMetric::dsa_spectrum)) == "dsa-spectrum");
    CHECK(metric_name(AnyMetric(DynamicsMetric::spectrum_curves)) == "spectrum-curves");
    CHECK(metric_name(AnyMetric(TopologyMetric::label)) == "topology-label");
    CHECK(metric_name(AnyMetric(TopologyMetric::chain)) == "chain");
    CHECK(needs_activations(Metric::shape));
    CHECK(needs_activations(DynamicsMetric::dsa));
    CHECK_FALSE(needs_activations(DynamicsMetric::spectrum));
    CHECK_FALSE(needs_activations(TopologyMetric::match));
}

TEST_CASE("valid steps stand one after another", "[fixedpoints][comparison]") {
    Trajectories t;
    t.trials = 3;
    t.steps = 2;
    t.states.resize(6, 1);
    t.states << 1, 2, 3, 0, 5, 6;
    CHECK(valid_rows(t, t.states) == t.states);
    t.lengths = {2, 1, 2};
    RowMatrix expected(5, 1);
    expected << 1, 2, 3, 5, 6;
    CHECK(valid_rows(t, t.states) == expected);
    // Of one column the principal coordinate is the column without its mean, up to its sign.
    const Trajectories principal = principal_trajectories(t);
    RowMatrix centred(6, 1);
    centred << 1 - 3.4, 2 - 3.4, 3 - 3.4, 0, 5 - 3.4, 6 - 3.4;
    const double sign = principal.states(0, 0) < 0 ? 1 : -1;
    CHECK((sign * principal.states - centred).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("the parts of a network that a metric asks for", "[fixedpoints][comparison]") {
    const testing::RingNetworks networks(3);
    const Execution run;
    // Rotated copies are the same network to all that allow rotations, whatever the number of
    // units (the third is padded with a silent one).
    for (const AnyMetric metric :
         {AnyMetric(Metric::svcca), AnyMetric(Metric::cka), AnyMetric(Metric::procrustes),
          AnyMetric(Metric::shape), AnyMetric(DynamicsMetric::dsa),
          AnyMetric(DynamicsMetric::dsa_spectrum)}) {
        ComparisonOptions options;
        options.delays = 2;
        options.rank = 3;
        INFO(metric_name(metric));
        const auto pairs = compare_networks(networks, metric, options, {}, run);
        CHECK(pairs.distance.rows() == 3);
        CHECK(pairs.distance.maxCoeff() < 1e-6); // a root of rounding
    }
    // Network i has the eigenvalues 0.5 and 0.5 + 0.1 i at its only point.
    const auto spectra = compare_networks(networks, DynamicsMetric::spectrum, {}, {}, run).distance;
    CHECK(spectra(0, 2) == Approx(0.2 / std::sqrt(2.0)).epsilon(1e-12));
    const auto curves =
        compare_networks(networks, DynamicsMetric::spectrum_curves, {}, {}, run).distance;
    CHECK(curves(1, 2) == Approx(0.1).epsilon(1e-12));
}

TEST_CASE("networks without a common point are refused by name", "[fixedpoints][comparison]") {
    testing::RingNetworks networks(3);
    networks.inputs[1] = 7;
    CHECK_THROWS_WITH(compare_networks(networks, DynamicsMetric::spectrum, {}, {}, Execution{}),
                      Contains("networks 0 and 1") && Contains("no points of the same input"));
}

TEST_CASE("weights of a graph's edges", "[fixedpoints][comparison]") {
    Graph graph;
    graph.attractors = {0, 1};
    graph.probability = RowMatrix::Zero(4, 5);
    graph.probability.row(2) << 0.25, 0.75, 0, 0, 0;
    graph.edges = {{2, 0, EdgeKind::to_attractor, 0},
                   {2, 1, EdgeKind::to_attractor, 0},
                   {3, 0, EdgeKind::to_attractor, 0},
                   {3, 2, EdgeKind::heteroclinic, 0.01}};
    Matrix expected = Matrix::Zero(4, 4);
    expected(2, 0) = 0.25;
    expected(2, 1) = 0.75;
    expected(3, 0) = 1e-9; // met by a bisection only: still an edge
    expected(3, 2) = 1;
    CHECK(adjacency(graph) == expected);
    graph.edges.push_back({3, 2, EdgeKind::to_attractor, 0});
    CHECK_THROWS_WITH(adjacency(graph), Contains("attractor 2"));
    Chain chain;
    chain.edges = {{0, 2}, {1, 2}};
    CHECK(adjacency(chain, 3).sum() == 2);
    CHECK(adjacency(chain, 3)(0, 2) == 1);
}

TEST_CASE("mean spectra of groups, rank by rank", "[fixedpoints][comparison]") {
    const auto of = [](std::vector<double> v) {
        return Vector(Eigen::Map<const Vector>(v.data(), static_cast<Index>(v.size())));
    };
    const auto curves =
        spectrum_curves({of({1, 0.5}), of({2}), of({3, 0.1, 0.1}), of({4})}, {"b", "a", "b", "a"});
    CHECK(curves.groups == std::vector<std::string>{"a", "b"});
    CHECK(curves.mean(0, 0) == 3);
    CHECK(curves.standard_error(0, 0) == Approx(1)); // sd sqrt(2), over sqrt(2)
    CHECK(std::isnan(curves.mean(0, 1)));
    CHECK(curves.mean(1, 1) == Approx(0.3));
    CHECK(curves.mean(1, 2) == Approx(0.1));
    CHECK(std::isnan(curves.standard_error(1, 2)));
    Matrix networks(2, 3);
    networks << 2, 0, 0, 2, 2, 1;
    CHECK(curves.networks == networks);
}

TEST_CASE("a page and groups of a known matrix", "[fixedpoints][comparison]") {
    // Corners of a rectangle 3 x 4: exact in a plane.
    Matrix distance(4, 4);
    distance << 0, 3, 4, 5, 3, 0, 5, 4, 4, 5, 0, 3, 5, 4, 3, 0;
    std::vector<NetworkLabel> labels{{"side", {"l", "l", "r", "r"}},
                                     {"size", {"1", "2", "1", "2"}}};
    labels.push_back(combined_label(labels));
    CHECK(labels.back().name == "side+size");
    CHECK(labels.back().values[3] == "r 2");
    for (const Scaled scaling : {Scaled::smacof, Scaled::classical}) {
        SummaryOptions options;
        options.scaling = scaling;
        const auto summary = summarise(distance, labels, options, Execution{});
        CHECK(summary.mean == 4);
        CHECK(summary.scaling->stress < 1e-20);
        CHECK(summary.classical->negative_share < 1e-12);
        CHECK(summary.groups[0].within == 3);
        CHECK(summary.groups[0].between == 4.5);
        CHECK(summary.groups[1].within == 4);
    }
    SummaryOptions none;
    none.scaling = Scaled::none;
    const auto summary = summarise(distance, {}, none, Execution{});
    CHECK_FALSE(summary.scaling.has_value());
    CHECK(summary.groups.empty());
    // One dimension cannot hold the rectangle: by hand, the classical places are the long axis.
    SummaryOptions line;
    line.scaling = Scaled::classical;
    line.dims = 1;
    CHECK(summarise(distance, {}, line, Execution{}).scaling->stress ==
          Approx(2 * 9 + 2 * 0 + 2 * 1).epsilon(1e-12));
}
