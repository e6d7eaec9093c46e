// A recurrent cell by itself: against the oracle of test/reference, float against double, the order
// of gates, and the bound of the second derivative against states sampled in the ball.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/network/initialise.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/recurrent_cell.hpp>

#include <Eigen/LU>
#include <catch2/catch.hpp>
#include <network/normal.hpp>
#include <network/oracle.hpp>

#include <cmath>
#include <limits>
#include <string>

using namespace assay;
using namespace assay::network;
using Eigen::Index;
using network_test::kOracleFile;
using network_test::rows_of;

namespace {

// Normal numbers, addressed by a test's name.
Rows<double> cell_numbers(const std::string& name, std::uint64_t seed, Index rows, Index cols) {
    return network_test::normal(seed, "test/network/cell/" + name, rows, cols);
}

struct OracleCell {
    Model model;
    RowMatrix x, h;
};

OracleCell read_cell_case(const hdf5::Group& group) {
    OracleCell c;
    c.model = read_model(group);
    c.model.architecture = *group.text_attribute("architecture");
    c.x = rows_of(group.dataset("x"), 2);
    c.h = rows_of(group.dataset("h"), 2);
    return c;
}

template <class S>
RecurrentCell<S> cell_of(const Model& model) {
    const Network<S> network(model.architecture);
    return RecurrentCell<S>(network, *network.find_node("cell"), network.load(model));
}

template <class S>
void check_oracle(const std::string& name, double tolerance) {
    CAPTURE(name);
    const auto file = hdf5::File::open(kOracleFile, "oracle");
    const auto group = file.root().group("/cells/" + name);
    const OracleCell c = read_cell_case(group);
    const auto cell = cell_of<S>(c.model);
    const Rows<S> x = c.x.template cast<S>(), h = c.h.template cast<S>();
    const auto expect = [&](const Rows<S>& found, const std::string& dataset) {
        CAPTURE(dataset);
        const RowMatrix expected = rows_of(group.dataset(dataset), found.rows());
        REQUIRE(found.cols() == expected.cols());
        const double scale = std::max(1.0, expected.cwiseAbs().maxCoeff());
        CHECK((found.template cast<double>() - expected).cwiseAbs().maxCoeff() < tolerance * scale);
    };
    const auto vector = [&](const std::string& dataset) {
        return Rows<S>(rows_of(group.dataset(dataset), 1).template cast<S>());
    };
    expect(cell.step(x, h), "next");
    expect(cell.jacobian_state(x, h), "jacobian_state");
    expect(cell.jacobian_input(x, h), "jacobian_input");
    const Rows<S> u = vector("u"), v = vector("v"), w = vector("covector");
    expect(cell.second(x, h, u, v), "second_uv");
    expect(cell.second_adjoint(x, h, w, u), "second_covector_u");
    REQUIRE(cell.has_reduced() == group.has_dataset("reduced"));
    if (cell.has_reduced()) {
        expect(cell.reduced(x, h), "reduced");
        expect(cell.reduced_jacobian(x, h), "reduced_jacobian");
    } else {
        CHECK_THROWS_AS(cell.reduced(x, h), Error);
    }
    // Matrix-free products against the dense Jacobians.
    const RowMatrix state = rows_of(group.dataset("jacobian_state"), 2 * h.cols());
    const RowMatrix input = rows_of(group.dataset("jacobian_input"), 2 * h.cols());
    const Rows<double> dx = cell_numbers(name + "/dx", 1, 2, x.cols());
    const Rows<double> dh = cell_numbers(name + "/dh", 1, 2, h.cols());
    const Rows<S> moved = cell.tangent(x, h, dx.template cast<S>(), dh.template cast<S>());
    const Rows<S> kept = cell.tangent(x, h, Rows<S>(), dh.template cast<S>());
    const auto back = cell.adjoint(x, h, dh.template cast<S>());
    const Index n = h.cols();
    for (Index b = 0; b < 2; ++b) {
        const auto j = state.middleRows(b * n, n), k = input.middleRows(b * n, n);
        const auto near = [&](const RowMatrix& expected, const Rows<S>& found) {
            return (found.template cast<double>() - expected).cwiseAbs().maxCoeff() <
                   10 * tolerance;
        };
        CHECK(near(dh.row(b) * j.transpose() + dx.row(b) * k.transpose(), moved.row(b)));
        CHECK(near(dh.row(b) * j.transpose(), kept.row(b)));
        CHECK(near(dh.row(b) * j, back.state.row(b)));
        CHECK(near(dh.row(b) * k, back.input.row(b)));
    }
    // One input for all states is the same as that input in every row.
    const Rows<S> same = x.row(0).replicate(2, 1);
    CHECK((cell.step(x.topRows(1), h) - cell.step(same, h)).cwiseAbs().maxCoeff() <
          std::numeric_limits<S>::epsilon() * 8);
}

std::vector<std::string> cell_names() {
    return hdf5::File::open(kOracleFile, "oracle").root().group("/cells").names();
}

struct Kind {
    std::string type, keys;
};
const std::vector<Kind> kKinds = {
    {"rnn", ""},
    {"rnn", R"(, "activation": "softplus")"},
    {"gru", R"(, "reset_after": true)"},
    {"gru", R"(, "reset_after": true, "activation": "softplus")"},
    {"gru", R"(, "reset_after": false)"},
    {"lstm", ""},
    {"lstm", R"(, "activation": "softplus")"},
    {"ugrnn", ""},
    {"janet", ""},
    {"ctrnn", R"(, "form": "rate", "alpha": 0.3)"},
    {"ctrnn", R"(, "form": "current", "alpha": 0.3)"},
    {"linear", ""},
};

std::string architecture(const Kind& kind, Index units, Index inputs) {
    return R"({"format": "assay-architecture/1", "input": {"shape": [4, )" +
           std::to_string(inputs) +
           R"(], "axes": ["time", "feature"]}, "layers": [{"name": "cell", "type": ")" + kind.type +
           R"(", "units": )" + std::to_string(units) + kind.keys + R"(, "recurrent_bias": true}]})";
}

