// The search for points against networks whose points are known, and its certificates against what
// they claim.
#include "fixedpoints/small_systems.hpp"

#include <assay/core/random.hpp>
#include <assay/fixedpoints/certificate.hpp>
#include <assay/fixedpoints/find.hpp>
#include <assay/fixedpoints/starts.hpp>
#include <assay/fixedpoints/synth.hpp>

#include <catch2/catch.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

using namespace assay;
using namespace assay::fixedpoints;
using assay::test::no_input;
using Catch::Matchers::Contains;

namespace {

Dynamics random_network(const std::string& cell, Index units, double gain, std::uint64_t seed) {
    RandomNetworkSettings settings;
    settings.cell = cell;
    settings.units = units;
    settings.gain = gain;
    settings.seed = seed;
    return Dynamics(make_random_network(settings).model);
}

// Plain Newton on the full map, with differences in place of its Jacobian: another way to a root.
RowMatrix newton(const Dynamics& d, RowMatrix h) {
    const Index n = h.cols();
    for (int i = 0; i < 60; ++i) {
        Matrix a(n, n);
        for (Index j = 0; j < n; ++j) {
            RowMatrix up = h, down = h;
            up(0, j) += 1e-5;
            down(0, j) -= 1e-5;
            a.col(j) = ((d.step(no_input(d), up) - d.step(no_input(d), down)) / 2e-5).transpose();
        }
        a.diagonal().array() -= 1;
        const Vector g = (d.step(no_input(d), h) - h).transpose();
        h -= a.fullPivLu().solve(g).transpose();
    }
    return h;
}

bool same_rows(const RowMatrix& a, const RowMatrix& b) {
    return a.rows() == b.rows() && (a.size() == 0 || a == b);
}

} // namespace

TEST_CASE("all 27 points of a product of bistable units", "[fixedpoints][search]") {
    ProductSettings settings;
    settings.pad = 9;
    const Synthetic made = make_product(settings);
    const Dynamics d(made.model);
    const RowMatrix starts = uniform_states(300, d.state_size(), -1, 1, 5);
    for (const Solver solver : {Solver::lm, Solver::newton}) {
        SearchOptions options;
        options.solver = solver;
        const SearchResult found = search_exact(d, no_input(d), starts, options, {});
        REQUIRE(found.points.count() == 27);
        CHECK((found.points.state - made.truth.state).cwiseAbs().maxCoeff() < 1e-12);
        CHECK(found.points.n_unstable == made.truth.n_unstable);
        CHECK(found.index_sum == 1);
        CHECK(found.complete == Completeness::yes);
        for (Index p = 0; p < 27; ++p) {
            const auto at = static_cast<std::size_t>(p);
            CHECK(found.points.certificates[at].holds());
            // sign det(I - J) by the eigenvalues that are known.
            std::complex<double> product = 1;
            for (Index a = 0; a < d.state_size(); ++a)
                product *= 1.0 - made.truth.eigenvalues(p, a);
            CHECK(found.points.poincare_index[at] == (product.real() > 0 ? 1 : -1));
        }
        for (std::size_t s = 0; s < found.starts.status.size(); ++s)
            CHECK((found.starts.status[s] == StartStatus::converged) ==
                  (found.starts.point[s] >= 0));
    }
}

TEST_CASE("what is found does not depend on threads or early merging", "[fixedpoints][search]") {
    const Dynamics d = random_network("gru", 16, 3, 4);
    const RowMatrix starts = uniform_states(200, 16, -2, 2, 1);
    SearchOptions options;
    Execution three;
    three.threads = 3;
    const SearchResult one = search_exact(d, no_input(d), starts, options, {}),
                       other = search_exact(d, no_input(d), starts, options, three);
    REQUIRE(one.points.count() >= 3);
    CHECK(same_rows(one.points.state, other.points.state));
    CHECK(one.starts.point == other.starts.point);
    CHECK(one.starts.iterations == other.starts.iterations);
    // Without certificates no start is captured: each goes to its root.
    options.certify = false;
    const SearchResult whole = search_exact(d, no_input(d), starts, options, {});
    REQUIRE(whole.points.count() == one.points.count());
    CHECK((whole.points.state - one.points.state).cwiseAbs().maxCoeff() < 1e-12);
    CHECK(whole.mean_iterations > one.mean_iterations);
    Index moved = 0;
    for (std::size_t s = 0; s < one.starts.point.size(); ++s)
        moved += one.starts.point[s] != whole.starts.point[s] ? 1 : 0;
    CHECK(moved == 0);
}

