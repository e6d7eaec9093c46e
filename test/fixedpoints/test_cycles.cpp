// Long-run motion against closed forms and numpy.
#include "small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/fixedpoints/cycles.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using namespace assay::test;

namespace {

RowMatrix zero_input(Index columns = 1) {
    return RowMatrix::Zero(1, columns);
}

} // namespace

TEST_CASE("a limit cycle turns at its own rate and has Lyapunov exponents 0 and below",
          "[cycles]") {
    const Dynamics dynamics = plain_network(rotation_weights(1.2, 0.3), Matrix::Zero(2, 1));
    RowMatrix starts(2, 2);
    starts << 0.1, 0, -0.3, 0.5;
    CycleOptions options;
    options.output = 0;
    const LongRun run = run_long(dynamics, zero_input(), starts, options, {});
    for (Index b = 0; b < 2; ++b) {
        CHECK(run.motion[static_cast<std::size_t>(b)] == Motion::quasi_periodic);
        // specs/fixedpoints.md section 11: mean rotation 0.2914, exponents 0 and -0.393.
        CHECK(run.rotation(b) == Approx(0.2914).margin(1e-4));
        CHECK(run.frequency(b) == Approx(run.rotation(b)).epsilon(1e-4));
        CHECK(run.period(b) == Approx(2 * M_PI / 0.2914).epsilon(1e-3));
        CHECK(run.lyapunov(b, 0) == Approx(0).margin(2e-4));
        CHECK(run.lyapunov(b, 1) == Approx(-0.393).margin(1e-3));
        CHECK(std::abs(run.lyapunov(b, 0)) <= 3 * run.lyapunov_error(b, 0) + 1e-5);
        CHECK(run.floquet_exponents(b, 1) ==
              Approx(run.lyapunov(b, 1) * run.period(b)).epsilon(1e-12));
        CHECK(run.floquet_multipliers(b, 1).real() ==
              Approx(std::exp(run.floquet_exponents(b, 1))).epsilon(1e-12));
        CHECK(run.mean.row(b).norm() < 1e-2);
    }
    options.output.reset();
    const LongRun by_component = run_long(dynamics, zero_input(), starts, options, {});
    CHECK(by_component.frequency(0) == Approx(run.frequency(0)).epsilon(1e-4));
}

TEST_CASE("a linear rotation keeps amplitude and frequency", "[cycles]") {
    // rho = 1: every circle is invariant, both exponents are 0.
    const Dynamics dynamics =
        plain_network(rotation_weights(1, 0.37), Matrix::Zero(2, 1), Function::identity);
    RowMatrix start(1, 2);
    start << 0.6, 0.8;
    CycleOptions options;
    options.transient = 0;
    options.output = 1;
    const LongRun run = run_long(dynamics, zero_input(), start, options, {});
    CHECK(run.motion[0] == Motion::quasi_periodic);
    CHECK(run.amplitude(0) == Approx(1).epsilon(1e-3));
    CHECK(run.frequency(0) == Approx(0.37).epsilon(1e-5));
    CHECK(run.rotation(0) == Approx(0.37).epsilon(1e-3));
    CHECK(std::abs(run.frequency(0) - 0.37) <= run.frequency_error(0));
    CHECK(run.frequency_error(0) < 1e-3);
    CHECK(std::abs(run.rotation(0) - 0.37) <= 3 * run.rotation_error(0) + 1e-9);
    CHECK(run.lyapunov.isZero(1e-12));
}

TEST_CASE("rest, whole periods, divergence and drift are told apart", "[cycles]") {
    CycleOptions options;
    options.steps = 400;
    SECTION("a fixed point's exponents are the logarithms of its eigenvalues") {
        const Product product = product_system({1.6, 1.3}, 1);
        const Dynamics dynamics = plain_network(product.recurrent, Matrix::Zero(3, 1));
        const LongRun run =
            run_long(dynamics, zero_input(), RowMatrix::Constant(1, 3, 0.4), options, {});
        CHECK(run.motion[0] == Motion::fixed);
        const auto eigenvalue = [](double w) { return w * (1 - std::pow(upper_root(w), 2)); };
        CHECK(run.lyapunov(0, 0) == Approx(std::log(eigenvalue(1.3))).epsilon(1e-8));
        CHECK(run.lyapunov(0, 1) == Approx(std::log(eigenvalue(1.6))).epsilon(1e-8));
        CHECK(run.lyapunov(0, 2) == -std::numeric_limits<double>::infinity());
        CHECK(std::isnan(run.frequency(0)));
    }
    SECTION("period two") {
        // h -> tanh(-w h) alternates between a and -a, a = tanh(w a); multiplier (w (1 - a^2))^2.
        const Dynamics dynamics = plain_network(Matrix::Constant(1, 1, -1.5), Matrix::Zero(1, 1));
        const LongRun run =
            run_long(dynamics, zero_input(), RowMatrix::Constant(1, 1, 0.3), options, {});
        CHECK(run.motion[0] == Motion::periodic);
        CHECK(run.period(0) == 2);
        const double a = upper_root(1.5), multiplier = std::pow(1.5 * (1 - a * a), 2);
        CHECK(std::abs(run.floquet_multipliers(0, 0) - multiplier) < 1e-9);
        CHECK(run.floquet_exponents(0, 0) == Approx(std::log(multiplier)).epsilon(1e-8));
        CHECK(run.amplitude(0) == Approx(std::sqrt(2.0) * a).epsilon(1e-3));
    }
    SECTION("divergence beside rest") {
        const Dynamics dynamics =
            plain_network(1.1 * Matrix::Identity(1, 1), Matrix::Zero(1, 1), Function::relu);
        RowMatrix starts(2, 1);
        starts << 1, -1;
        const LongRun run = run_long(dynamics, zero_input(), starts, options, {});
        CHECK(run.motion == std::vector<Motion>{Motion::diverged, Motion::fixed});
        CHECK(std::isnan(run.lyapunov(0, 0)));
    }
    SECTION("a drift has no crossings") {
        const Dynamics dynamics =
            plain_network(Matrix::Identity(1, 1), Matrix::Ones(1, 1), Function::identity);
        const LongRun run =
            run_long(dynamics, RowMatrix::Constant(1, 1, 1e-3), RowMatrix::Zero(1, 1), options, {});
        CHECK(run.motion[0] == Motion::unresolved);
    }
}