// Normal weights of standard deviation gain / sqrt(units).
RecurrentCell<double> random_cell(const Kind& kind, Index units, double gain, std::uint64_t seed) {
    const Network<double> network(architecture(kind, units, 3));
    Weights<double> weights;
    weights.trained = cell_numbers(kind.type + kind.keys, seed, network.parameter_count(), 1) *
                      (gain / std::sqrt(static_cast<double>(units)));
    return RecurrentCell<double>(network, 1, weights);
}

// A unit row.
Rows<double> direction(const std::string& name, std::uint64_t seed, Index size) {
    Rows<double> row = cell_numbers(name, seed, 1, size);
    return row / row.norm();
}

// The largest |D2F[u, v]| found around a state by alternating ascent from a random start, in the
// full map; of the reduced map by differences of its Jacobian along the ascent's u.
double ascend(const RecurrentCell<double>& cell, const Rows<double>& x, const Rows<double>& h,
              std::uint64_t seed, int steps) {
    Rows<double> u = direction("u", seed, h.cols()), v = direction("v", seed, h.cols());
    double most = 0;
    for (int step = 0; step < steps; ++step) {
        Rows<double> w = cell.second(x, h, u, v);
        most = std::max(most, w.norm());
        if (w.norm() == 0) break;
        w /= w.norm();
        Rows<double> next = cell.second_adjoint(x, h, w, u);
        if (next.norm() == 0) break;
        u = v;
        v = next / next.norm();
    }
    return most;
}

} // namespace

TEST_CASE("recurrent cells equal the oracle in double", "[network][cell]") {
    const auto names = cell_names();
    REQUIRE(names.size() == 17);
    for (const auto& name : names) check_oracle<double>(name, 1e-12);
}

