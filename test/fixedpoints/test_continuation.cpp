// Branches of points against closed forms of their bifurcations.
#include "small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/continuation.hpp>

#include <Eigen/LU>
#include <catch2/catch.hpp>

using namespace assay;
using namespace assay::fixedpoints;
using namespace assay::test;

namespace {

RowMatrix number(double value) {
    return RowMatrix::Constant(1, 1, value);
}

// Where a unit rests at input x, on the lower branch: iterated from below.
double rest(double w, double x) {
    double h = -1;
    for (int i = 0; i < 5000; ++i) h += 0.2 * (std::tanh(w * h + x) - h);
    return h;
}

Dynamics unit(double w, Function activation = Function::tanh) {
    return plain_network(number(w), number(1), activation);
}

// A cell with weights that look random.
Dynamics some_cell(network::CellKind kind, Index units) {
    network::CellForm form;
    form.kind = kind;
    form.units = units;
    form.inputs = 2;
    Index total = 0;
    for (const auto& info : network::cell_parameters(form)) total += info.size();
    Vector parameters(total);
    for (Index i = 0; i < total; ++i)
        parameters(i) = 0.5 * std::sin(1.7 * static_cast<double>(i * i));
    return Dynamics(fixedpoints::Cell(form, parameters));
}

} // namespace

TEST_CASE("a bistable unit turns at two folds", "[continuation]") {
    const double w = GENERATE(1.5, 2.0, 3.0);
    const Dynamics dynamics = unit(w);
    // Folds: w (1 - h^2) = 1, x = artanh(h) - w h.
    const double h = std::sqrt(1 - 1 / w), x = std::atanh(h) - w * h;
    const auto branches =
        track_points(dynamics, number(rest(w, -3)), number(-3), number(3), {}, {});
    REQUIRE(branches.size() == 1);
    const Branch& branch = branches[0];
    CHECK(branch.end == BranchEnd::to_end);
    REQUIRE(branch.bifurcations.size() == 2);
    for (int i = 0; i < 2; ++i) {
        const Bifurcation& fold = branch.bifurcations[static_cast<std::size_t>(i)];
        const double side = i == 0 ? -1 : 1;
        CHECK(fold.kind == BifurcationKind::fold);
        CHECK(fold.s == Approx((side * x + 3) / 6).margin(1e-8));
        CHECK(fold.state(0) == Approx(side * h).margin(1e-8));
        CHECK(std::abs(fold.eigenvalue - 1.0) < 1e-6);
        CHECK(fold.width < 2e-9);
    }
    // Stable, unstable between the folds, stable; all are points.
    for (Index p = 0; p < branch.count(); ++p) {
        const double state = branch.state(p, 0), slope = w * (1 - state * state);
        const auto i = static_cast<std::size_t>(p);
        CHECK(std::tanh(w * state - 3 + 6 * branch.s(p)) == Approx(state).margin(1e-10));
        CHECK(branch.n_unstable[i] == (slope > 1 ? 1 : 0));
        CHECK(branch.poincare_index[i] == (slope > 1 ? -1 : 1));
        CHECK(branch.eigenvalues(p, 0).real() == Approx(slope).margin(1e-10));
    }
    CHECK(branch.s(0) == 0);
    CHECK(branch.s(branch.count() - 1) == 1);
    CHECK(branch.state(branch.count() - 1, 0) == Approx(-rest(w, -3)).margin(1e-8));
}

TEST_CASE("a branch that turns back meets another point of the first input", "[continuation]") {
    const Dynamics dynamics = unit(2);
    // At x = 0: the points -a, 0, a. -a and 0 annihilate at x = 0.5328.
    RowMatrix starts(3, 1);
    starts << -upper_root(2), 0, upper_root(2);
    const auto branches = track_points(dynamics, starts, number(0), number(1), {}, {});
    CHECK(branches[0].end == BranchEnd::to_start);
    CHECK(branches[0].meets == 1);
    CHECK(branches[1].end == BranchEnd::to_start);
    CHECK(branches[1].meets == 0);
    CHECK(branches[2].end == BranchEnd::to_end);
    CHECK(branches[2].bifurcations.empty());
    CHECK(branches[2].meets == -1);
}

