// Graphs of points against systems whose connections are known in closed form.
#include "small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/connections.hpp>
#include <assay/fixedpoints/launch.hpp>
#include <assay/fixedpoints/search.hpp>
#include <assay/fixedpoints/tangents.hpp>
#include <assay/fixedpoints/topology.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace assay;
using namespace assay::fixedpoints;
using namespace assay::test;

namespace {

// Whether orbits can lead from one point of a product to another: its zero coordinates may leave
// zero, the others stay.
bool leads(const std::vector<int>& from, const std::vector<int>& to) {
    for (std::size_t i = 0; i < from.size(); ++i)
        if (from[i] != 0 && from[i] != to[i]) return false;
    return from != to;
}

std::ptrdiff_t zeros(const std::vector<int>& signs) {
    return std::count(signs.begin(), signs.end(), 0);
}

bool same(const Graph& a, const Graph& b) {
    if (a.edges.size() != b.edges.size() || a.attractors != b.attractors) return false;
    for (std::size_t e = 0; e < a.edges.size(); ++e)
        if (a.edges[e].from != b.edges[e].from || a.edges[e].to != b.edges[e].to ||
            a.edges[e].distance != b.edges[e].distance)
            return false;
    return a.probability == b.probability && a.cycle_state == b.cycle_state;
}

} // namespace

TEST_CASE("the graph of three decoupled bits is the face lattice of the cube", "[topology]") {
    // Equal and unequal gains, as specs/fixedpoints.md section 11.
    const std::vector<double> gains =
        GENERATE(std::vector<double>{2.0, 1.6, 1.3}, std::vector<double>{1.7, 1.7, 1.7});
    const Product product = product_system(gains, 9);
    const Dynamics dynamics = plain_network(product.recurrent, Matrix::Zero(12, 1));
    const System system = system_at(dynamics, product.states, RowMatrix::Zero(1, 1));
    TopologyOptions options;
    const Graph graph = find_graph(dynamics, system.points, system.systems, options, {});
    REQUIRE(graph.attractors.size() == 8);

    std::set<std::pair<Index, Index>> found;
    std::vector<int> adjacent(4, 0); // edges down from points with 1, 2, 3 zero coordinates
    for (const Edge& edge : graph.edges) {
        const auto& from = product.signs[static_cast<std::size_t>(edge.from)];
        const auto& to = product.signs[static_cast<std::size_t>(edge.to)];
        INFO(edge.from << " -> " << edge.to << " at " << edge.distance);
        CHECK(leads(from, to));
        CHECK((edge.kind == EdgeKind::to_attractor) == (zeros(to) == 0));
        CHECK(edge.distance < 0.05 * graph.spacing(edge.to));
        found.insert({edge.from, edge.to});
        if (zeros(from) == zeros(to) + 1) ++adjacent[static_cast<std::size_t>(zeros(from))];
    }
    CHECK(adjacent == std::vector<int>{0, 24, 24, 6});
    CHECK(found.size() == graph.edges.size());
    CHECK(std::all_of(graph.unexplained.begin(), graph.unexplained.end(),
                      [](std::int32_t n) { return n == 0; }));

    for (Index p = 0; p < 27; ++p) {
        const auto& from = product.signs[static_cast<std::size_t>(p)];
        INFO("point " << p);
        CHECK(graph.probability.row(p).sum() == Approx(1).margin(1e-12));
        // The signs of a start decide. The angles hit axes exactly, so allow for their share.
        const double expected = std::pow(0.5, zeros(from));
        for (std::size_t a = 0; a < 8; ++a) {
            const auto& to = product.signs[static_cast<std::size_t>(graph.attractors[a])];
            const bool reachable = leads(from, to) || from == to;
            CHECK(graph.probability(p, static_cast<Index>(a)) ==
                  Approx(reachable ? expected : 0).margin(reachable ? 0.065 : 0));
        }
    }
}