TEST_CASE("steps with the Jacobians of known roots lose no point", "[fixedpoints][search]") {
    const Dynamics d = random_network("gru", 16, 3, 4);
    const RowMatrix starts = uniform_states(200, 16, -2, 2, 1);
    SearchOptions options;
    options.certify = false; // every start by itself
    const SearchResult whole = search_exact(d, no_input(d), starts, options, {});
    const auto moved = [&](const SearchResult& result) {
        REQUIRE(result.points.count() == whole.points.count());
        CHECK((whole.points.state - result.points.state).cwiseAbs().maxCoeff() < 1e-12);
        Index count = 0;
        for (std::size_t s = 0; s < whole.starts.point.size(); ++s)
            count += result.starts.point[s] != whole.starts.point[s] ? 1 : 0;
        return count;
    };
    options.certify = true;
    options.chord_share = 0;
    CHECK(moved(search_exact(d, no_input(d), starts, options, {})) == 0);
    options.chord_share = 0.8;
    Execution three;
    three.threads = 3;
    const SearchResult led = search_exact(d, no_input(d), starts, options, {}),
                       other = search_exact(d, no_input(d), starts, options, three);
    CHECK(moved(led) > 0);
    CHECK(same_rows(led.points.state, other.points.state));
    CHECK(led.starts.point == other.starts.point);
    CHECK(led.starts.iterations == other.starts.iterations);
    const auto converged = [](const SearchResult& result) {
        const auto& all = result.starts.status;
        return std::count(all.begin(), all.end(), StartStatus::converged);
    };
    CHECK(20 * converged(led) >= 19 * converged(whole));
}

TEST_CASE("roots of every cell, by another method", "[fixedpoints][search]") {
    for (const std::string cell : {"rnn", "gru", "lstm", "ugrnn", "janet", "ctrnn"}) {
        INFO(cell);
        const Dynamics d = random_network(cell, 8, 2.5, 11);
        const RowMatrix starts = uniform_states(100, d.state_size(), -1, 1, 2);
        const SearchResult found = search_exact(d, no_input(d), starts, {}, {});
        REQUIRE(found.points.count() >= 1);
        CHECK(found.index_sum == 1);
        CHECK(found.points.residual_inf.maxCoeff() < 1e-12);
        for (Index p = 0; p < found.points.count(); ++p) {
            const RowMatrix h = found.points.state.row(p);
            CHECK((newton(d, h) - h).cwiseAbs().maxCoeff() < 1e-8);
        }
        // The full residual finds no point that the reduced one does not have.
        SearchOptions full;
        full.residual = Residual::full;
        const SearchResult other = search_exact(d, no_input(d), starts, full, {});
        for (Index p = 0; p < other.points.count(); ++p)
            CHECK((found.points.state.rowwise() - other.points.state.row(p))
                      .rowwise()
                      .norm()
                      .minCoeff() < 1e-6);
    }
}

namespace {

// Six units with gates that reach 0 and 1.
Dynamics hard_lstm(network::Function activation) {
    network::CellForm form;
    form.kind = network::CellKind::lstm;
    form.activation = {activation, 1};
    form.gate = {network::Function::hard_sigmoid, 1};
    form.units = 6;
    form.bias = false;
    const Random random(4, "test/fixedpoints/open gates");
    Vector parameters(24 * 7);
    for (Index i = 0; i < parameters.size(); ++i)
        parameters(i) = 1.2 * random.normal(static_cast<std::uint64_t>(i));
    return Dynamics{Cell(form, parameters)};
}

struct Heard : Monitor {
    void message(Level, const std::string& text) override { words += text; }
    std::string words;
};

} // namespace

TEST_CASE("a warning where forget gates are open throughout", "[fixedpoints][search]") {
    // hard_sigmoid reaches 1, where i g / (1 - f) has no bounds; nor has the reduced map of a relu.
    const Dynamics d = hard_lstm(network::Function::relu);
    const RowMatrix starts = uniform_states(100, d.state_size(), -3, 3, 2);
    Heard heard;
    SearchOptions options;
    static_cast<void>(search_exact(d, no_input(d), starts, options, {1, &heard}));
    CHECK_THAT(heard.words, Contains("--residual full"));
    heard.words.clear();
    options.residual = Residual::full;
    static_cast<void>(search_exact(d, no_input(d), starts, options, {1, &heard}));
    CHECK(heard.words.empty());
}

