// Predictions of linearised dynamics where they are exact (linear maps, one branch of relu), by
// the formula where they are not, and the nearest points by brute force.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/prediction.hpp>

#include "lines.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

Dynamics tanh_network() {
    return Dynamics(lines::cell(network::CellKind::rnn, network::Function::tanh,
                                0.6 * lines::normal("prediction/w", 4, 4),
                                lines::normal("prediction/k", 4, 2)));
}

Points some_points(Index count, Index states, Index inputs) {
    Points points;
    points.state = lines::normal("prediction/points", count, states);
    points.input = 0.1 * lines::normal("prediction/inputs", count, inputs);
    return points;
}

} // namespace

TEST_CASE("a linear map is predicted exactly, over one step and many", "[fixedpoints][predict]") {
    const Dynamics dynamics(
        lines::linear(0.3 * lines::normal("exact/w", 5, 5), lines::normal("exact/k", 5, 2)));
    // The constant part of a point that does not rest is that of its image.
    const Points points = some_points(7, 5, 2);
    const auto data =
        run_trials(dynamics, lines::normal("exact/x", 60, 2), 6, {10, 4, 0, 1, 10, 7}, {});
    const Execution run;
    const LocalLinear linear(dynamics, points, LinearCenter::image, run);
    PredictionOptions options;
    options.steps = GENERATE(1, 3);
    const auto found = predict(dynamics, linear, data, options, run);
    CHECK(found.trial.size() == (options.steps == 1 ? 32U : 23U));
    CHECK(found.time.front() == options.steps - 1);
    CHECK(found.error.maxCoeff() < 1e-12);
    CHECK(found.histogram.counts.sum() == static_cast<double>(found.trial.size()));
    const auto loop = closed_loop(dynamics, linear, data);
    for (Index b = 0; b < 6; ++b)
        for (Index t = 0; t < 10; ++t)
            if (t < data.lengths[static_cast<std::size_t>(b)])
                CHECK(loop.error(b, t) < 1e-12);
            else
                CHECK(std::isnan(loop.error(b, t)));
    CHECK((loop.end_states.row(1) - data.states.row(13)).norm() < 1e-12);
    CHECK(loop.end_states.row(2) == dynamics.initial_state());
}

TEST_CASE("on one branch of relu the prediction is exact, beyond it not",
          "[fixedpoints][predict]") {
    const auto line = lines::relu_line(6, 2);
    const auto points = lines::points_on(line, Vector::LinSpaced(9, 0.5, 3.0));
    const Execution run;
    const LocalLinear linear(line.dynamics, points, LinearCenter::point, run);
    RowMatrix near = 2 * line.r.transpose().replicate(20, 1);
    near += 0.05 * lines::normal("branch", 20, 6);
    const RowMatrix x = 0.05 * lines::normal("branch/x", 20, 2);
    const RowMatrix full = line.dynamics.step(x, near);
    REQUIRE(full.minCoeff() > 0);
    CHECK((linear.step(x, near, linear.nearest(near)) - full).cwiseAbs().maxCoeff() < 1e-12);
    const RowMatrix far = -near;
    CHECK((linear.step(x, far, linear.nearest(far)) - line.dynamics.step(x, far)).norm() > 1);
}

TEST_CASE("one step is h* + J (h - h*) + K (x - x*) around the nearest point",
          "[fixedpoints][predict]") {
    const Dynamics dynamics = tanh_network();
    const Points points = some_points(5, 4, 2);
    const auto center = GENERATE(LinearCenter::point, LinearCenter::image);
    const Execution run;
    const LocalLinear linear(dynamics, points, center, run);
    const auto data = run_trials(dynamics, lines::normal("one/x", 2400, 2), 300, {}, run);
    const auto found = predict(dynamics, linear, data, {}, run);
    REQUIRE(found.error.size() == 2400);
    for (const Index i : {0, 9, 1000, 2399}) {
        const auto row = static_cast<std::size_t>(i);
        const Index t = found.time[row], trial = found.trial[row];
        CHECK(data.row(trial, t) == i);
        const RowMatrix h = t == 0 ? dynamics.initial_state() : RowMatrix(data.states.row(i - 1));
        Index nearest = 0;
        (points.state.rowwise() - h.row(0)).rowwise().norm().minCoeff(&nearest);
        CHECK(found.point[row] == nearest);
        const RowMatrix rest = points.state.row(nearest), input = points.input.row(nearest);
        const RowMatrix base = center == LinearCenter::point ? rest : dynamics.step(input, rest);
        const RowMatrix guess =
            base + (h - rest) * dynamics.jacobian_state(input, rest).transpose() +
            (data.inputs.row(i) - input) * dynamics.jacobian_input(input, rest).transpose();
        CHECK_THAT(
            found.error(i),
            WithinRel((data.states.row(i) - guess).norm() / data.states.row(i).norm(), 1e-10));
    }
    Vector sorted = found.error;
    std::sort(sorted.data(), sorted.data() + sorted.size());
    CHECK_THAT(found.quantiles(2), WithinRel(0.5 * (sorted(1199) + sorted(1200)), 1e-12));

    // The same bits with Jacobians made when needed, and with more threads.
    const Execution threads{3};
    const LocalLinear frugal(dynamics, points, center, threads, 0);
    const auto again = predict(dynamics, frugal, data, {}, threads);
    CHECK(again.error == found.error);
    CHECK(again.point == found.point);
    CHECK(closed_loop(dynamics, frugal, data).end_states ==
          closed_loop(dynamics, linear, data).end_states);
}