TEST_CASE("the graph is the cube's where coupled modes grow at different rates", "[topology]") {
    // Weak coupling moves points and orbits, but no connection of the decoupled bits appears or
    // ends: all of them are transversal. What the slower modes decide now lies in a narrow part of
    // a small sphere around a point.
    const Product product = product_system({2.0, 1.6, 1.3}, 0);
    Matrix coupled = product.recurrent;
    for (Index i = 0; i < 3; ++i)
        for (Index k = 0; k < 3; ++k) coupled(i, k) += 0.06 * std::cos(1.0 + double(2 * i + 5 * k));
    const Dynamics dynamics = plain_network(coupled, Matrix::Zero(3, 1));
    const RowMatrix input = RowMatrix::Zero(1, 1);
    const Points points = search_exact(dynamics, input, product.states, {}, {}).points;
    REQUIRE(points.count() == 27);
    const System system = system_at(dynamics, points.state, input);
    const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});

    const auto signs = [&](Index point) {
        Index nearest = 0;
        (product.states.rowwise() - points.state.row(point)).rowwise().norm().minCoeff(&nearest);
        return product.signs[static_cast<std::size_t>(nearest)];
    };
    std::vector<int> adjacent(4, 0);
    for (const Edge& edge : graph.edges) {
        INFO(edge.from << " -> " << edge.to << " at " << edge.distance);
        CHECK(leads(signs(edge.from), signs(edge.to)));
        const auto down = zeros(signs(edge.from));
        if (zeros(signs(edge.to)) + 1 == down) ++adjacent[static_cast<std::size_t>(down)];
    }
    CHECK(adjacent == std::vector<int>{0, 24, 24, 6});
}

TEST_CASE("saddles that attract slowly are reached where rounding ends a single shot",
          "[topology]") {
    // The third bit grows by 1.03 a step and settles by 0.94, the others grow by 3.2 and 3:
    // rounding has grown to the size of the state after 31 steps, within which an orbit to the
    // saddles where only that bit is set comes no nearer than 0.94^31 = 0.15 of its way.
    const Product product = product_system({3.2, 3.0, 1.03}, 0);
    Matrix coupled = product.recurrent;
    for (Index i = 0; i < 3; ++i)
        for (Index k = 0; k < 3; ++k) coupled(i, k) += 0.002 * std::cos(double(2 * i + 5 * k));
    const Dynamics dynamics = plain_network(coupled, Matrix::Zero(3, 1));
    const RowMatrix input = RowMatrix::Zero(1, 1);
    const Points points = search_exact(dynamics, input, product.states, {}, {}).points;
    REQUIRE(points.count() == 27);
    const System system = system_at(dynamics, points.state, input);
    const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});
    const auto unstable = [&](Index p) {
        return count_unstable(system.systems[static_cast<std::size_t>(p)].values);
    };
    Index slow = 0; // edges from the middle to those two saddles
    for (const Edge& edge : graph.edges) {
        if (unstable(edge.from) != 3 || unstable(edge.to) != 2) continue;
        if (points.state.row(edge.to).norm() > 2 * upper_root(1.03)) continue;
        ++slow;
        INFO(edge.to << " at " << edge.distance);
        CHECK(edge.distance < 0.002 * graph.spacing(edge.to));
    }
    CHECK(slow == 2);
}

TEST_CASE("starts of a launch and their directions", "[topology]") {
    Matrix jacobian = Matrix::Zero(4, 4); // 1.5, 1.2, 0.5 and -1.1, not orthogonal
    jacobian.diagonal() << 1.5, 1.2, 0.5, -1.1;
    jacobian(0, 1) = 0.4;
    jacobian(2, 3) = 0.3;
    const EigenSystem system = eigen_system(jacobian, 4);
    const RowMatrix centre = RowMatrix::Constant(1, 4, 0.25);
    const double epsilon = 1e-4, scale = 2;
    const Launch launch = launch_from_ellipsoid(centre, system, epsilon, scale);
    REQUIRE(launch.dimensions() == 3);
    // Rates ln 1.5 > ln 1.2 > ln 1.1: after the same number of steps all lengths reach the scale,
    // but for the slowest, which is cut at a twentieth.
    const double steps = std::log(scale / epsilon) / std::log(1.5);
    CHECK(launch.columns.col(0).norm() == Approx(epsilon).epsilon(1e-12));
    CHECK(launch.columns.col(1).norm() * std::pow(1.2, steps) == Approx(scale).epsilon(1e-9));
    CHECK(launch.columns.col(2).norm() == Approx(scale / 20).epsilon(1e-12));
    const Matrix u = random_directions(3, 20, 5, 1);
    const RowMatrix states = launch.states(u);
    for (Index i = 0; i < u.cols(); ++i)
        CHECK((launch.direction(states.row(i)) - u.col(i)).norm() < 1e-9);

    const Launch sphere = launch_from_sphere(centre, system, epsilon);
    const RowMatrix around = sphere.states(u);
    for (Index i = 0; i < u.cols(); ++i)
        CHECK((around.row(i) - centre).norm() == Approx(epsilon).epsilon(1e-9));
}