TEST_CASE("recurrent cells equal the oracle in float", "[network][cell]") {
    for (const auto& name : cell_names()) check_oracle<float>(name, 1e-5);
}

TEST_CASE("a cell steps as its layer unrolls", "[network][cell]") {
    for (const auto& kind : kKinds) {
        CAPTURE(kind.type, kind.keys);
        const Index units = 37, inputs = 3, batch = 5;
        const Network<double> network(architecture(kind, units, inputs));
        Weights<double> weights;
        weights.trained = 0.3 * cell_numbers("unroll", 1, network.parameter_count(), 1);
        const RecurrentCell<double> cell(network, 1, weights);
        const Rows<double> sequence = cell_numbers("sequence", 2, batch, 4 * inputs);
        Pass<double> pass(network);
        const Rows<double> expected = pass.forward(weights, sequence, {});
        Rows<double> h = cell.initial_state().transpose().replicate(batch, 1);
        for (Index t = 0; t < 4; ++t) h = cell.step(sequence.middleCols(t * inputs, inputs), h);
        CHECK((cell.output(h) - expected).cwiseAbs().maxCoeff() < 1e-13);
    }
}

TEST_CASE("gates in another order make the same cell", "[network][cell]") {
    for (const auto& [name, order, theirs] :
         {std::tuple{"gru_after", std::vector<Index>{1, 0, 2}, "z,r,n"},
          std::tuple{"lstm", std::vector<Index>{1, 0, 3, 2}, "f,i,o,g"}}) {
        const auto file = hdf5::File::open(kOracleFile, "oracle");
        const OracleCell c = read_cell_case(file.root().group(std::string("/cells/") + name));
        const auto gates = static_cast<Index>(order.size());
        Model other = c.model;
        REQUIRE(other.gates.size() == 1);
        other.gates[0].gates = theirs;
        for (auto& array : other.parameters) {
            const Index rows = array.shape[0];
            const RowMatrix values = Eigen::Map<const RowMatrix>(
                array.values.data(), rows, static_cast<Index>(array.values.size()) / rows);
            RowMatrix moved = values;
            for (Index gate = 0; gate < gates; ++gate)
                moved.middleRows(gate * rows / gates, rows / gates) = values.middleRows(
                    order[static_cast<std::size_t>(gate)] * rows / gates, rows / gates);
            array.values.assign(moved.data(), moved.data() + moved.size());
        }
        REQUIRE(other.parameters[0].values != c.model.parameters[0].values);
        const auto one = cell_of<double>(c.model), two = cell_of<double>(other);
        CHECK(one.step(c.x, c.h) == two.step(c.x, c.h));
        CHECK(one.jacobian_state(c.x, c.h) == two.jacobian_state(c.x, c.h));
    }
}

TEST_CASE("the reduced map rests where the cell rests", "[network][cell]") {
    for (const auto& kind : kKinds) {
        CAPTURE(kind.type, kind.keys);
        const auto cell = random_cell(kind, 24, 0.7, 3);
        if (!cell.has_reduced()) continue;
        const Rows<double> x = cell_numbers("rest", 1, 1, 3);
        // Picard iteration: the gain makes R a contraction nearly everywhere.
        Rows<double> h = Rows<double>::Zero(1, 24);
        for (int i = 0; i < 4000; ++i) h = 0.5 * h + 0.5 * cell.reduced(x, h);
        REQUIRE((cell.reduced(x, h) - h).norm() < 1e-12);
        const Rows<double> full = cell.full_state(x, h);
        CHECK((cell.step(x, full) - full).norm() < 1e-11);
        // sign det(I - J) is the same for both.
        const Index size = cell.state_size();
        const Matrix j = Matrix::Identity(size, size) - cell.jacobian_state(x, full);
        const Matrix r = Matrix::Identity(24, 24) - cell.reduced_jacobian(x, h);
        CHECK((j.determinant() > 0) == (r.determinant() > 0));
    }
}