TEST_CASE("starts where forget gates are open throughout are searched from",
          "[fixedpoints][search]") {
    const Dynamics d = hard_lstm(network::Function::tanh);
    const RowMatrix starts = uniform_states(100, d.state_size(), -3, 3, 2);
    Heard heard;
    SearchOptions options;
    const SearchResult reduced = search_exact(d, no_input(d), starts, options, {1, &heard});
    CHECK(heard.words.empty());
    options.residual = Residual::full;
    const SearchResult full = search_exact(d, no_input(d), starts, options, {1, &heard});
    CHECK(heard.words.empty());
    for (const SearchResult* found : {&reduced, &full}) {
        const auto& status = found->starts.status;
        CHECK(std::count(status.begin(), status.end(), StartStatus::converged) > 90);
        REQUIRE(found->points.count() > 0);
        CHECK(
            (d.step(no_input(d), found->points.state) - found->points.state).cwiseAbs().maxCoeff() <
            1e-10);
    }
}

TEST_CASE("the reduced map goes on where a forget gate keeps all", "[fixedpoints][search]") {
    // One unit; the forget gate opens at h = 0.5 and is wholly open from there on, where c grows
    // without end: R = o tanh(c*) comes to o.
    network::CellForm form;
    form.kind = network::CellKind::lstm;
    form.gate = {network::Function::hard_sigmoid, 1};
    form.units = form.inputs = 1;
    Vector parameters(12);
    parameters << 0, 0, 0, 0, /* recurrent */ 0, 5, 0, 0, /* bias i, f, g, o */ 0, 0, 1, 0.5;
    const Dynamics d{Cell(form, parameters)};
    const RowMatrix x = RowMatrix::Zero(1, 1);
    const auto reduced = [&](double h) { return d.reduced(x, RowMatrix::Constant(1, 1, h))(0, 0); };
    const double o = 0.2 * 0.5 + 0.5;
    for (const double h : {-0.3, 0.0, 0.4, 0.4999})
        CHECK(reduced(h) == Approx(o * std::tanh(0.5 * std::tanh(1) / (0.5 - h))));
    for (const double h : {0.5, 0.7, 3.0}) {
        CHECK(reduced(h) == Approx(o));
        CHECK(d.reduced_jacobian(x, RowMatrix::Constant(1, 1, h))(0, 0) == 0);
    }
    // No state rests there: starts run to h = o, c without end, and are told as such.
    const SearchResult found =
        search_exact(d, x, RowMatrix::Constant(3, 2, 0.8), SearchOptions{}, {});
    CHECK(found.points.count() == 0);
    for (const auto status : found.starts.status) CHECK(status == StartStatus::diverged);
}

TEST_CASE("a certificate stops short of where a hard gate keeps all",
          "[fixedpoints][certificate]") {
    // One unit with the candidate tanh(0.3) throughout, whose gate is 1 from h = 0.5 on: every such
    // state rests too.
    network::CellForm form;
    form.kind = GENERATE(network::CellKind::gru_before, network::CellKind::gru_after,
                         network::CellKind::ugrnn, network::CellKind::janet);
    form.gate = {network::Function::hard_sigmoid, 1};
    form.units = form.inputs = 1;
    const Index gates = form.gates(), keeps = gates - 2;
    Vector parameters = Vector::Zero(3 * gates); // kernel, recurrent, bias
    parameters(3 * gates - 1) = 0.3;
    parameters(gates + keeps) = 5;
    const Dynamics d{Cell(form, parameters)};
    const RowMatrix x = RowMatrix::Zero(1, 1), root = RowMatrix::Constant(1, 1, std::tanh(0.3));
    const RowMatrix resting = RowMatrix::Constant(1, 1, 0.5);
    REQUIRE((d.step(x, root) - root).norm() < 1e-15);
    REQUIRE(d.step(x, resting) == resting);
    const Certificate c = certify(d, x, root);
    CHECK(c.holds());
    CHECK(c.uniqueness_radius < 0.5 - root(0));
    // Wholly open at the root: it is not alone in any ball.
    parameters(gates + keeps) = 0;
    parameters(2 * gates + keeps) = 10;
    CHECK_FALSE(certify(Dynamics{Cell(form, parameters)}, x, root).holds());
}