TEST_CASE("a graph has the same bits for any number of threads", "[topology]") {
    const Product product = product_system({2.0, 1.5, 1.25}, 4);
    const Dynamics dynamics = plain_network(product.recurrent, Matrix::Zero(7, 1));
    const System system = system_at(dynamics, product.states, RowMatrix::Zero(1, 1));
    TopologyOptions options;
    options.angles = 16;
    options.directions = 300; // more than one block
    options.pairs = 8;
    Execution one, three;
    three.threads = 3;
    const Graph a = find_graph(dynamics, system.points, system.systems, options, one);
    CHECK(same(a, find_graph(dynamics, system.points, system.systems, options, three)));
    KickOptions kicks;
    CHECK(kick_probability(dynamics, system.points, system.systems, kicks, one) ==
          kick_probability(dynamics, system.points, system.systems, kicks, three));
}

TEST_CASE("states around an unstable focus fall to its cycle", "[topology]") {
    const Dynamics dynamics = plain_network(rotation_weights(1.2, 0.3), Matrix::Zero(2, 1));
    const System system = system_at(dynamics, RowMatrix::Zero(1, 2), RowMatrix::Zero(1, 1));
    const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});
    CHECK(graph.attractors.empty());
    CHECK(graph.edges.empty());
    CHECK(graph.probability(0, 0) == Approx(1)); // columns: cycle, infinity, nowhere
    REQUIRE(graph.cycle_state.rows() == 1);
    CHECK(graph.cycle_state.norm() > 0.3);
}

TEST_CASE("what diverges, rests everywhere or has no attractor ends", "[topology]") {
    SECTION("relu that grows without limit") {
        const Dynamics dynamics =
            plain_network(1.1 * Matrix::Identity(2, 2), Matrix::Identity(2, 2), Function::relu);
        // h = -x / 0.1 rests where all units are active.
        const RowMatrix x = RowMatrix::Constant(1, 2, -0.1);
        const System system = system_at(dynamics, RowMatrix::Constant(1, 2, 1), x);
        const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});
        // Falls to (0, 0) where both fall below 1, the missing point; else to infinity.
        CHECK(graph.probability.row(0).sum() == Approx(1));
        CHECK(graph.probability(0, 1) >= 0.7);
        CHECK(graph.probability(0, 2) <= 0.3);
    }
    SECTION("the identity: every state rests") {
        const Dynamics dynamics =
            plain_network(Matrix::Identity(3, 3), Matrix::Zero(3, 1), Function::identity);
        RowMatrix states(2, 3);
        states << 0, 0, 0, 1, 2, 3;
        const System system = system_at(dynamics, states, RowMatrix::Zero(1, 1));
        const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});
        CHECK(graph.edges.empty());
        const RowMatrix kicked = kick_probability(dynamics, system.points, system.systems, {}, {});
        CHECK(kicked == RowMatrix::Identity(2, 2));
    }
    SECTION("a saddle whose attractors nobody gave") {
        const Product product = product_system({1.5}, 0);
        const Dynamics dynamics = plain_network(product.recurrent, Matrix::Zero(1, 1));
        const System system = system_at(dynamics, RowMatrix::Zero(1, 1), RowMatrix::Zero(1, 1));
        const Graph graph = find_graph(dynamics, system.points, system.systems, {}, {});
        CHECK(graph.probability(0, 2) == 1);
    }
}