TEST_CASE("1 - f of an lstm keeps its digits near f = 1", "[network][cell]") {
    const Network<double> network(architecture({"lstm", ""}, 1, 1));
    Weights<double> weights;
    weights.trained = Column<double>::Zero(network.parameter_count());
    // bias of i, f, g, o stands after kernel (4) and recurrent (4).
    weights.trained.segment(8, 4) << -38, 38, 0.5, 1;
    const RecurrentCell<double> cell(network, 1, weights);
    const Rows<double> zero = Rows<double>::Zero(1, 1);
    const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
    const double expected = sigmoid(1) * std::tanh(sigmoid(-38) * std::tanh(0.5) / sigmoid(-38));
    CHECK(cell.reduced(zero, zero)(0, 0) == Approx(expected).epsilon(1e-13));
}

TEST_CASE("the bound of the second derivative holds", "[network][cell]") {
    // Sampled states lie in the ball, mostly near its surface; the factor by which the bound
    // exceeds the largest value found is at most `loose` for a small ball.
    const double loose = 6;
    double worst = 0, wide = 0; // largest factors, of a tiny ball and of radius 0.1
    for (const Index units : {1, 3, 12, 40})
        for (std::size_t k = 0; k < kKinds.size(); ++k) {
            const auto& kind = kKinds[k];
            const auto seed = static_cast<std::uint64_t>(units);
            const auto cell = random_cell(kind, units, units == 12 ? 3.0 : 1.2, seed);
            const Rows<double> x = cell_numbers("x", seed, 1, 3);
            const Rows<double> h = cell_numbers("h", seed, 1, cell.state_size());
            const SecondBound bound = cell.second_bound(x, h);
            double previous = 0;
            for (const double radius : {0.0, 1e-6, 1e-2, 0.1, 0.5, 2.0}) {
                CAPTURE(kind.type, kind.keys, units, radius);
                const double most = bound(radius);
                REQUIRE(most >= previous * (1 - 1e-12));
                previous = most;
                double found = 0;
                for (std::uint64_t i = 0; i < 30; ++i) {
                    const double at = i == 0 ? 0 : radius * (i % 3 == 0 ? 0.5 : 1 - 1e-9);
                    const Rows<double> near = h + at * direction("at", 100 * seed + i, h.cols());
                    found = std::max(found, ascend(cell, x, near, i, radius == 0 ? 60 : 12));
                }
                REQUIRE(found <= most);
                if (radius <= 1e-6 && found > 1e-3) {
                    worst = std::max(worst, most / found);
                    CHECK(most < loose * found);
                }
                if (radius == 0.1 && found > 1e-3) {
                    wide = std::max(wide, most / found);
                    CHECK(most < 25 * found);
                }
            }
        }
    INFO("largest factors " << worst << ", " << wide);
    CHECK(worst > 1);
}

TEST_CASE("the bound of the reduced map's second derivative holds", "[network][cell]") {
    for (const Index units : {1, 4, 16})
        for (const auto& kind : kKinds) {
            const auto seed = static_cast<std::uint64_t>(units) + 50;
            const auto cell = random_cell(kind, units, 1.5, seed);
            if (!cell.has_reduced()) continue;
            const Rows<double> x = cell_numbers("x", seed, 1, 3);
            const Rows<double> h = cell_numbers("h", seed, 1, units);
            const SecondBound bound = cell.second_bound(x, h, CellMap::reduced);
            for (const double radius : {1e-3, 0.1, 1.0}) {
                CAPTURE(kind.type, kind.keys, units, radius);
                const double most = bound(radius);
                // |J(p) - J(q)| <= bound |p - q| inside the ball.
                double found = 0;
                for (std::uint64_t i = 0; i < 60; ++i) {
                    const Rows<double> p =
                        h + radius * direction("p", seed + i, units) * (i % 2 == 0 ? 0.999 : 0.3);
                    const Rows<double> q = p - 1e-2 * radius *
                                                   (p - h + radius * direction("q", i, units)) /
                                                   (2 * radius);
                    if ((q - h).norm() > radius) continue;
                    const Matrix change = cell.reduced_jacobian(x, p) - cell.reduced_jacobian(x, q);
                    const double norm = std::sqrt((change.transpose() * change).trace() /
                                                  static_cast<double>(units)); // at most |change|_2
                    const Rows<double> v = direction("v", i, units);
                    const double along = (v * change.transpose()).norm();
                    found = std::max(found, std::max(norm, along) / (p - q).norm());
                }
                REQUIRE(found > 0);
                CHECK(found <= most * (1 + 1e-7));
                if (radius < 0.01 && units > 1) CHECK(most < 40 * found);
            }
        }
}