TEST_CASE("the point is chosen anew at every step of a closed loop", "[fixedpoints][predict]") {
    const Dynamics dynamics = tanh_network();
    const Points points = some_points(30, 4, 2);
    const Execution run;
    const LocalLinear linear(dynamics, points, LinearCenter::point, run);
    const auto data = run_trials(dynamics, lines::normal("loop/x", 12, 2), 1, {}, run);
    RowMatrix h = dynamics.initial_state();
    for (Index t = 0; t < 12; ++t) h = linear.step(data.inputs.row(t), h, linear.nearest(h));
    const auto loop = closed_loop(dynamics, linear, data);
    CHECK(loop.end_states == h);
    CHECK_THAT(loop.error(0, 11),
               WithinRel((data.states.row(11) - h).norm() / data.states.row(11).norm(), 1e-12));
    PredictionOptions options;
    options.steps = 12;
    const auto whole = predict(dynamics, linear, data, options, run);
    REQUIRE(whole.error.size() == 1);
    CHECK_THAT(whole.error(0), WithinRel(loop.error(0, 11), 1e-12));
}

TEST_CASE("nearest points are those of brute force, the first of equals",
          "[fixedpoints][predict]") {
    const Dynamics dynamics = tanh_network();
    Points points = some_points(40, 4, 2);
    points.state.array() += 1e6; // far from the origin, close to each other
    const Execution run;
    const LocalLinear linear(dynamics, points, LinearCenter::point, run);
    RowMatrix states = lines::normal("nearest", 700, 4);
    states.array() += 1e6;
    const auto found = linear.nearest(states);
    for (Index i = 0; i < 700; ++i) {
        Index nearest = 0;
        (points.state.rowwise() - states.row(i)).rowwise().squaredNorm().minCoeff(&nearest);
        CHECK(found[static_cast<std::size_t>(i)] == nearest);
    }
    points.state.setOnes();
    const LocalLinear equal(dynamics, points, LinearCenter::point, run);
    CHECK(equal.nearest(states) == std::vector<Index>(700, 0));
    CHECK_THROWS_WITH(LocalLinear(dynamics, Points(), LinearCenter::point, run),
                      "no points to linearise around");
    points.state.conservativeResize(40, 3);
    CHECK_THROWS_AS(LocalLinear(dynamics, points, LinearCenter::point, run), Error);
}

TEST_CASE("decisions of the linearised network against the network's", "[fixedpoints][predict]") {
    RowMatrix outputs(4, 3);
    outputs << 1, 2, 0, 5, 5, 1, 0, 0, std::nan(""), -3, -2, -1;
    CHECK(decide(outputs, 0) == std::vector<std::int32_t>{1, 0, -1, 2});
    const RowMatrix single = (RowMatrix(3, 1) << 0.4, 0.5, 0.6).finished();
    CHECK(decide(single, 0.5) == std::vector<std::int32_t>{0, 0, 1});
    CHECK(decide(single, 0) == std::vector<std::int32_t>{1, 1, 1});

    // Trials of different length, whose network shows its state of two units.
    const Dynamics dynamics(lines::linear(Matrix::Zero(2, 2), Matrix::Identity(2, 2)));
    const RowMatrix x =
        (RowMatrix(8, 2) << 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 9, 0).finished();
    const auto data = run_trials(dynamics, x, 4, {2, 2, 1, 1}, {});
    // The network decides 1, 0, 0, 1.
    const RowMatrix linear = (RowMatrix(4, 2) << 0, 1, 0, 1, 0, 1, 0, 1).finished();
    const auto found = compare_decisions(dynamics, data, linear, {1, 0, 1, 1}, 0);
    CHECK(found.full == 0.75);
    CHECK(found.linear == 0.75);
    CHECK(found.agreement == 0.5);
    CHECK_THROWS_AS(compare_decisions(dynamics, data, linear, {1, 0}, 0), Error);
    CHECK_THROWS_WITH(agreement(std::vector<std::int32_t>(), {}), "0 decisions against 0");
    PredictionOptions options;
    options.steps = 0;
    const Execution run;
    const LocalLinear map(dynamics, some_points(1, 2, 2), LinearCenter::point, run);
    CHECK_THROWS_WITH(predict(dynamics, map, data, options, run), "--steps 0: must be >= 1");
}