TEST_CASE("kicks are a Markov chain of errors between attractors", "[topology]") {
    const Product product = product_system({1.5}, 0);
    const Dynamics dynamics = plain_network(product.recurrent, Matrix::Zero(1, 1));
    const System system = system_at(dynamics, product.states, RowMatrix::Zero(1, 1));
    KickOptions options;
    options.kicks = 4000;
    options.scale = 1; // spacing of the points is a: an error beyond one standard deviation
    const RowMatrix p = kick_probability(dynamics, system.points, system.systems, options, {});
    // P(normal < -1) = 0.158655.
    CHECK(p(0, 2) == Approx(0.158655).margin(0.025));
    CHECK(p(2, 0) == Approx(0.158655).margin(0.025));
    CHECK(p(1, 0) == Approx(0.5).margin(0.035));
    CHECK(p.col(1).isZero());
    CHECK(p.rowwise().sum().isApproxToConstant(1));
}

TEST_CASE("points of neighbouring inputs make a chain", "[topology]") {
    Points points;
    points.state.resize(4, 1);
    points.state << 0.3, 0.1, 0.2, 0.4;
    points.input_id = {2, 0, 1, 3};
    points.kind.assign(4, PointKind::fixed);
    const Chain chain = chain_graph(points);
    CHECK(chain.simple);
    CHECK(chain.edges == std::vector<std::array<Index, 2>>{{0, 3}, {1, 2}, {2, 0}});
    points.input_id = {1, 0, 1, 2};
    const Chain branched = chain_graph(points);
    CHECK_FALSE(branched.simple);
    // 0.1 is nearest to 0.2, both points of input 1 are nearest to 0.1 below and 0.4 above.
    CHECK(branched.edges == std::vector<std::array<Index, 2>>{{0, 3}, {1, 0}, {1, 2}, {2, 3}});
}

TEST_CASE("directions move as differences of states", "[topology]") {
    // A stack of a gru and an lstm would need a model; one layer of each kind suffices here, the
    // chain through layers is the Jacobian's own test.
    const Matrix w = rotation_weights(1.3, 0.4), k = Matrix::Ones(2, 1);
    const Dynamics dynamics = plain_network(w, k);
    RowMatrix h(2, 2), x(2, 1), directions(4, 2);
    h << 0.2, -0.4, 0.7, 0.1;
    x << 0.3, -0.2;
    directions << 1, 0, 0, 1, 0.5, -2, 1, 1;
    const TangentStep step = tangent_step(dynamics, x, h, directions);
    for (Index row = 0; row < 4; ++row) {
        const Index state = row / 2;
        const double e = 1e-6;
        const RowMatrix up = h.row(state) + e * directions.row(row),
                        down = h.row(state) - e * directions.row(row);
        const RowMatrix difference =
            (dynamics.step(x.row(state), up) - dynamics.step(x.row(state), down)) / (2 * e);
        CHECK((step.directions.row(row) - difference).norm() < 1e-9);
    }
    CHECK(step.state == dynamics.step(x, h));
}

TEST_CASE("wrong numbers of systems and options are refused", "[topology]") {
    const Dynamics dynamics = plain_network(rotation_weights(1.2, 0.3), Matrix::Zero(2, 1));
    const System system = system_at(dynamics, RowMatrix::Zero(1, 2), RowMatrix::Zero(1, 1));
    CHECK_THROWS_WITH(find_graph(dynamics, system.points, {}, {}, {}),
                      "0 eigen-systems for 1 points");
    TopologyOptions options;
    options.epsilon = 0;
    CHECK_THROWS_WITH(find_graph(dynamics, system.points, system.systems, options, {}),
                      "epsilon 0: must be > 0");
    KickOptions kicks;
    kicks.kicks = 0;
    CHECK_THROWS_WITH(kick_probability(dynamics, system.points, system.systems, kicks, {}),
                      "kicks 0: must be >= 1");
}