TEST_CASE("the bound is infinite where a kink can be reached", "[network][cell]") {
    const auto cell = random_cell({"rnn", R"(, "activation": "relu")"}, 8, 1.0, 4);
    const Rows<double> x = cell_numbers("x", 9, 1, 3), h = cell_numbers("h", 9, 1, 8);
    // The distance to the nearest kink, from the affine map that an identity activation leaves.
    const auto affine = random_cell({"linear", ""}, 8, 1.0, 4);
    CellForm form = cell.form();
    form.activation.function = Function::identity;
    form.kind = CellKind::linear;
    Column<double> parameters(8 * 3 + 8 * 8 + 8 + 8);
    parameters << Eigen::Map<const Column<double>>(cell.arrays().kernel.data(), 24),
        Eigen::Map<const Column<double>>(cell.arrays().recurrent.data(), 64), cell.arrays().bias,
        cell.arrays().recurrent_bias;
    const Rows<double> a = RecurrentCell<double>(form, parameters).step(x, h);
    double nearest = std::numeric_limits<double>::infinity();
    for (Index i = 0; i < 8; ++i)
        nearest = std::min(nearest, std::abs(a(0, i)) / cell.arrays().recurrent.row(i).norm());
    const SecondBound bound = cell.second_bound(x, h);
    CHECK(bound(0.999 * nearest) == 0);
    CHECK(std::isinf(bound(1.001 * nearest)));
    // A gate that saturates within reach, and one that stays on its line.
    const auto hard =
        random_cell({"gru", R"(, "recurrent_activation": "hard_sigmoid")"}, 8, 1.0, 4);
    CHECK(std::isfinite(hard.second_bound(x, h)(1e-3)));
    CHECK(std::isinf(hard.second_bound(x, h)(100)));
    CHECK(affine.second_bound(x, h)(1e6) == 0);
    CHECK(std::isinf(cell.second_bound(x, h)(std::numeric_limits<double>::infinity())));
}

TEST_CASE("a cell refuses what does not fit", "[network][cell]") {
    const auto cell = random_cell({"lstm", ""}, 4, 1, 1);
    const Rows<double> x = Rows<double>::Zero(2, 3), h = Rows<double>::Zero(2, 8);
    CHECK_THROWS_WITH(cell.step(x, h.leftCols(4)), "states of 4 numbers; 8 are expected");
    CHECK_THROWS_WITH(cell.step(x.leftCols(2), h), "inputs of 2 x 2; 2 x 3 are expected");
    CHECK_THROWS_WITH(cell.second_bound(x, h), "one state is expected, found 2");
    CHECK_THROWS_AS(RecurrentCell<double>(cell.form(), Column<double>(3)), Error);
    const Network<double> network(
        R"({"input": {"shape": [2]}, "layers": [{"name": "a", "type": "dense", "units": 2}]})");
    CHECK_THROWS_WITH(RecurrentCell<double>(network, 1, initial_weights(network, "auto", 1)),
                      "layer 'a' of type 'dense' is not recurrent");
}
