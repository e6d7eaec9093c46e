// Networks of known truth against the dynamics that the library computes for them: points rest, the
// Jacobian's eigenvalues (Eigen's solver) are those stated, and counts are those of closed forms.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/synth.hpp>

#include "small_systems.hpp"

#include <catch2/catch.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <set>

using namespace assay;
using namespace assay::fixedpoints;
using assay::test::no_input;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

using Complex = std::complex<double>;

// The largest change of a listed point in one step.
double unrest(const Synthetic& made) {
    const Dynamics dynamics(made.model);
    return (dynamics.step(no_input(dynamics), made.truth.state) - made.truth.state)
        .cwiseAbs()
        .maxCoeff();
}

ComplexVector eigenvalues_at(const Dynamics& dynamics, const RowMatrix& state) {
    return Eigen::EigenSolver<Matrix>(Matrix(dynamics.jacobian_state(no_input(dynamics), state)))
        .eigenvalues();
}

// The largest distance of stated eigenvalues from those of the Jacobian, each to its nearest.
double spectrum_error(const Synthetic& made) {
    const Dynamics dynamics(made.model);
    double worst = 0;
    for (Index p = 0; p < made.truth.state.rows(); ++p) {
        const ComplexVector found = eigenvalues_at(dynamics, made.truth.state.row(p));
        std::vector<Complex> left(found.data(), found.data() + found.size());
        for (Index a = 0; a < found.size(); ++a) {
            const Complex stated = made.truth.eigenvalues(p, a);
            const auto nearest =
                std::min_element(left.begin(), left.end(), [&](const Complex& x, const Complex& y) {
                    return std::abs(x - stated) < std::abs(y - stated);
                });
            worst = std::max(worst, std::abs(*nearest - stated));
            left.erase(nearest);
        }
    }
    return worst;
}

// sign det(I - J) summed over points, by elimination.
Index index_sum(const Synthetic& made) {
    const Dynamics dynamics(made.model);
    const Index size = dynamics.state_size();
    Index sum = 0;
    for (Index p = 0; p < made.truth.state.rows(); ++p) {
        const Matrix gap = Matrix::Identity(size, size) -
                           dynamics.jacobian_state(no_input(dynamics), made.truth.state.row(p));
        sum += gap.determinant() > 0 ? 1 : -1;
    }
    return sum;
}

std::vector<Index> census(const SyntheticTruth& truth) {
    std::vector<Index> counts;
    for (const auto n : truth.n_unstable) {
        counts.resize(std::max(counts.size(), static_cast<std::size_t>(n) + 1));
        ++counts[static_cast<std::size_t>(n)];
    }
    return counts;
}

bool rises(const RowMatrix& state, Index p) {
    for (Index i = 0; i < state.cols(); ++i)
        if (std::abs(state(p, i) - state(p - 1, i)) > 1e-5) return state(p, i) > state(p - 1, i);
    return false;
}

// Rows as a search orders them; eigenvalues by falling magnitude.
bool is_ordered(const SyntheticTruth& truth) {
    for (Index p = 1; p < truth.state.rows(); ++p) {
        const auto at = static_cast<std::size_t>(p);
        if (truth.n_unstable[at - 1] > truth.n_unstable[at]) return false;
        if (truth.n_unstable[at - 1] == truth.n_unstable[at] && !rises(truth.state, p))
            return false;
    }
    for (Index p = 0; p < truth.state.rows(); ++p)
        for (Index a = 1; a < truth.eigenvalues.cols(); ++a)
            if (std::abs(truth.eigenvalues(p, a)) > std::abs(truth.eigenvalues(p, a - 1)))
                return false;
    return true;
}