TEST_CASE("no second root inside a uniqueness radius", "[fixedpoints][certificate]") {
    // h' = tanh(w h): roots 0 and +-a. The radius around 0 must stop short of a, and grows as the
    // roots move apart.
    double before = 0;
    for (const double w : {1.01, 1.1, 1.5, 2.0}) {
        const Dynamics d = test::plain_network(Matrix::Constant(1, 1, w), Matrix::Zero(1, 1));
        const double root = test::upper_root(w);
        const Certificate c = certify(d, no_input(d), RowMatrix::Zero(1, 1));
        REQUIRE(c.holds());
        CHECK(c.uniqueness_radius < root);
        CHECK(c.uniqueness_radius > 0.05 * root);
        CHECK(c.uniqueness_radius > before);
        CHECK(c.beta == Approx(1 / (w - 1)));
        before = c.uniqueness_radius;
    }
    // At the pitchfork the root is degenerate.
    const Dynamics fold = test::plain_network(Matrix::Constant(1, 1, 1), Matrix::Zero(1, 1));
    CHECK_FALSE(certify(fold, no_input(fold), RowMatrix::Zero(1, 1)).holds());
    // Off the root by 1e-3: the certificate still says that one is within reach.
    const Dynamics d = test::plain_network(Matrix::Constant(1, 1, 2), Matrix::Zero(1, 1));
    const Certificate near = certify(d, no_input(d), RowMatrix::Constant(1, 1, 1e-3));
    REQUIRE(near.holds());
    CHECK(near.existence_radius >= 1e-3);
    CHECK(near.existence_radius < 2e-3);
    // relu: certified away from kinks, not on one.
    const Dynamics relu = test::plain_network(Matrix::Constant(1, 1, 0.5), Matrix::Ones(1, 1),
                                              network::Function::relu);
    CHECK(certify(relu, RowMatrix::Ones(1, 1), RowMatrix::Constant(1, 1, 2)).holds());
    CHECK_FALSE(certify(relu, RowMatrix::Zero(1, 1), RowMatrix::Zero(1, 1)).holds());
}

TEST_CASE("starts inside the capture radius go to that root", "[fixedpoints][certificate]") {
    const Dynamics d = random_network("gru", 12, 3, 4);
    const SearchResult found =
        search_exact(d, no_input(d), uniform_states(200, 12, -2, 2, 1), {}, {});
    const Random random(0, "test/capture");
    REQUIRE(found.points.count() >= 3);
    for (Index p = 0; p < found.points.count(); ++p) {
        const auto& certificate = found.points.certificates[static_cast<std::size_t>(p)];
        REQUIRE(certificate.holds());
        for (std::uint64_t k = 0; k < 5; ++k) {
            Eigen::RowVectorXd u(12);
            for (Index i = 0; i < 12; ++i)
                u(i) = random.normal(static_cast<std::uint64_t>(i),
                                     {static_cast<std::uint64_t>(p), k, 0});
            const RowMatrix h =
                found.points.state.row(p) + certificate.uniqueness_radius / 3 * u / u.norm();
            // Newton on the reduced map, which the certificate speaks of.
            RowMatrix v = h;
            for (int i = 0; i < 30; ++i) {
                Matrix a = d.reduced_jacobian(no_input(d), v);
                a.diagonal().array() -= 1;
                v -= a.fullPivLu()
                         .solve(Vector((d.reduced(no_input(d), v) - v).row(0).transpose()))
                         .transpose();
            }
            CHECK((v - found.points.state.row(p)).norm() < 1e-10);
        }
    }
}