TEST_CASE("an inhibiting unit doubles its period", "[continuation]") {
    const double w = -1.8;
    const auto branches = track_points(unit(w), number(rest(w, -3)), number(-3), number(3), {}, {});
    const Branch& branch = branches[0];
    // w (1 - h^2) = -1, x = artanh(h) - w h.
    const double h = std::sqrt(1 + 1 / w), x = std::atanh(h) - w * h;
    REQUIRE(branch.bifurcations.size() == 2);
    for (int i = 0; i < 2; ++i) {
        const Bifurcation& flip = branch.bifurcations[static_cast<std::size_t>(i)];
        CHECK(flip.kind == BifurcationKind::period_doubling);
        CHECK(flip.s == Approx(((i == 0 ? -x : x) + 3) / 6).margin(1e-8));
        CHECK(std::abs(flip.eigenvalue + 1.0) < 1e-6);
    }
    CHECK(branch.end == BranchEnd::to_end);
}

TEST_CASE("two competing units split at a branch point", "[continuation]") {
    // h1 = h2 = h: eigenvalues (1 - h^2)(a - b) and, of the difference, (1 - h^2)(a + b).
    const double a = 0.5, b = 1;
    Matrix w(2, 2);
    w << a, -b, -b, a;
    const Dynamics dynamics = plain_network(w, Matrix::Ones(2, 1));
    const double start = rest(a - b, -3);
    const auto branches =
        track_points(dynamics, RowMatrix::Constant(1, 2, start), number(-3), number(0.1), {}, {});
    REQUIRE(branches[0].bifurcations.size() == 1);
    const Bifurcation& split = branches[0].bifurcations[0];
    const double h = -std::sqrt(1 - 1 / (a + b)), x = std::atanh(h) - (a - b) * h;
    CHECK(split.kind == BifurcationKind::branch_point);
    CHECK(split.s == Approx((x + 3) / 3.1).margin(1e-8));
    CHECK((split.state.array() - h).abs().maxCoeff() < 1e-8);
    CHECK(branches[0].end == BranchEnd::to_end);
}

TEST_CASE("a rotation loses and regains its cycle where its determinant is 1", "[continuation]") {
    const double rho = 1.5;
    const Matrix w = rotation_weights(rho, 1.2); // no real eigenvalue reaches 1 or -1
    Matrix k(2, 1);
    k << 1, 0.5;
    const Dynamics dynamics = plain_network(w, k);
    RowMatrix h = RowMatrix::Zero(1, 2);
    for (int i = 0; i < 5000; ++i) h += 0.1 * (dynamics.step(number(-3), h) - h);
    const auto branches = track_points(dynamics, h, number(-3), number(3), {}, {});
    const Branch& branch = branches[0];
    REQUIRE(branch.bifurcations.size() == 2);
    for (const Bifurcation& at : branch.bifurcations) {
        CHECK(at.kind == BifurcationKind::neimark_sacker);
        const RowMatrix state = at.state.transpose();
        CHECK((dynamics.step(number(-3 + 6 * at.s), state) - state).norm() < 1e-8);
        const double determinant =
            rho * rho * (1 - state(0) * state(0)) * (1 - state(1) * state(1));
        CHECK(determinant == Approx(1).margin(1e-7));
        CHECK(std::abs(at.eigenvalue.imag()) > 0.1);
    }
    // The system is odd.
    CHECK(branch.bifurcations[0].s + branch.bifurcations[1].s == Approx(1).margin(1e-7));
    CHECK(branch.n_unstable[static_cast<std::size_t>(branch.bifurcations[0].after + 1)] == 2);
}

