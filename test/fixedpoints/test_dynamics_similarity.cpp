#include <assay/core/error.hpp>
#include <assay/fixedpoints/dsa.hpp>
#include <assay/fixedpoints/dynamics_similarity.hpp>

#include <catch2/catch.hpp>

#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

namespace {

ComplexVector values(std::initializer_list<std::complex<double>> list) {
    ComplexVector v(static_cast<Index>(list.size()));
    std::copy(list.begin(), list.end(), v.data());
    return v;
}

// The lattice of a 3-bit memory: readouts {-1, 0, 1}^3, an edge from each point to those with one
// zero less; in the given order.
PointGraph lattice(const std::vector<Index>& order) {
    PointGraph graph;
    graph.readout.resize(27, 3);
    graph.n_unstable.resize(27);
    for (Index p = 0; p < 27; ++p) {
        const Index code = order[static_cast<std::size_t>(p)];
        const Index digits[] = {code % 3 - 1, code / 3 % 3 - 1, code / 9 - 1};
        for (Index k = 0; k < 3; ++k) {
            graph.readout(p, k) = static_cast<double>(digits[k]);
            graph.n_unstable[static_cast<std::size_t>(p)] += digits[k] == 0;
        }
    }
    graph.adjacency = Matrix::Zero(27, 27);
    for (Index i = 0; i < 27; ++i)
        for (Index j = 0; j < 27; ++j)
            if ((graph.readout.row(i) - graph.readout.row(j)).cwiseAbs().sum() == 1 &&
                graph.n_unstable[static_cast<std::size_t>(j)] ==
                    graph.n_unstable[static_cast<std::size_t>(i)] - 1)
                graph.adjacency(i, j) = 0.5;
    return graph;
}

std::vector<Index> shuffled(unsigned seed) {
    std::srand(seed);
    std::vector<Index> order(27);
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = 26; i > 0; --i)
        std::swap(order[i], order[static_cast<std::size_t>(std::rand()) % (i + 1)]);
    return order;
}

const TopologyMetric kTopologies[] = {TopologyMetric::label, TopologyMetric::spectral,
                                      TopologyMetric::census, TopologyMetric::match,
                                      TopologyMetric::chain};

Matrix random_orthogonal(Index size) {
    return Eigen::HouseholderQR<Matrix>(Matrix::Random(size, size)).householderQ();
}

// A stable linear system run from `trials` random states.
Trajectories run_linear(const Matrix& map, Index trials, Index steps) {
    Trajectories run;
    run.trials = trials;
    run.steps = steps;
    run.states.resize(trials * steps, map.rows());
    for (Index trial = 0; trial < trials; ++trial) {
        Vector state = Vector::Random(map.rows());
        for (Index t = 0; t < steps; ++t) {
            run.states.row(run.row(trial, t)) = state.transpose();
            state = map * state;
        }
    }
    return run;
}

} // namespace

TEST_CASE("distance of eigenvalue clouds", "[fixedpoints][spectrum-distance]") {
    using C = std::complex<double>;
    const ComplexVector a = values({C(1, 0), C(0, 1), C(0, -1)});
    CHECK(spectrum_distance(a, values({C(0, -1), C(1, 0), C(0, 1)})) == 0);
    // Moved by 3 + 4i each.
    CHECK(std::abs(spectrum_distance(a, ComplexVector(a.array() + C(3, 4))) - 5) < 1e-12);
    // Padded with zeros: one of modulus 1 is left over, the mean is over three.
    CHECK(std::abs(spectrum_distance(a, values({C(0, 1), C(1, 0)})) - std::sqrt(1.0 / 3)) < 1e-12);
    CHECK(spectrum_distance(ComplexVector(), ComplexVector()) == 0);
}

TEST_CASE("spectra are compared at points of like readout", "[fixedpoints][spectrum-distance]") {
    PointSpectra a, b;
    a.readout.resize(3, 1);
    a.readout << -1, 0, 1;
    a.eigenvalues = {values({0.5, 0.1}), values({2, 0.3}), values({0.7, 0.2})};
    b.readout.resize(2, 1);
    b.readout << 1.05, -0.9;
    b.eigenvalues = {values({0.2, 0.7}), values({0.1, 0.5})};
    const SpectrumDistance distance = spectrum_distance(a, b);
    CHECK(distance.matched == 2);
    CHECK(distance.wasserstein < 1e-15);
    // Curves of a: ((0.5 + 2 + 0.7) / 3, 0.2), of b: (0.6, 0.15).
    CHECK(std::abs(distance.curves - std::hypot(3.2 / 3 - 0.6, 0.2 - 0.15)) < 1e-12);

    // Within inputs only: the first point of b belongs to another input than the last of a.
    a.input_id = {0, 0, 1};
    b.input_id = {0, 0};
    const SpectrumDistance apart = spectrum_distance(a, b);
    CHECK(apart.matched == 2);
    CHECK(apart.wasserstein > 0.1);
    b.input_id = {7, 7};
    CHECK(std::isnan(spectrum_distance(a, b).wasserstein));
    b.readout = RowMatrix::Zero(2, 2);
    CHECK_THROWS_WITH(spectrum_distance(a, b), Contains("1 and 2 outputs"));
    b.readout = RowMatrix::Zero(3, 1);
    CHECK_THROWS_AS(spectrum_distance(a, b), Error);
}