TEST_CASE("the tent map is chaotic with the logarithm of its slope", "[cycles]") {
    // z = mu (a - 2 b), a' = relu(z), b' = relu(z - 1/2): z' = mu z below 1/2, mu (1 - z) above.
    const double mu = 1.9;
    Matrix w(2, 2);
    w << mu, -2 * mu, mu, -2 * mu;
    Matrix k(2, 1);
    k << 0, -0.5;
    const Dynamics dynamics = plain_network(w, k, Function::relu);
    RowMatrix start(1, 2);
    start << 0.3123, 0;
    const LongRun run = run_long(dynamics, RowMatrix::Ones(1, 1), start, {}, {});
    CHECK(run.motion[0] == Motion::chaotic);
    CHECK(run.lyapunov(0, 0) == Approx(std::log(mu)).margin(1e-4));
    CHECK(run.lyapunov(0, 1) == -std::numeric_limits<double>::infinity()); // W has rank 1
}

TEST_CASE("the error of a frequency is that of its crossings", "[cycles]") {
    const Dynamics dynamics =
        plain_network(rotation_weights(1, 1.0), Matrix::Zero(2, 1), Function::identity);
    RowMatrix start(1, 2);
    start << 1, 0;
    CycleOptions options;
    options.transient = 0;
    options.steps = 400;
    const LongRun run = run_long(dynamics, zero_input(), start, options, {});
    // Linear interpolation of a sine sampled six times a turn.
    CHECK(std::abs(run.frequency(0) - 1) <= 3 * run.frequency_error(0));
    CHECK(run.frequency_error(0) > 1e-5);
    CHECK(run.frequency_error(0) < 0.01);
}

TEST_CASE("crossings are interpolated", "[cycles]") {
    Vector signal(1000);
    for (Index t = 0; t < 1000; ++t)
        signal(t) = 3 + std::sin(2.5 * 0.05 * static_cast<double>(t) + 0.4);
    CHECK(crossing_frequency(signal, 0.05) == Approx(2.5).epsilon(2e-4));
    CHECK(std::isnan(crossing_frequency(Vector::Ones(50), 1)));
}

TEST_CASE("long runs have the same bits for any number of threads", "[cycles]") {
    const Dynamics dynamics = plain_network(rotation_weights(1.3, 0.5), Matrix::Identity(2, 2));
    RowMatrix starts(140, 2), x(140, 2); // more than one block
    for (Index b = 0; b < 140; ++b) {
        starts.row(b) << 0.01 * static_cast<double>(b), 0.3;
        x.row(b) << 0.001 * static_cast<double>(b), 0;
    }
    CycleOptions options;
    options.transient = 50;
    options.steps = 100;
    Execution three;
    three.threads = 3;
    const LongRun a = run_long(dynamics, x, starts, options, {});
    const LongRun b = run_long(dynamics, x, starts, options, three);
    CHECK(a.motion == b.motion);
    CHECK(a.lyapunov == b.lyapunov);
    CHECK(a.state == b.state);
}

TEST_CASE("wrong options of long runs are refused", "[cycles]") {
    const Dynamics dynamics = plain_network(rotation_weights(1.2, 0.3), Matrix::Zero(2, 1));
    const RowMatrix start = RowMatrix::Zero(1, 2);
    CycleOptions options;
    options.output = 2;
    CHECK_THROWS_WITH(run_long(dynamics, zero_input(), start, options, {}),
                      "output 2: the network has 2");
    options = {};
    options.blocks = 20000;
    CHECK_THROWS_WITH(run_long(dynamics, zero_input(), start, options, {}),
                      "20000 blocks of 10000 steps");
    CHECK_THROWS_WITH(run_long(dynamics, zero_input(), RowMatrix::Zero(1, 3), {}, {}),
                      "starts have 3 columns, the state needs 2");
}