TEST_CASE("stacked layers: certified roots", "[fixedpoints][search]") {
    // Two bistable units, the second driven by the first: points follow from one-dimensional roots.
    network::CellForm form;
    form.units = form.inputs = 1;
    form.bias = false;
    network::Model model;
    model.architecture =
        R"({"format": "assay-architecture/1", "input": {"shape": [4, 1], "axes": ["time", "feature"]},
            "layers": [{"name": "a", "type": "rnn", "units": 1, "bias": false, "return_sequences": true},
                       {"name": "b", "type": "rnn", "units": 1, "bias": false, "return_sequences": true}]})";
    const double w = 2, coupling = 0.1;
    model.parameters = {{"a", "kernel", {1, 1}, {1}},
                        {"a", "recurrent", {1, 1}, {w}},
                        {"b", "kernel", {1, 1}, {coupling}},
                        {"b", "recurrent", {1, 1}, {w}}};
    const Dynamics d(model);
    const SearchResult found =
        search_exact(d, no_input(d), uniform_states(100, 2, -1, 1, 0), {}, {});
    REQUIRE(found.points.count() == 9);
    CHECK(found.index_sum == 1);
    for (Index p = 0; p < 9; ++p) {
        const double first = found.points.state(p, 0), second = found.points.state(p, 1);
        CHECK(std::abs(std::tanh(w * first) - first) < 1e-14);
        CHECK(std::abs(std::tanh(w * second + coupling * first) - second) < 1e-14);
        CHECK(found.points.certificates[static_cast<std::size_t>(p)].holds());
    }
}

TEST_CASE("degenerate networks end", "[fixedpoints][search]") {
    FindOptions options;
    options.exact.expand_rounds = 2;
    // Every state rests.
    network::CellForm form;
    form.kind = network::CellKind::linear;
    form.units = 3;
    form.inputs = 1;
    form.bias = false;
    Vector identity(12);
    identity << 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1;
    const Dynamics still{Cell(form, identity)};
    const RowMatrix starts = uniform_states(40, 3, -1, 1, 0);
    const FindResult all = find_points(still, RowMatrix::Zero(1, 1), starts, options, {});
    CHECK(all.points.count() == 40);
    CHECK(all.completeness() == Completeness::unknown);
    for (const auto& c : all.points.certificates) CHECK_FALSE(c.holds());
    // All weights zero: one point.
    const Dynamics dead = test::plain_network(Matrix::Zero(3, 3), Matrix::Zero(3, 1));
    const FindResult one = find_points(dead, RowMatrix::Zero(1, 1), starts, options, {});
    REQUIRE(one.points.count() == 1);
    CHECK(one.points.state.norm() == 0);
    // No root: h' = 1 + h. Starts are counted, nothing is found, and nothing is an error.
    Vector shift(12);
    shift = identity;
    const Dynamics running{Cell(form, shift)};
    const FindResult none = find_points(running, RowMatrix::Ones(1, 1), starts, options, {});
    CHECK(none.points.count() == 0);
    CHECK(none.starts.status.size() == 40);
}

TEST_CASE("slow points keep their place on the line", "[fixedpoints][slow]") {
    // h' = W h with W symmetric: a slow direction of 0.9999, fast ones of 0.5. Newton in the fast
    // directions takes these to 0 and leaves the slow coordinate as it is.
    const Index n = 12;
    Matrix draw(n, n);
    const Random random(2, "test/slow");
    for (Index i = 0; i < draw.size(); ++i)
        draw.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    const Matrix q = Eigen::HouseholderQR<Matrix>(draw).householderQ();
    Vector values = Vector::Constant(n, 0.5);
    values(0) = 0.9999;
    values(1) = 0.97; // sigma 0.03: not slow
    const Dynamics d = test::plain_network(q * values.asDiagonal() * q.transpose(),
                                           Matrix::Zero(n, 1), network::Function::identity);
    const RowMatrix starts = uniform_states(50, n, -0.3, 0.3, 1);
    SlowOptions options;
    options.tolerance = std::numeric_limits<double>::infinity();
    const SlowResult found = search_slow(d, RowMatrix::Zero(1, 1), starts, options, {});
    REQUIRE(found.starts.point.size() == 50);
    for (Index s = 0; s < 50; ++s) {
        const auto point = found.starts.point[static_cast<std::size_t>(s)];
        REQUIRE(point >= 0);
        const double along = starts.row(s).dot(q.col(0));
        const Eigen::RowVectorXd expected = along * q.col(0).transpose();
        // Thinned at 1e-3; on the line the distance is that of the coordinates.
        CHECK((found.points.state.row(point) - expected).norm() <= 1e-3);
        const Eigen::RowVectorXd drift = found.points.drift.row(point);
        CHECK((drift + 1e-4 * found.points.state.row(point)).norm() < 1e-9);
    }
    for (const auto dimension : found.points.slow_dimension) CHECK(dimension == 1);
    // Two slow ones by number.
    options.dimension = 2;
    const SlowResult two = search_slow(d, RowMatrix::Zero(1, 1), starts, options, {});
    for (Index p = 0; p < two.points.count(); ++p) {
        const Eigen::RowVectorXd inside = two.points.state.row(p) * q.leftCols(2);
        CHECK(std::abs(two.points.state.row(p).norm() - inside.norm()) < 1e-9);
    }
    // The tolerance is that of q, mean norm: |g| = 1e-4 |c|.
    options = {};
    options.tolerance = 1e-8 * 0.01 / static_cast<double>(n);
    const SlowResult few = search_slow(d, RowMatrix::Zero(1, 1), starts, options, {});
    for (Index p = 0; p < few.points.count(); ++p)
        CHECK(few.points.state.row(p).norm() <= 0.1 + 1e-9);
    for (std::size_t s = 0; s < 50; ++s) {
        const double along = std::abs(starts.row(static_cast<Index>(s)).dot(q.col(0)));
        CHECK((few.starts.point[s] >= 0) == (along <= 0.1));
    }
    options.dimension = n;
    CHECK_THROWS_WITH(
        search_slow(d, RowMatrix::Zero(1, 1), starts, options, {}),
        Contains("--slow-dim 12 with a 12-dimensional state leaves no fast direction"));
}