TEST_CASE("labels are the signs of readouts", "[fixedpoints][topology-distance]") {
    RowMatrix row(1, 5);
    row << 1.1, -0.2, -0.9, 0.5, 0.51;
    CHECK(readout_label(row) == "+0-0+");
}

TEST_CASE("networks with the same lattice have the same topology",
          "[fixedpoints][topology-distance]") {
    const unsigned seed = GENERATE(1u, 2u, 3u);
    const PointGraph a = lattice(shuffled(seed));
    PointGraph b = lattice(shuffled(seed + 10));
    b.readout.array() *= 0.93;
    b.adjacency *= 0.7; // other probabilities on the same edges
    for (const TopologyMetric metric : kTopologies) {
        INFO(topology_name(metric));
        CHECK(topology_distance(a, b, metric) < 1e-6);
    }
    // 54 edges of 0.5 against 0.35.
    TopologyDistanceOptions weighted;
    weighted.weights = EdgeWeights::kept;
    CHECK(std::abs(topology_distance(a, b, TopologyMetric::label, weighted) -
                   std::sqrt(54 * 0.15 * 0.15)) < 1e-12);
}

TEST_CASE("a lost point counts as its edges", "[fixedpoints][topology-distance]") {
    std::vector<Index> order(27);
    std::iota(order.begin(), order.end(), 0);
    const PointGraph a = lattice(order);
    // Without the point of readout (1, 1, 1), which three edges reach.
    PointGraph b;
    b.readout = a.readout.topRows(26);
    b.n_unstable.assign(a.n_unstable.begin(), a.n_unstable.end() - 1);
    b.adjacency = a.adjacency.topLeftCorner(26, 26);
    REQUIRE(a.readout.row(26).sum() == 3);
    CHECK(std::abs(topology_distance(a, b, TopologyMetric::label) - std::sqrt(3)) < 1e-12);
    CHECK(std::abs(topology_distance(a, b, TopologyMetric::match) - std::sqrt(3)) < 1e-12);
    CHECK(topology_distance(a, b, TopologyMetric::census) == 1);
    CHECK(topology_distance(a, b, TopologyMetric::spectral) > 0.1);
    // Two points of one name are one node.
    PointGraph twice = a;
    twice.readout.row(26) = twice.readout.row(25); // (0, 1, 1) takes the edges of (1, 1, 1)
    CHECK(topology_distance(twice, a, TopologyMetric::label) > 1);
    b.n_unstable.pop_back();
    CHECK_THROWS_AS(topology_distance(a, b, TopologyMetric::label), Error);
}

TEST_CASE("spectral and census distances by hand", "[fixedpoints][topology-distance]") {
    // An undirected edge between two nodes has eigenvalues 1 and -1, a path of three sqrt(2), 0,
    // -sqrt(2); padded, the first is 1, 0, -1.
    PointGraph edge, path;
    edge.readout = RowMatrix::Zero(2, 1);
    edge.n_unstable = {0, 1};
    edge.adjacency = Matrix::Zero(2, 2);
    edge.adjacency(0, 1) = edge.adjacency(1, 0) = 1;
    path.readout = RowMatrix::Zero(3, 1);
    path.n_unstable = {0, 0, 2};
    path.adjacency = Matrix::Zero(3, 3);
    path.adjacency(0, 1) = path.adjacency(1, 0) = path.adjacency(1, 2) = path.adjacency(2, 1) = 1;
    CHECK(std::abs(topology_distance(edge, path, TopologyMetric::spectral) -
                   std::sqrt(2) * (std::sqrt(2) - 1)) < 1e-12);
    CHECK(topology_distance(edge, path, TopologyMetric::census) == 3); // 1 + 1 + 1
    // A one-way edge counts half in (A + A') / 2.
    PointGraph one_way = edge;
    one_way.adjacency(1, 0) = 0;
    CHECK(std::abs(topology_distance(edge, one_way, TopologyMetric::spectral) - std::sqrt(0.5)) <
          1e-12);
}

TEST_CASE("chains over inputs are compared by input", "[fixedpoints][topology-distance]") {
    const auto chain = [](Index inputs, Index broken) {
        PointGraph graph;
        graph.readout = RowMatrix::Random(inputs, 1);
        graph.n_unstable.assign(static_cast<std::size_t>(inputs), 2);
        graph.adjacency = Matrix::Zero(inputs, inputs);
        for (Index k = 0; k < inputs; ++k) {
            graph.input_id.push_back(static_cast<std::int32_t>(k));
            if (k + 1 < inputs && k != broken)
                graph.adjacency(k, k + 1) = graph.adjacency(k + 1, k) = 1;
        }
        return graph;
    };
    CHECK(topology_distance(chain(9, -1), chain(9, -1), TopologyMetric::chain) == 0);
    CHECK(std::abs(topology_distance(chain(9, -1), chain(9, 4), TopologyMetric::chain) -
                   std::sqrt(2)) < 1e-12);
    CHECK(std::abs(topology_distance(chain(9, -1), chain(7, -1), TopologyMetric::chain) - 2) <
          1e-12);
}

