// Graphs of points against systems whose connections are known in closed form.
#include "small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/chain_graph.hpp>
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

// Bits whose coupling moves points and orbits, but so weakly that no connection of the decoupled
// ones appears or ends: all of them are transversal.
struct CoupledBits {
    Product decoupled;
    System system;
    Graph graph;
    // Of the point of the decoupled bits that a point comes from.
    [[nodiscard]] std::vector<int> signs(Index point) const {
        Index nearest = 0;
        (decoupled.states.rowwise() - system.points.state.row(point))
            .rowwise()
            .norm()
            .minCoeff(&nearest);
        return decoupled.signs[static_cast<std::size_t>(nearest)];
    }
    // Edges between adjacent dimensions, by the zeros of their source.
    [[nodiscard]] std::vector<int> adjacent() const {
        std::vector<int> count(static_cast<std::size_t>(decoupled.recurrent.rows()) + 1, 0);
        for (const Edge& edge : graph.edges) {
            const auto down = zeros(signs(edge.from));
            if (zeros(signs(edge.to)) + 1 == down) ++count[static_cast<std::size_t>(down)];
        }
        return count;
    }
};

CoupledBits coupled_bits(const std::vector<double>& gains, double coupling) {
    CoupledBits bits;
    bits.decoupled = product_system(gains, 0);
    Matrix coupled = bits.decoupled.recurrent;
    for (Index i = 0; i < coupled.rows(); ++i)
        for (Index k = 0; k < coupled.cols(); ++k)
            coupled(i, k) += coupling * std::cos(1.0 + double(2 * i + 5 * k));
    const Dynamics dynamics = plain_network(coupled, Matrix::Zero(coupled.rows(), 1));
    const RowMatrix input = RowMatrix::Zero(1, 1);
    const Points points = search_exact(dynamics, input, bits.decoupled.states, {}, {}).points;
    REQUIRE(points.count() == bits.decoupled.states.rows());
    bits.system = system_at(dynamics, points.state, input);
    bits.graph = find_graph(dynamics, bits.system.points, bits.system.systems, {}, {});
    for (const Edge& edge : bits.graph.edges) {
        INFO(edge.from << " -> " << edge.to << " at " << edge.distance);
        CHECK(leads(bits.signs(edge.from), bits.signs(edge.to)));
    }
    return bits;
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
        CHECK(edge.correction < 3e-5); // the widest pair, grown by one more step
        CHECK(edge.departure >= 0.99e-4);
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
        // A bound on the circle, else standard errors; one zero: a start a side.
        const double errors = zeros(from) == 3 ? 4 : 1;
        for (std::size_t a = 0; a < 8; ++a) {
            const auto& to = product.signs[static_cast<std::size_t>(graph.attractors[a])];
            const bool reachable = leads(from, to) || from == to;
            CHECK(graph.probability(p, static_cast<Index>(a)) ==
                  Approx(reachable ? expected : 0).margin(reachable ? 0.065 : 0));
            const double error = graph.probability_error(p, static_cast<Index>(a));
            CHECK(std::abs(graph.probability(p, static_cast<Index>(a)) -
                           (reachable ? expected : 0)) <= errors * error + 1e-12);
            CHECK((error == 0) == (zeros(from) < 2 || (zeros(from) == 2 && !reachable)));
            CHECK(error <= 1.0 / 32);
        }
    }
}

TEST_CASE("the graph is the cube's where coupled modes grow at different rates", "[topology]") {
    // What the slower modes decide lies in a narrow part of a small sphere around a point.
    CHECK(coupled_bits({2.0, 1.6, 1.3}, 0.06).adjacent() == std::vector<int>{0, 24, 24, 6});
}