template <class Make>
std::string refusal(Make&& make) {
    try {
        static_cast<void>(make());
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

} // namespace

TEST_CASE("product: the points, spectra and edges of a cube", "[fixedpoints][synth]") {
    const Synthetic made = make_product({3, {2.0, 1.6, 1.3}, 9, 4});
    const SyntheticTruth& truth = made.truth;
    REQUIRE(truth.state.rows() == 27);
    REQUIRE(truth.state.cols() == 12);
    CHECK(unrest(made) < 1e-14);
    CHECK(spectrum_error(made) < 1e-12);
    CHECK(is_ordered(truth));
    CHECK(truth.complete);
    // Faces of a cube: corners, edges, faces, the body.
    CHECK(census(truth) == std::vector<Index>{8, 12, 6, 1});
    CHECK(truth.index_sum == Index{1});
    CHECK(index_sum(made) == 1);

    // Each edge is bounded by 2 corners, each face by 4 edges, the body by 6 faces.
    std::vector<Index> from(4, 0);
    std::set<std::pair<Index, Index>> distinct;
    for (const TrueEdge& edge : truth.edges) {
        const auto high = truth.n_unstable[static_cast<std::size_t>(edge.from)];
        CHECK(truth.n_unstable[static_cast<std::size_t>(edge.to)] == high - 1);
        CHECK((truth.coordinates.row(edge.from) - truth.coordinates.row(edge.to)).norm() == 1);
        CHECK((edge.kind == TrueEdge::Kind::to_attractor) == (high == 1));
        ++from[static_cast<std::size_t>(high)];
        distinct.insert({edge.from, edge.to});
    }
    CHECK(from == std::vector<Index>{0, 24, 24, 6});
    CHECK(distinct.size() == 54);
}

TEST_CASE("product: flows along the edges arrive where they should", "[fixedpoints][synth]") {
    const Synthetic made = make_product({3, {}, 2, 1});
    const Dynamics dynamics(made.model);
    for (const TrueEdge& edge : made.truth.edges) {
        const RowMatrix from = made.truth.state.row(edge.from), to = made.truth.state.row(edge.to);
        // A coordinate at 0 stays there, so that the way from saddle to saddle is no knife edge.
        const RowMatrix start = from + 1e-3 * (to - from);
        const RowMatrix end = advance(dynamics, no_input(dynamics), start, 400);
        CHECK((end - to).cwiseAbs().maxCoeff() < 1e-9);
    }
}

TEST_CASE("product: a flip-flop", "[fixedpoints][synth]") {
    const Synthetic made = make_product({2, {1.4, 2.5}, 3, 8});
    const Dynamics dynamics(made.model);
    CHECK((dynamics.readout(made.truth.state) - made.truth.coordinates).cwiseAbs().maxCoeff() <
          1e-12);
    RowMatrix state = dynamics.initial_state();
    RowMatrix expected(1, 2);
    const std::vector<std::pair<int, int>> pulses{{1, -1}, {-1, 0}, {0, 1}, {1, 1}, {-1, -1}};
    expected.setZero();
    for (const auto& [first, second] : pulses) {
        RowMatrix x(1, 2);
        x << first, second;
        state = advance(dynamics, no_input(dynamics), dynamics.step(x, state), 200);
        for (Index k = 0; k < 2; ++k)
            if (x(0, k) != 0) expected(0, k) = x(0, k);
        CHECK((dynamics.readout(state) - expected).cwiseAbs().maxCoeff() < 1e-6);
    }
}

TEST_CASE("product: any size, one gain for all, other orders", "[fixedpoints][synth]") {
    const Index bits = GENERATE(1, 2, 5);
    const Index pad = GENERATE(0, 7);
    const Synthetic made = make_product({bits, {1.05}, pad, 3});
    CHECK(made.truth.state.rows() == std::llround(std::pow(3, bits)));
    CHECK(
        static_cast<Index>(made.truth.edges.size()) ==
        std::llround(2.0 * static_cast<double>(bits) * std::pow(3, static_cast<double>(bits - 1))));
    CHECK(unrest(made) < 1e-14);
    CHECK(is_ordered(made.truth));
    CHECK(made.truth.index_sum == Index{1});
    const Synthetic other = make_product({bits, {1.05}, pad, 4});
    if (bits + pad > 5) CHECK(other.model.parameters[1].values != made.model.parameters[1].values);
    CHECK(make_product({bits, {1.05}, pad, 3}).model.parameters[1].values ==
          made.model.parameters[1].values);
}

TEST_CASE("relu-line: every place on the line rests, and inputs add to it",
          "[fixedpoints][synth]") {
    ReluLineSettings settings;
    settings.units = GENERATE(2, 5, 12);
    settings.tilt = GENERATE(0.0, 0.7);
    settings.seed = 5;
    const Synthetic made = make_relu_line(settings);
    const Dynamics dynamics(made.model);
    const SyntheticTruth& truth = made.truth;
    REQUIRE(truth.state.rows() == 2 * settings.points);
    CHECK(unrest(made) < 1e-14);
    CHECK(spectrum_error(made) < 1e-12);
    CHECK((dynamics.readout(truth.state) - truth.coordinates).cwiseAbs().maxCoeff() < 1e-14);
    for (const double scale : {1e-3, 0.123, 40.0})
        CHECK((dynamics.step(no_input(dynamics), scale * truth.state) - scale * truth.state)
                  .cwiseAbs()
                  .maxCoeff() < 1e-14 * std::max(1.0, scale));
    for (Index p = 0; p < truth.state.rows(); ++p) {
        const Matrix jacobian = dynamics.jacobian_state(no_input(dynamics), truth.state.row(p));
        const Vector right = truth.line_direction.row(p).transpose();
        CHECK(truth.eigenvalues(p, 0) == Complex(1));
        CHECK((jacobian * right - right).norm() < 1e-14);
        CHECK((jacobian.transpose() * truth.line_left - truth.line_left).norm() < 1e-13);
        CHECK_THAT(truth.line_left.dot(right), WithinAbs(1, 1e-14));
        CHECK_THAT(right.norm(), WithinAbs(1, 1e-14));
    }
    RowMatrix state = dynamics.initial_state();
    double sum = 0;
    for (const double x : {0.5, 0.25, -1.0, -0.5, 0.0, 2.0, -0.75}) {
        state = dynamics.step(RowMatrix::Constant(1, 1, x), state);
        sum += x;
        CHECK_THAT(dynamics.readout(state)(0, 0), WithinAbs(sum, 1e-13));
    }
}

TEST_CASE("relu-line: states near the line return to it", "[fixedpoints][synth]") {
    ReluLineSettings settings;
    settings.units = 6;
    const Synthetic made = make_relu_line(settings);
    const Dynamics dynamics(made.model);
    RowMatrix state = made.truth.state.bottomRows(1);
    const double before = dynamics.readout(state)(0, 0);
    state(0, 2) *= 1.01;
    const double moved = dynamics.readout(state)(0, 0);
    const RowMatrix end = advance(dynamics, no_input(dynamics), state, 300);
    const RowMatrix expected = moved / before * made.truth.state.bottomRows(1);
    CHECK((end - expected).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("rotation: the origin's pair, and the cycle around it", "[fixedpoints][synth]") {
    const Synthetic made = make_rotation({1.2, 0.3});
    const Dynamics dynamics(made.model);
    REQUIRE(made.truth.state.rows() == 1);
    CHECK(made.truth.state.norm() == 0);
    CHECK(unrest(made) == 0);
    CHECK(spectrum_error(made) < 1e-15);
    CHECK(made.truth.n_unstable[0] == 2);
    CHECK(index_sum(made) == 1);
    CHECK_THAT(std::abs(made.truth.eigenvalues(0, 0)), WithinAbs(1.2, 1e-15));
    CHECK_THAT(std::arg(made.truth.eigenvalues(0, 0)), WithinAbs(0.3, 1e-15));

    // The limit cycle's mean rotation 0.2914 a step and Lyapunov exponents 0, -0.393: their sum is
    // the mean of ln |det J|.
    RowMatrix state(1, 2);
    state << 0.3, 0;
    state = advance(dynamics, no_input(dynamics), state, 1000);
    double turned = 0, contraction = 0;
    constexpr int kSteps = 20000;
    for (int t = 0; t < kSteps; ++t) {
        const RowMatrix next = dynamics.step(no_input(dynamics), state);
        turned += std::arg(Complex(next(0, 0), next(0, 1)) / Complex(state(0, 0), state(0, 1)));
        contraction += std::log(
            std::abs(Matrix(dynamics.jacobian_state(no_input(dynamics), state)).determinant()));
        state = next;
    }
    CHECK_THAT(turned / kSteps, WithinAbs(0.2914, 1e-4));
    CHECK_THAT(contraction / kSteps, WithinAbs(-0.393, 1e-3));
}

TEST_CASE("rotation: a damped one rests at the origin", "[fixedpoints][synth]") {
    const Synthetic made = make_rotation({0.9, 2.5});
    CHECK(made.truth.n_unstable[0] == 0);
    CHECK(spectrum_error(made) < 1e-15);
    const Dynamics dynamics(made.model);
    CHECK(advance(dynamics, no_input(dynamics), RowMatrix::Constant(5, 2, 0.9), 500).norm() <
          1e-12);
}

TEST_CASE("rotation: parameters with points off the origin are refused", "[fixedpoints][synth]") {
    // Two nearly decoupled units of gain 2 have 9 points.
    CHECK_THAT(refusal([] { return make_rotation({2.0, 0.01}); }), Contains("besides the origin"));
    CHECK(refusal([] { return make_rotation({2.0, 1.4}); }).empty());
    CHECK_THAT(refusal([] { return make_rotation({1.2, 0}); }), Contains("theta 0"));
    CHECK_THAT(refusal([] { return make_rotation({-1, 0.3}); }), Contains("rho -1: must be"));
}

TEST_CASE("roll: 3, 3 and 9 points", "[fixedpoints][synth]") {
    const auto [n, count] = GENERATE(table<Index, Index>({{2, 3}, {3, 3}, {4, 9}}));
    const Synthetic made = make_roll(n);
    REQUIRE(made.truth.state.rows() == count);
    CHECK(unrest(made) < 1e-14);
    CHECK(spectrum_error(made) < 1e-12);
    CHECK(is_ordered(made.truth));
    CHECK(made.truth.index_sum == Index{1});
    CHECK(index_sum(made) == 1);
    // numpy: -np.roll(np.linspace(-1, 1, 4), -1) = [1/3, -1/3, -1, 1] is row 1.
    if (n == 4) {
        const auto& w = made.model.parameters[1].values;
        CHECK_THAT(w[4], WithinAbs(1.0 / 3, 1e-15));
        CHECK_THAT(w[5], WithinAbs(-1.0 / 3, 1e-15));
        CHECK(w[6] == -1);
        CHECK(w[7] == 1);
    }
    // The origin is one, and with every point its negative.
    Vector sum = made.truth.state.colwise().sum();
    CHECK(sum.cwiseAbs().maxCoeff() < 1e-14);
}

TEST_CASE("linear: prescribed modes around one point", "[fixedpoints][synth]") {
    const LinearSettings settings =
        GENERATE(LinearSettings{{{0.95, 0}, {0.9, 0.3}, {-0.5, 0}, {1.1, 0}, {0.2, 0.1}}, 0, 1},
                 LinearSettings{{{0.95, 0}, {0.9, 0.3}, {-0.5, 0}, {1.1, 0}, {0.2, 0.1}}, 0.6, 2},
                 LinearSettings{{{0.5, 0}, {-0.5, 0}}, 0.9, 3}, LinearSettings{{{0.7, 0}}, 0, 4});
    const Synthetic made = make_linear(settings);
    const SyntheticTruth& truth = made.truth;
    const Dynamics dynamics(made.model);
    const Index size = dynamics.state_size();
    CHECK(unrest(made) < 1e-13);
    CHECK(spectrum_error(made) < 1e-10);
    CHECK(is_ordered(truth));
    CHECK(index_sum(made) == truth.index_sum.value());
    const Matrix jacobian = dynamics.jacobian_state(no_input(dynamics), truth.state);
    const ComplexMatrix complex = jacobian.cast<Complex>();
    const ComplexMatrix values = truth.eigenvalues.row(0).asDiagonal();
    CHECK((complex * truth.right - truth.right * values).norm() < 1e-12);
    CHECK((truth.left * complex - values * truth.left).norm() < 1e-11);
    CHECK((truth.left * truth.right - ComplexMatrix::Identity(size, size)).norm() < 1e-12);
    for (Index a = 0; a < size; ++a) {
        Index largest = 0;
        const double modulus = truth.right.col(a).cwiseAbs().maxCoeff(&largest);
        CHECK_THAT(truth.right(largest, a).real(), WithinAbs(modulus, 1e-14));
        CHECK_THAT(truth.right.col(a).norm(), WithinAbs(1, 1e-14));
    }
    // Henrici: sqrt(|J|^2 - sum |lambda|^2) / |J|.
    const double squares = truth.eigenvalues.cwiseAbs2().sum();
    const double departure =
        std::sqrt(std::max(0.0, jacobian.squaredNorm() - squares)) / jacobian.norm();
    CHECK_THAT(departure, WithinAbs(settings.henrici, settings.henrici > 0 ? 1e-10 : 1e-7));
    CHECK_THAT(truth.henrici.value(), WithinAbs(settings.henrici, 1e-12));
}

TEST_CASE("linear: a hundred units", "[fixedpoints][synth]") {
    LinearSettings settings{{}, 0.3, 11};
    for (int k = 0; k < 50; ++k)
        settings.eigenvalues.emplace_back(0.9 - 0.03 * k, 0.01 + 0.005 * k);
    const Synthetic made = make_linear(settings);
    CHECK(made.truth.state.cols() == 100);
    CHECK(spectrum_error(made) < 1e-10);
}

TEST_CASE("random networks of every cell", "[fixedpoints][synth]") {
    RandomNetworkSettings settings;
    settings.cell = GENERATE("rnn", "gru", "lstm", "ugrnn", "janet", "ctrnn", "linear");
    settings.units = 40;
    settings.gain = 1.5;
    const Synthetic made = make_random_network(settings);
    const Dynamics dynamics(made.model);
    CHECK(dynamics.inputs() == 3);
    CHECK(dynamics.outputs() == 3);
    CHECK(dynamics.cells()[0].units() == 40);
    CHECK(made.truth.state.rows() == 0);
    const auto& recurrent = dynamics.cells()[0].arrays().recurrent;
    const auto entries = static_cast<double>(recurrent.size());
    // Variance gain^2 / units, within 5 standard errors of a sample of normal numbers.
    CHECK_THAT(recurrent.squaredNorm() / entries,
               WithinRel(1.5 * 1.5 / 40, 5 * std::sqrt(2 / entries)));
    CHECK(make_random_network(settings).model.parameters[1].values ==
          made.model.parameters[1].values);
    settings.seed = 1;
    CHECK(make_random_network(settings).model.parameters[1].values !=
          made.model.parameters[1].values);
}

TEST_CASE("settings out of range cost one line", "[fixedpoints][synth]") {
    const auto says = [](auto&& make, const std::string& text) {
        CHECK_THAT(refusal(make), Contains(text));
    };
    says([] { return make_product({0, {}, 0, 0}); }, "bits 0: must be >= 1");
    says([] { return make_product({3, {}, -1, 0}); }, "pad -1");
    says([] { return make_product({3, {2, 1.5}, 0, 0}); }, "2 gains for 3 bits");
    says([] { return make_product({2, {2, 1}, 0, 0}); }, "gain 1: must be above 1");
    says([] { return make_product({3, {std::nan("")}, 0, 0}); }, "gain nan");
    says([] { return make_product({18, {}, 0, 0}); }, "3^18 points");
    says([] { return make_product({1000000, {}, 0, 0}); }, "allowed");
    says([] { return make_product({6, {}, 0, 0}, 1e5); }, "97.7 KiB allowed");
    says([] { return make_relu_line({1, 0.8, 0.5, 10, 1, 0}); }, "units 1");
    says([] { return make_relu_line({8, 1, 0.5, 10, 1, 0}); }, "decay 1");
    says([] { return make_relu_line({8, 0.5, -1, 10, 1, 0}); }, "tilt -1");
    says([] { return make_relu_line({8, 0.5, 0, 0, 1, 0}); }, "points 0");
    says([] { return make_relu_line({8, 0.5, 0, 1, 0, 0}); }, "extent 0");
    says([] { return make_relu_line({1 << 20, 0.5, 0, 1, 1, 0}); }, "allowed");
    says([] { return make_roll(5); }, "n 5: must be 2, 3 or 4");
    says([] { return make_linear({{}, 0, 0}); }, "no eigenvalues");
    says([] { return make_linear({{{1, 0}}, 0, 0}); }, "eigenvalue 1+0i");
    says([] { return make_linear({{{0.5, -0.1}}, 0, 0}); }, "stands for the pair");
    says([] { return make_linear({{{0.5, 0}}, 1, 0}); }, "henrici 1");
    says([] { return make_linear({{{0.5, 0}, {0.5, 0}}, 0.2, 0}); }, "do not reach it");
    RandomNetworkSettings settings;
    settings.cell = "qrnn";
    says([&] { return make_random_network(settings); }, "qrnn");
    settings.cell = "gru";
    settings.activation = "sine";
    says([&] { return make_random_network(settings); }, "sine");
    settings.activation = "relu";
    settings.gain = -1;
    says([&] { return make_random_network(settings); }, "gain -1");
    settings.gain = 1;
    settings.units = Index{1} << 23;
    says([&] { return make_random_network(settings); }, "allowed");
}