TEST_CASE("outliers and limits hold of slow points too", "[fixedpoints][slow]") {
    // A line of rest along the first unit: every start stays where it is.
    Matrix w = Matrix::Zero(2, 2);
    w(0, 0) = 1;
    const Dynamics d = test::plain_network(w, Matrix::Zero(2, 1), network::Function::identity);
    RowMatrix starts = RowMatrix::Zero(5, 2);
    starts.col(0) << -0.1, 0, 0.1, 0.5, 2; // mean 0.5, mean distance 0.6
    SlowOptions options;
    const auto search = [&] { return search_slow(d, RowMatrix::Zero(1, 1), starts, options, {}); };
    const auto status = [](const SlowResult& r, std::size_t start) {
        CHECK((r.starts.point[start] >= 0) == (r.starts.status[start] == StartStatus::converged));
        return r.starts.status[start];
    };
    CHECK(search().points.count() == 5);
    options.distinct.outlier_scale = 2;
    SlowResult found = search();
    CHECK(found.points.count() == 4);
    CHECK(status(found, 4) == StartStatus::outlier);
    CHECK(found.starts.point[3] == 3);
    options.distinct.keep_outliers = true;
    CHECK(search().points.count() == 5);
    options.distinct.neighbour_outlier = 0.3;
    found = search();
    CHECK(found.points.count() == 3);
    CHECK(status(found, 3) == StartStatus::outlier);
    CHECK(status(found, 4) == StartStatus::outlier);
    options = {};
    options.distinct.max_points = 2;
    found = search();
    CHECK(found.points.count() == 2);
    Index left = 0;
    for (std::size_t s = 0; s < 5; ++s) left += status(found, s) == StartStatus::left_out ? 1 : 0;
    CHECK(left == 3);
    // Of one start nothing tells what is far.
    options = {};
    starts.conservativeResize(1, 2);
    CHECK(search().points.count() == 1);
}

TEST_CASE("hits are of starts, and a limit of points says what it left out",
          "[fixedpoints][search]") {
    ProductSettings settings;
    settings.pad = 1;
    const Synthetic made = make_product(settings);
    const Dynamics d(made.model);
    const RowMatrix starts = uniform_states(40, d.state_size(), -1, 1, 5);
    SearchOptions options;
    options.norm = SpeedNorm::mean;
    SearchResult found = search_exact(d, no_input(d), starts, options, {});
    REQUIRE(found.rounds.size() > 1); // midpoints found some
    std::vector<std::int32_t> led(static_cast<std::size_t>(found.points.count()), 0);
    for (const auto point : found.starts.point)
        if (point >= 0) ++led[static_cast<std::size_t>(point)];
    CHECK(found.points.hits == led);
    CHECK(found.round_index.back() == found.index_sum);
    CHECK(found.round_index.size() == found.rounds.size());
    options.distinct.max_points = 5;
    found = search_exact(d, no_input(d), starts, options, {});
    CHECK(found.points.count() == 5);
    Index left = 0;
    for (std::size_t s = 0; s < 40; ++s) {
        left += found.starts.status[s] == StartStatus::left_out ? 1 : 0;
        CHECK((found.starts.point[s] >= 0) == (found.starts.status[s] == StartStatus::converged));
    }
    CHECK(left > 0);
}