TEST_CASE("saddles that attract slowly are reached where rounding ends a single shot",
          "[topology]") {
    // The third bit grows by 1.03 a step and settles by 0.94, the others grow by 3.2 and 3:
    // rounding has grown to the size of the state after 31 steps, within which an orbit to the
    // saddles where only that bit is set comes no nearer than 0.94^31 = 0.15 of its way.
    const CoupledBits bits = coupled_bits({3.2, 3.0, 1.03}, 0.002);
    const auto unstable = [&](Index p) {
        return count_unstable(bits.system.systems[static_cast<std::size_t>(p)].values);
    };
    Index slow = 0; // edges from the middle to those two saddles
    for (const Edge& edge : bits.graph.edges) {
        if (unstable(edge.from) != 3 || unstable(edge.to) != 2) continue;
        if (bits.system.points.state.row(edge.to).norm() > 2 * upper_root(1.03)) continue;
        ++slow;
        INFO(edge.to << " at " << edge.distance << ", corrected by " << edge.correction);
        CHECK(edge.distance < 0.002 * bits.graph.spacing(edge.to));
        // An orbit in pieces, each within what aiming may correct; from the wider ellipsoid at
        // most.
        CHECK(edge.correction > 0);
        CHECK(edge.correction <= 1e-7);
        CHECK(edge.departure > 0);
        CHECK(edge.departure <= std::sqrt(3.0) / 2 * bits.graph.spacing(edge.from));
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

TEST_CASE("errors of shares", "[topology]") {
    RowMatrix share(1, 3);
    share << 0, 0.25, 1;
    const RowMatrix error = share_error(share, 8);
    // Beta(1 + k, 1 + n - k) has variance (k + 1) (n - k + 1) / ((n + 2)^2 (n + 3)).
    CHECK(error(0) == Approx(std::sqrt(1.0 * 9 / 1100)).epsilon(1e-14));
    CHECK(error(1) == Approx(std::sqrt(3.0 * 7 / 1100)).epsilon(1e-14));
    CHECK(error(2) == Approx(error(0)).epsilon(1e-14));
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

TEST_CASE("slow points are no part of a chain of exact ones", "[topology]") {
    Points points;
    points.state.resize(4, 1);
    points.state << 0.3, 0.1, 0.15, 0.2;
    points.input_id = {2, 0, 0, 1};
    points.kind.assign(4, PointKind::fixed);
    points.kind[2] = PointKind::slow;
    const Chain chain = chain_graph(points);
    CHECK(chain.simple);
    CHECK(chain.edges == std::vector<std::array<Index, 2>>{{1, 3}, {3, 0}});
    // A search for slow points alone has a chain of these.
    points.kind.assign(4, PointKind::slow);
    CHECK(chain_graph(points).edges.size() == 3);
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

TEST_CASE("gaps of a graph by its own laws", "[topology]") {
    // A square: a repeller (0), four saddles (1 - 4), four attractors (5 - 8).
    const std::vector<Index> unstable{2, 1, 1, 1, 1, 0, 0, 0, 0};
    std::vector<Edge> square;
    for (Index k = 0; k < 4; ++k) {
        square.push_back({0, 1 + k, EdgeKind::heteroclinic});
        square.push_back({0, 5 + k, EdgeKind::to_attractor});
        square.push_back({1 + k, 5 + k, EdgeKind::to_attractor});
        square.push_back({1 + k, 5 + (k + 1) % 4, EdgeKind::to_attractor});
    }
    using Pairs = std::vector<std::array<Index, 2>>;
    CHECK(find_gaps(square, unstable).none());
    SECTION("without the edge to a saddle, both its attractors have one way left") {
        square.erase(square.begin());
        const GraphGaps gaps = find_gaps(square, unstable);
        CHECK(gaps.odd == Pairs{{0, 5}, {0, 6}});
        CHECK(gaps.implied.empty());
    }
    SECTION("without the edge to an attractor, a third point implies it") {
        square.erase(square.begin() + 1);
        const GraphGaps gaps = find_gaps(square, unstable);
        CHECK(gaps.implied == Pairs{{0, 5}});
        CHECK(gaps.odd.empty());
    }
    SECTION("a saddle both of whose sides fall to one attractor") {
        // The disc: repeller, one saddle met from both sides, one attractor.
        std::vector<Edge> disc{{0, 1, EdgeKind::heteroclinic},
                               {0, 2, EdgeKind::to_attractor},
                               {1, 2, EdgeKind::to_attractor}};
        CHECK(find_gaps(disc, {2, 1, 0}).odd == Pairs{{0, 2}});
        disc[2].orbits = 2;
        CHECK(find_gaps(disc, {2, 1, 0}).none());
    }
}

TEST_CASE("fast modes carry a slow one farther than starts near their source reach", "[topology]") {
    // Coupling of 0.002 moves the weak bit by 0.002 / (1 - 1.03) while the strong ones settle: the
    // orbits to saddles where it stays undecided leave their source far along it.
    const CoupledBits bits = coupled_bits({3.2, 3.0, 1.03}, 0.002);
    CHECK(bits.adjacent() == std::vector<int>{0, 24, 24, 6});
    CHECK(bits.graph.gaps.none());
}

TEST_CASE("a graph of four unstable dimensions", "[topology]") {
    const CoupledBits bits = coupled_bits({2.0, 1.8, 1.6, 1.4}, 0.01);
    CHECK(bits.adjacent() == std::vector<int>{0, 64, 96, 48, 8});
    // What is missing is told: 16, 32, 24 and 8 ends of the middle, and so on down.
    Index lacking = 0;
    for (std::size_t p = 0; p < 81; ++p)
        for (std::size_t q = 0; q < 81; ++q)
            lacking += leads(bits.signs(static_cast<Index>(p)), bits.signs(static_cast<Index>(q)));
    lacking -= static_cast<Index>(bits.graph.edges.size());
    CHECK(static_cast<Index>(bits.graph.gaps.implied.size()) == lacking);
    CHECK(bits.graph.gaps.odd.empty());
}