TEST_CASE("a relu unit that switches on is a kink", "[continuation]") {
    // h = relu(-2 h + x): slope 0, then -2, whose eigenvalue never is -1.
    const auto branches =
        track_points(unit(-2, Function::relu), number(0), number(-1), number(1), {}, {});
    REQUIRE(branches[0].bifurcations.size() == 1);
    CHECK(branches[0].bifurcations[0].kind == BifurcationKind::kink);
    CHECK(branches[0].bifurcations[0].s == Approx(0.5).margin(1e-8));
}

TEST_CASE("gated cells are tracked through their reduced maps", "[continuation]") {
    const auto kind = GENERATE(network::CellKind::gru_after, network::CellKind::lstm,
                               network::CellKind::ctrnn_rate);
    const Dynamics dynamics = some_cell(kind, 5);
    RowMatrix from(1, 2), to(1, 2);
    from << -1, 0.5;
    to << 2, -1;
    // A start that is only near: it is polished.
    const RowMatrix start = advance(dynamics, from, dynamics.initial_state(), 400);
    const auto branches = track_points(dynamics, start, from, to, {}, {});
    const Branch& branch = branches[0];
    CHECK(branch.end == BranchEnd::to_end);
    CHECK(branch.residual_inf.maxCoeff() < 1e-10);
    REQUIRE(branch.count() > 5);
    for (Index p = 0; p < branch.count(); p += 3) {
        const RowMatrix x = from + branch.s(p) * (to - from), h = branch.state.row(p);
        CHECK((dynamics.step(x, h) - h).cwiseAbs().maxCoeff() < 1e-10);
        const Matrix j = dynamics.jacobian_state(x, h);
        const double determinant = (Matrix::Identity(j.rows(), j.cols()) - j).determinant();
        CHECK(branch.poincare_index[static_cast<std::size_t>(p)] == (determinant > 0 ? 1 : -1));
    }
}

TEST_CASE("branches that cannot be followed end", "[continuation]") {
    SECTION("the identity: every state rests, but not with an input") {
        const Dynamics dynamics =
            plain_network(Matrix::Identity(2, 2), Matrix::Zero(2, 1), Function::identity);
        const auto branches =
            track_points(dynamics, RowMatrix::Zero(1, 2), number(0), number(1), {}, {});
        CHECK(branches[0].end == BranchEnd::degenerate);
    }
    SECTION("no point near the start") {
        // h' = h + 1.
        const Dynamics dynamics = unit(1, Function::identity);
        const auto branches = track_points(dynamics, number(0), number(1), number(2), {}, {});
        CHECK(branches[0].end == BranchEnd::no_start);
        CHECK(branches[0].count() == 0);
    }
    SECTION("points that are used up") {
        TrackOptions options;
        options.max_points = 7;
        const auto branches =
            track_points(unit(0.5), number(rest(0.5, -3)), number(-3), number(3), options, {});
        CHECK(branches[0].end == BranchEnd::max_points);
        CHECK(branches[0].count() == 7);
    }
}

TEST_CASE("branches have the same bits for any number of threads", "[continuation]") {
    RowMatrix starts(3, 1);
    starts << -upper_root(2), 0, upper_root(2);
    Execution three;
    three.threads = 3;
    const auto a = track_points(unit(2), starts, number(0), number(1), {}, {});
    const auto b = track_points(unit(2), starts, number(0), number(1), {}, three);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(a[i].s == b[i].s);
        CHECK(a[i].state == b[i].state);
    }
}

TEST_CASE("wrong paths of inputs are refused", "[continuation]") {
    CHECK_THROWS_WITH(track_points(unit(2), number(0), number(1), number(1), {}, {}),
                      "the path of inputs has no length: both ends are equal");
    CHECK_THROWS_WITH(track_points(unit(2), RowMatrix::Zero(1, 2), number(0), number(1), {}, {}),
                      "starts have 2 columns, the state needs 1");
    TrackOptions options;
    options.ds = 0;
    CHECK_THROWS_WITH(track_points(unit(2), number(0), number(0), number(1), options, {}),
                      "ds 0: must be > 0");
}