TEST_CASE("Adam descends to stable points, in both precisions", "[fixedpoints][adam]") {
    const double w = 2;
    const Dynamics d = test::plain_network(w * Matrix::Identity(2, 2), Matrix::Zero(2, 1));
    const RowMatrix starts = grid_states(2, 2, -0.8, 0.8);
    const double root = test::upper_root(w);
    for (const bool single : {false, true}) {
        AdamOptions options;
        options.single = single;
        options.tolerance_q = 1e-10;
        const AdamResult ends = search_adam(d, RowMatrix::Zero(1, 1), starts, options, {});
        for (Index b = 0; b < 4; ++b) {
            CHECK(ends.status[static_cast<std::size_t>(b)] == StartStatus::converged);
            CHECK((ends.states.row(b).cwiseAbs().array() - root).abs().maxCoeff() < 1e-4);
        }
    }
}

TEST_CASE("Adam finds saddles from midpoints of what it found", "[fixedpoints][adam]") {
    // Two decoupled units with three roots each; starts near the four stable points only.
    const Dynamics d = test::plain_network(2 * Matrix::Identity(2, 2), Matrix::Zero(2, 1));
    FindOptions options;
    options.mode = FindMode::exact;
    options.method = Method::adam;
    options.adam.tolerance_q = 1e-10;
    const RowMatrix corners = grid_states(2, 2, -0.8, 0.8);
    for (const auto& [expansion, points, index] :
         {std::tuple{Expansion::none, 4, 4}, std::tuple{Expansion::midpoints, 9, 1}}) {
        options.exact.expansion = expansion;
        const FindResult found = find_points(d, RowMatrix::Zero(1, 1), corners, options, {});
        CHECK(found.points.count() == points);
        CHECK(found.index_sum.at(0) == index);
        CHECK(found.starts.status.size() == 4);
        CHECK(found.rounds.front() == 4);
        CHECK(found.rounds.back() == points);
    }
}

TEST_CASE("gates that shut make artefacts", "[fixedpoints][adam]") {
    // ugrnn whose gate is almost 1 everywhere: F moves by 1e-6 (c - h), so every state seems to
    // rest; the candidate says that only one does.
    network::CellForm form;
    form.kind = network::CellKind::ugrnn;
    form.units = form.inputs = 1;
    Vector parameters(6); // kernel u, c; recurrent u, c; bias u, c
    parameters << 0, 0, 0, 0.5, 14, 0;
    const Dynamics d{Cell(form, parameters)};
    FindOptions options;
    options.mode = FindMode::exact;
    options.method = Method::adam;
    options.adam.tolerance_q = 1e-10;
    options.exact.distinct.keep_outliers = true;
    const RowMatrix starts = (RowMatrix(3, 1) << -0.9, 1e-6, 0.7).finished();
    const FindResult found = find_points(d, RowMatrix::Zero(1, 1), starts, options, {});
    CHECK(found.status_counts().at(StartStatus::artefact) == 2);
    REQUIRE(found.points.count() == 1);
    CHECK(std::abs(found.points.state(0, 0)) < 1e-4);

    // 1 - sigmoid(9) = 1.2e-4: F moves too fast to rest, and yet 8000 times slower than the
    // candidate. A gate of 0.5 is no excuse.
    for (const auto& [gate, status] :
         {std::pair{9.0, StartStatus::artefact}, std::pair{0.0, StartStatus::max_iterations}}) {
        parameters(4) = gate;
        options.adam.tolerance_q = 1e-14;
        options.adam.max_iterations = 3;
        const Dynamics other{Cell(form, parameters)};
        const FindResult ends =
            find_points(other, RowMatrix::Zero(1, 1), starts.row(0), options, {});
        CHECK(ends.points.count() == 0);
        CHECK(ends.status_counts().at(status) == 1);
    }
}