TEST_CASE("operators that differ by an orthogonal map are the same", "[fixedpoints][dsa]") {
    const Index size = GENERATE(1, 2, 5, 10);
    std::srand(static_cast<unsigned>(size));
    for (int trial = 0; trial < 5; ++trial) {
        const Matrix a = Matrix::Random(size, size), q = random_orthogonal(size);
        const OperatorAlignment found = align_operators(a, 3 * q * a * q.transpose());
        CHECK(found.angle < 1e-6);
        CHECK((found.rotation.transpose() * found.rotation - Matrix::Identity(size, size)).norm() <
              1e-9);
    }
}

TEST_CASE("the angle of small operators is the least over all orthogonal maps",
          "[fixedpoints][dsa]") {
    std::srand(21);
    for (int trial = 0; trial < 6; ++trial) {
        const Matrix a = Matrix::Random(2, 2), b = Matrix::Random(2, 2);
        double highest = -1;
        for (int k = 0; k < 20000; ++k) {
            const double t = 2 * M_PI * k / 20000;
            Matrix c(2, 2);
            c << std::cos(t), -std::sin(t), std::sin(t), std::cos(t);
            for (int side = 0; side < 2; ++side) {
                highest = std::max(highest, a.cwiseProduct(c * b * c.transpose()).sum());
                c.row(1) *= -1;
            }
        }
        const double expected = std::acos(highest / a.norm() / b.norm());
        CHECK(std::abs(align_operators(a, b).angle - expected) < 1e-5);
    }
    // Symmetric operators: the eigenvalues in order (von Neumann's trace inequality).
    const Matrix q = random_orthogonal(6);
    const Vector la = Vector::LinSpaced(6, -1, 2),
                 lb = Vector::LinSpaced(6, 0.1, 1).array().square();
    const Matrix a = q * la.asDiagonal() * q.transpose(), b = lb.asDiagonal();
    CHECK(std::abs(align_operators(a, b).angle - std::acos(la.dot(lb) / la.norm() / lb.norm())) <
          1e-6);
    CHECK_THROWS_AS(align_operators(Matrix::Zero(2, 2), b), Error);
    CHECK_THROWS_AS(align_operators(Matrix::Ones(2, 3), b), Error);
}

TEST_CASE("operators of linear systems have their eigenvalues", "[fixedpoints][dsa]") {
    std::srand(22);
    Matrix map(3, 3);
    map << 0.9, -0.3, 0, 0.3, 0.9, 0, 0, 0, 0.7;
    const Matrix basis = random_orthogonal(3);
    map = basis * map * basis.transpose();
    Trajectories run = run_linear(map, 40, 12);
    // One delay and two: a linear system of three dimensions has three directions in both. Centring
    // adds a constant, which decays to the mean of all: the states are symmetric about 0 in the
    // mean here, made so by mirrored trials.
    RowMatrix both(2 * run.states.rows(), 3);
    both << run.states, -run.states;
    run.states = both;
    run.trials *= 2;
    for (const Index delays : {1, 3}) {
        const Matrix a = dmd_operator(run, delays, 3);
        REQUIRE(a.rows() == 3);
        CHECK(operator_spectrum_distance(a, map) < 1e-10);
    }
    CHECK(dmd_operator(run, 3, 9).rows() == 3); // no more directions than there are
    CHECK(dmd_operator(run, 1, 2).rows() == 2);
    CHECK_THROWS_WITH(dmd_operator(run, 12, 3), Contains("trials of at least 13 steps"));
    CHECK_THROWS_AS(dmd_operator(run, 0, 3), Error);
}

TEST_CASE("systems in other coordinates are the same, others are not", "[fixedpoints][dsa]") {
    std::srand(23);
    const auto stable = [](Index size) {
        Matrix m = Matrix::Random(size, size);
        return Matrix(0.9 * m / std::sqrt(m.squaredNorm() / 3));
    };
    const Matrix map = stable(5), q = random_orthogonal(5);
    const Trajectories run = run_linear(map, 30, 15);
    Trajectories turned = run;
    turned.states = run.states * q.transpose();
    const Matrix a = dmd_operator(run, 2, 5), b = dmd_operator(turned, 2, 5);
    CHECK(align_operators(a, b).angle < 1e-6);
    CHECK(operator_spectrum_distance(a, b) < 1e-9);
    const Matrix other = dmd_operator(run_linear(stable(5), 30, 15), 2, 5);
    CHECK(align_operators(a, other).angle > 0.05);
    // Shorter trials are cut, and no step leads from one trial to the next.
    Trajectories ragged = run;
    ragged.lengths.assign(30, 15);
    CHECK(dmd_operator(ragged, 2, 5) == a);
    ragged.lengths[3] = 1;
    ragged.states.middleRows(ragged.row(3, 0), 15).setConstant(1e6);
    CHECK(align_operators(dmd_operator(ragged, 2, 5), a).angle < 0.1);
}
