// Learning curves and exact solutions against integration of the weights' own equations by scipy
// (test/reference/make_lindyn_oracle.py), closed forms, and one another.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/linalg/orthonormal.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/comparison.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/flow.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/predict.hpp>
#include <assay/lindyn/simulate.hpp>
#include <assay/lindyn/starts.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::lindyn;

namespace {

hdf5::Group oracle(const std::string& path) {
    const std::string file = std::string(ASSAY_TEST_REFERENCE) + "/lindyn_oracle.h5";
    return hdf5::File::open(file, file).root().group(path);
}

double number(const hdf5::Group& group, const std::string& name) {
    return group.number_attribute(name).value();
}

// The i-th matrix of a stack.
Matrix slice(const hdf5::Group& group, const std::string& name, Index i) {
    const hdf5::Dataset stack = group.dataset(name);
    RowMatrix matrix(stack.shape()[1], stack.shape()[2]);
    stack.read_box<double>({i, 0, 0}, {1, matrix.rows(), matrix.cols()}, matrix.data());
    return matrix;
}

Matrix random_matrix(Index rows, Index cols, std::uint64_t seed, double scale = 1) {
    const Random random(seed, "test/lindyn");
    Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i)
        m.data()[i] = scale * random.normal(static_cast<std::uint64_t>(i));
    return m;
}

Statistics statistics_of(Matrix syx, double scale) {
    Statistics s;
    s.syx = std::move(syx);
    s.input_scale = scale;
    s.output_power = 2 * s.syx.squaredNorm();
    return s;
}

} // namespace

TEST_CASE("mode curves equal the integrated weights", "[lindyn]") {
    const hdf5::Group curves = oracle("curves");
    const auto names = curves.names();
    REQUIRE(names.size() == 33);
    for (const auto& name : names) {
        const hdf5::Group g = curves.group(name);
        const Vector start = g.dataset("start").read_vector(),
                     time = g.dataset("time").read_vector();
        const Vector expected = g.dataset("value").read_vector();
        const double s = number(g, "s"), d = number(g, "d");
        Vector found;
        if (start.size() == 2 && start(0) != start(1)) {
            const UnbalancedLaw law{s, d, start(0), start(1), 1};
            found = mode_curve(law, time);
            for (const double fraction : {0.1, 0.5, 0.9}) {
                const double when = time_to_reach(law, fraction), level = fraction * s / d;
                if (std::isnan(when))
                    CHECK(start.prod() > level);
                else if (std::isinf(when))
                    CHECK((s == 0 || expected.maxCoeff() < level));
                else
                    CHECK(mode_curve(law, Vector::Constant(1, when))(0) ==
                          Approx(level).epsilon(1e-11));
            }
        } else {
            const ModeLaw law{s,
                              d,
                              start.prod(),
                              static_cast<int>(start.size()),
                              number(g, "tau"),
                              number(g, "decay")};
            found = mode_curve(law, time);
        }
        const double scale = std::max(s / d, expected.cwiseAbs().maxCoeff());
        INFO("case " << name << ": depth " << start.size() << ", s " << s);
        CHECK((found - expected).cwiseAbs().maxCoeff() < 1e-9 * scale);
    }
}

TEST_CASE("times of a mode: the canary's, and inverses of the curve", "[lindyn]") {
    // t_half = tau/(2s) ln(q/a0 - 1) with s = sqrt(7)/4, sqrt(3)/4, 1/4 and Sx = I/4.
    const double expected[3] = {5.957, 8.610, 13.814};
    const double s[3] = {std::sqrt(7.0) / 4, std::sqrt(3.0) / 4, 0.25};
    for (int a = 0; a < 3; ++a) {
        const ModeLaw law{s[a], 0.25, 1e-3, 2, 1, 0};
        CHECK(std::abs(time_to_reach(law, 0.5) - expected[a]) < 1e-3);
        CHECK(time_to_reach(law, 0.5) ==
              Approx(std::log(4 * s[a] / 1e-3 - 1) / (2 * s[a])).epsilon(1e-12));
        CHECK(time_to_reach(law, 0.9) - time_to_reach(law, 0.1) ==
              Approx(std::log(9.0) / s[a]).epsilon(1e-12));
        // Shallow: one clock.
        const ModeLaw shallow{s[a], 0.25, 0, 1, 1, 0};
        CHECK(time_to_reach(shallow, 0.5) == Approx(std::log(2.0) / 0.25).epsilon(1e-12));
    }
    for (int depth = 1; depth <= 9; ++depth)
        for (const double fraction : {0.1, 0.5, 0.9}) {
            const ModeLaw law{1.7, 0.6, 0.01, depth, 2.5, 0};
            const Vector time = Vector::Constant(1, time_to_reach(law, fraction));
            CHECK(mode_curve(law, time)(0) == Approx(fraction * law.end()).epsilon(1e-12));
        }
    // Depth 4: t = tau/2 [atanh(sqrt(u/s))/s^{3/2} - 1/(s sqrt u)], d = 1.
    const double sv = 1.3, begin = 0.02;
    const auto closed = [&](double u) {
        return (std::atanh(std::sqrt(u / sv)) / std::pow(sv, 1.5) - 1 / (sv * std::sqrt(u))) / 2;
    };
    CHECK(time_to_reach({sv, 1, begin, 4, 1, 0}, 0.5) ==
          Approx(closed(sv / 2) - closed(begin)).epsilon(1e-12));
    CHECK(std::isnan(time_to_reach({1, 1, 0.6, 2, 1, 0}, 0.5)));
    CHECK(std::isinf(time_to_reach({1, 1, 0.6, 2, 1, 2}, 0.5)));
}

TEST_CASE("the theory of deep networks tends to that of two layers", "[lindyn]") {
    // t(a) = tau [H(y) - H(y0)] / (s q^{1-2/D}), y = (a/q)^{1/D}, for any real depth D > 2:
    // H(y) = -y^{2-D}/(D-2) + sum_n y^{nD+2}/(nD+2), its first term without cancellation.
    const auto time = [](double depth, const ModeLaw& law, double fraction) {
        const double q = law.s / law.d;
        const auto elapsed = [depth](double share) {
            const double log_y = std::log(share) / depth;
            double sum = -std::expm1((2 - depth) * log_y) / (depth - 2);
            for (int n = 0; n < 2000; ++n)
                sum += std::exp((n * depth + 2) * log_y) / (n * depth + 2);
            return sum;
        };
        return law.tau * (elapsed(fraction) - elapsed(law.start / q)) /
               (law.s * std::pow(q, 1 - 2 / depth));
    };
    const Random random(5, "test/lindyn/depth");
    for (std::uint64_t draw = 0; draw < 50; ++draw) {
        const auto between = [&](std::uint64_t which, double low, double high) {
            return low * std::pow(high / low, random.uniform(4 * draw + which));
        };
        ModeLaw law{between(0, 0.2, 8), between(1, 0.1, 3), 0, 2, between(2, 0.5, 5), 0};
        law.start = between(3, 1e-4, 0.05) * law.end();
        for (const double fraction : {0.1, 0.5, 0.9}) {
            for (const int depth : {3, 4, 7}) { // the library's own formula
                law.depth = depth;
                CHECK(time_to_reach(law, fraction) ==
                      Approx(time(depth, law, fraction)).epsilon(1e-11));
            }
            law.depth = 2;
            const double limit = time_to_reach(law, fraction);
            const double near = time(2 + 1e-3, law, fraction),
                         nearer = time(2 + 5e-4, law, fraction);
            CHECK(nearer == Approx(limit).epsilon(5e-3));
            CHECK(2 * nearer - near == Approx(limit).epsilon(1e-5)); // its error is of first order
        }
    }
}

TEST_CASE("the exact solution equals the integrated matrices", "[lindyn]") {
    const hdf5::Group flows = oracle("flows");
    for (const auto& name : flows.names()) {
        const hdf5::Group g = flows.group(name);
        const Matrix syx = g.dataset("syx").read_matrix();
        const Vector time = g.dataset("time").read_vector();
        ExactSolution exact(syx, number(g, "d"), g.dataset("first").read_matrix(),
                            g.dataset("second").read_matrix());
        INFO("case " << name << ", lambda " << number(g, "lambda"));
        CHECK(std::abs(exact.lambda() - number(g, "lambda")) < 1e-12);
        CHECK(exact.expected_error() < 1e-12);
        for (Index i = 0; i < time.size(); ++i) {
            exact.advance(time(i));
            const Matrix map = slice(g, "map", i), in = slice(g, "input_gram", i),
                         out = slice(g, "output_gram", i);
            INFO("time " << time(i));
            CHECK((exact.map() - map).norm() < 1e-9 * syx.norm());
            CHECK((exact.input_gram() - in).norm() < 1e-9 * std::max(syx.norm(), in.norm()));
            CHECK((exact.output_gram() - out).norm() < 1e-9 * std::max(syx.norm(), out.norm()));
        }
    }
}

TEST_CASE("the exact solution may jump, or go on from where it is", "[lindyn]") {
    const Matrix syx = random_matrix(5, 7, 1);
    StartSettings start{StartLaw::orthogonal, 1e-4, 2, 0};
    const Layers w = initial_layers({7, 4, 5}, {}, start);
    ExactSolution slow(syx, 1, w[0], w[1], 3), fast(syx, 1, w[0], w[1], 3);
    for (int i = 1; i <= 100; ++i) slow.advance(i * 0.5);
    fast.advance(50);
    CHECK((slow.map() - fast.map()).norm() < 1e-11);
    CHECK((slow.input_gram() - fast.input_gram()).norm() < 1e-11);
    // For ever: the best map of rank 4, and nothing overflows.
    fast.advance(1e5);
    const linalg::Svd svd = linalg::thin_svd(syx);
    const Matrix best =
        svd.u.leftCols(4) * svd.s.head(4).asDiagonal() * svd.v.leftCols(4).transpose();
    CHECK((fast.map() - best).norm() < 1e-10);
    CHECK_THROWS_AS(fast.advance(1), Error);
    // Strengths are the map's.
    const Vector a = slow.strengths(svd.u, svd.v);
    CHECK((a - (svd.u.transpose() * slow.map() * svd.v).diagonal()).norm() < 1e-12);
}

TEST_CASE("the flow of all weights equals scipy's", "[lindyn]") {
    const hdf5::Group deep = oracle("deep");
    for (const auto& name : deep.names()) {
        const hdf5::Group g = deep.group(name);
        Statistics s = statistics_of(g.dataset("syx").read_matrix(), 0);
        s.sxx = g.dataset("sxx").read_matrix();
        Layers start;
        for (int l = 1; g.has("start_" + std::to_string(l)); ++l)
            start.push_back(g.dataset("start_" + std::to_string(l)).read_matrix());
        Flow flow(s, start, 2);
        const Vector time = g.dataset("time").read_vector();
        for (Index i = 0; i < time.size(); ++i)
            CHECK((whole_map(flow.at(2 * time(i))) - slice(g, "map", i)).norm() <
                  2e-6 * s.syx.norm());
        CHECK(flow.conservation_error() < 1e-6);
    }
}

TEST_CASE("the discrete recursion is gradient descent on aligned modes", "[lindyn]") {
    const int depth = GENERATE(1, 2, 3, 4);
    const double momentum = GENERATE(0.0, 0.8);
    const Statistics s = statistics_of(random_matrix(5, 6, 3), 0.7);
    const Modes modes = find_modes(s, {});
    std::vector<Index> widths(static_cast<std::size_t>(depth) + 1, 8), recorded;
    widths.front() = 6;
    widths.back() = 5;
    for (Index t = 0; t <= 400; t += 20) recorded.push_back(t);
    const StepSettings settings{0.02, momentum, 0.01};
    const Layers start = initial_layers(widths, modes, {StartLaw::aligned, 0.05, 1, 0});
    Simulation run(s, modes, std::make_unique<GradientDescent>(s, start, settings), {recorded});
    while (!run.finished()) run.advance(silent_monitor());
    const SimulationRecord& record = run.record();
    const Matrix predicted = discrete_curves(
        {modes.s, modes.input_variance, Vector::Constant(5, 0.05), depth, settings}, recorded);
    CHECK((record.strength - predicted).cwiseAbs().maxCoeff() < 1e-12 * modes.asymptote(0));
    if (momentum == 0) // the loss falls below the bound of stability
        for (Index t = 1; t < record.loss.size(); ++t) CHECK(record.loss(t) <= record.loss(t - 1));
}

namespace {

// W_l and its velocity after a step by the gradient's formula, literally.
void literal_step(const Matrix& syx, const Matrix& sxx, const StepSettings& settings, Layers& w,
                  Layers& v) {
    const Layers old = w;
    const Matrix error = syx - whole_map(old) * sxx;
    for (std::size_t l = 0; l < w.size(); ++l) {
        Matrix above = Matrix::Identity(old[l].rows(), old[l].rows());
        Matrix below = Matrix::Identity(sxx.rows(), sxx.rows());
        for (std::size_t k = l + 1; k < w.size(); ++k) above = old[k] * above;
        for (std::size_t k = 0; k < l; ++k) below = old[k] * below;
        v[l] = settings.momentum * v[l] + above.transpose() * error * below.transpose() -
               settings.decay * old[l];
        w[l] += settings.rate * v[l];
    }
}

Layers zeros_like(Layers layers) {
    for (Matrix& one : layers) one.setZero();
    return layers;
}

} // namespace

TEST_CASE("a step of any network on any inputs is the gradient's formula", "[lindyn]") {
    const std::size_t depth = GENERATE(1U, 2U, 3U);
    const bool white = GENERATE(true, false);
    const double momentum = GENERATE(0.0, 0.6);
    Statistics s = statistics_of(random_matrix(4, 6, 1), 0.7);
    const Matrix x = random_matrix(6, 9, 2);
    if (!white) s.sxx = x * x.transpose() / 9;
    const Matrix sxx = white ? Matrix(0.7 * Matrix::Identity(6, 6)) : s.sxx;
    std::vector<Index> widths(depth + 1, 5);
    widths.front() = 6;
    widths.back() = 4;
    Layers w = initial_layers(widths, {}, {StartLaw::gaussian, 0.4, 3, 0}), v = zeros_like(w);
    const StepSettings settings{0.05, momentum, 0.02};
    GradientDescent descent(s, w, settings);
    for (Index t = 0; t < 3; ++t) {
        descent.step(t);
        literal_step(s.syx, sxx, settings, w, v);
    }
    for (std::size_t l = 0; l < depth; ++l) CHECK((descent.layers()[l] - w[l]).norm() < 1e-13);
}

TEST_CASE("descent in the fewest dimensions is descent in all", "[lindyn]") {
    struct Shape {
        Index inputs, outputs;
        bool white;
    };
    const Shape shape = GENERATE(Shape{4, 30, true}, Shape{4, 30, false}, Shape{30, 4, true});
    const std::size_t depth = GENERATE(2U, 3U);
    const double momentum = GENERATE(0.0, 0.6);
    Statistics s = statistics_of(random_matrix(shape.outputs, shape.inputs, 1, 0.3), 0.7);
    const Matrix x = random_matrix(shape.inputs, 9, 2);
    if (!shape.white) s.sxx = x * x.transpose() / 9;
    const Matrix sxx =
        shape.white ? Matrix(0.7 * Matrix::Identity(shape.inputs, shape.inputs)) : s.sxx;
    std::vector<Index> widths(depth + 1, 3);
    widths.front() = shape.inputs;
    widths.back() = shape.outputs;
    const Layers start = initial_layers(widths, {}, {StartLaw::gaussian, 0.4, 3, 0});
    Layers w = start, v = zeros_like(w);
    const StepSettings settings{0.05, momentum, 0.02};
    const auto learner = gradient_descent(s, start, settings);
    const auto dimensions = [&] {
        return std::max(learner->state().front().cols(), learner->state().back().rows());
    };
    CHECK(dimensions() == 4 + 3); // of one side the data's, of the hidden layer's the start's
    for (std::size_t l = 0; l < depth; ++l) CHECK(learner->layers()[l] == start[l]);
    const auto resumed = gradient_descent(s, start, settings);
    for (Index t = 0; t < 60; ++t) {
        if (t == 30) resumed->restore(learner->state(), learner->velocities());
        learner->step(t);
        if (t >= 30) resumed->step(t);
        literal_step(s.syx, sxx, settings, w, v);
    }
    for (std::size_t l = 0; l < depth; ++l) {
        CHECK((learner->layers()[l] - w[l]).norm() < 1e-12 * w[l].norm());
        CHECK(resumed->layers()[l] == learner->layers()[l]);
    }
}

TEST_CASE("descent takes all dimensions where none is spare", "[lindyn]") {
    Statistics s = statistics_of(random_matrix(7, 4, 1), 0.7);
    const Layers start = initial_layers({4, 3, 7}, {}, {StartLaw::gaussian, 0.4, 3, 0});
    CHECK_FALSE(ReducedDescent::pays(s, start));
    s = statistics_of(random_matrix(4, 30, 1), 0.7);
    s.sxx = Matrix::Identity(30, 30); // inputs that are not known to be white
    CHECK_FALSE(
        ReducedDescent::pays(s, initial_layers({30, 3, 4}, {}, {StartLaw::gaussian, 1, 3, 0})));
    CHECK_FALSE(
        ReducedDescent::pays(s, initial_layers({30, 4}, {}, {StartLaw::gaussian, 1, 3, 0})));
}

TEST_CASE("how much finite steps put off a mode", "[lindyn]") {
    const double s = 3, start = 1e-4, half = time_to_reach({s, 1, start, 2, 1, 0}, 0.5);
    // Steps of the recursion until half of the end, with parts of the last one.
    const auto counted = [&](const StepSettings& step) {
        DiscreteModes mode(Vector::Constant(1, s), Vector::Ones(1), Vector::Constant(1, start), 2,
                           step);
        for (int t = 1;; ++t) {
            const double before = mode.strengths()(0);
            mode.step();
            const double after = mode.strengths()(0);
            if (after >= s / 2) return t - (after - s / 2) / (after - before);
        }
    };
    const StepSettings plain{0.05, 0, 0};
    const double flow = half / 0.05;
    CHECK(flow == Approx(34.4).margin(0.05));
    CHECK(std::ceil(counted(plain)) == 37);
    CHECK(flow * (1 + step_lag(plain, s)) == Approx(36.9).margin(0.05));
    CHECK(step_lag({0.05, 0, 0.5}, s) == Approx(0.05 * 2.5 / 2).epsilon(1e-12));
    // To first order in the rate, with momentum too, but for a step or two of the slower growth at
    // the end: (1/2) ln[f(half)/f(start)] of f = w (s - w^2) without momentum, 0.52 less.
    for (const auto& [momentum, steps] :
         {std::make_pair(0.0, 0.6), std::make_pair(0.5, 0.8), std::make_pair(0.9, 2.5)})
        for (const double size : {0.02, 0.04}) {
            const StepSettings step{size * (1 - momentum) * (1 - momentum) / s, momentum, 0};
            const double told = half * (1 - momentum) / step.rate, share = step_lag(step, s);
            CHECK(share == Approx(size * (1 + momentum) / 2).epsilon(1e-12));
            INFO("momentum " << momentum << ", size " << size);
            CHECK(std::abs(counted(step) - told * (1 + share)) < steps);
        }
}

TEST_CASE("finite steps of momentum that looks ahead, decay beside the gradient, and a rate that "
          "varies",
          "[lindyn]") {
    const bool nesterov = GENERATE(false, true), decoupled = GENERATE(false, true);
    const int depth = GENERATE(1, 2, 3);
    const double s = 1.3, d = 0.7, m = 0.6, decay = 0.05, base = 0.02;
    const auto share = [](Index k) { return k < 30 ? 1 : 0.25 + 0.001 * static_cast<double>(k); };
    // The optimiser's own words, scalar by scalar.
    Vector w = Vector::Constant(depth, std::pow(0.1, 1.0 / depth)), v = Vector::Zero(depth);
    for (Index k = 0; k < 80; ++k) {
        const Vector old = w;
        const double rate = base * share(k);
        for (Index l = 0; l < depth; ++l) {
            double g = (d * old.prod() - s) * old.prod() / old(l); // dL/dw_l
            if (decoupled)
                w(l) -= rate * decay / (1 - m) * old(l);
            else
                g += decay * old(l);
            v(l) = m * v(l) + g;
            w(l) -= rate * (nesterov ? g + m * v(l) : v(l));
        }
    }
    const Matrix curve = discrete_curves({Vector::Constant(1, s),
                                          Vector::Constant(1, d),
                                          Vector::Constant(1, 0.1),
                                          depth,
                                          {base, m, decay},
                                          {nesterov, decoupled}},
                                         {0, 80}, silent_monitor(), share);
    CHECK(curve(0, 0) == Approx(0.1).epsilon(1e-14));
    CHECK(curve(1, 0) == Approx(w.prod()).epsilon(1e-12));
}

TEST_CASE("a clock of steps whose rate varies", "[lindyn]") {
    const Index updates = 10000; // more than one block of sums
    const auto share = [](Index k) { return k < 50 ? 0.02 * static_cast<double>(k) : 0.5; };
    const StepClock clock(share, updates, 20);
    double passed = 0;
    for (Index k = 0; k < updates; ++k) {
        if (k % 997 == 0 || k == 4096)
            CHECK(clock.at(static_cast<double>(k)) == Approx(passed / 20).epsilon(1e-12));
        passed += share(k);
    }
    CHECK(clock.at(60.25) == Approx((0.02 * 49 * 25 + 10.25 * 0.5) / 20).epsilon(1e-12));
    CHECK(clock.at(10100) == Approx((passed + 100 * 0.5) / 20).epsilon(1e-12)); // the last rate
    for (const double steps : {3.5, 60.25, 4096.0, 7777.7, 10050.0})
        CHECK(clock.when(clock.at(steps)) == Approx(steps).epsilon(1e-10));
    CHECK(clock.when(0) == 0);
    CHECK(std::isnan(clock.when(std::nan(""))));
    const StepClock ending([](Index k) { return k < 5 ? 1.0 : 0.0; }, 8, 1);
    CHECK(ending.when(4.5) == 4.5);
    CHECK(std::isinf(ending.when(6)));
    const TimeScale epochs{20.0 / 4, "epochs", std::make_shared<StepClock>(clock), 4};
    CHECK(epochs.told(clock.at(100)) == Approx(25).epsilon(1e-10));
    CHECK(epochs.in_tau(25) == Approx(clock.at(100)).epsilon(1e-12));
}

TEST_CASE("a flow that is restored goes on to the same bits", "[lindyn]") {
    const Statistics s = statistics_of(random_matrix(4, 6, 3), 0.7);
    const Layers start = initial_layers({6, 5, 4}, {}, {StartLaw::gaussian, 0.1, 2, 0});
    const StepSettings settings{0.05, 0, 0.01};
    FlowLearner whole(s, start, settings), resumed(s, start, settings);
    for (Index t = 0; t < 137; ++t) whole.step(t);
    resumed.restore(whole.layers(), whole.velocities());
    for (Index t = 137; t < 300; ++t) {
        whole.step(t);
        resumed.step(t);
    }
    for (std::size_t l = 0; l < 2; ++l) CHECK(whole.layers()[l] == resumed.layers()[l]);
    CHECK_THROWS_AS(resumed.restore(start, {}), Error);
    CHECK_THROWS_AS(resumed.restore(start, {Matrix::Zero(3, 9), Matrix::Zero(3, 1)}), Error);
}

namespace {

// Layers along the modes with the D-th root of each strength, through hidden units in any basis.
Layers layers_along(const Modes& modes, const Vector& strength, std::size_t depth) {
    const Vector root = strength.cwiseAbs().array().pow(1.0 / static_cast<double>(depth));
    const Index width = modes.count() + 2;
    Layers layers;
    Matrix below = modes.v;
    for (std::size_t l = 1; l <= depth; ++l) {
        const Matrix above =
            l == depth ? Matrix(modes.u * strength.cwiseSign().asDiagonal())
                       : linalg::orthonormalised(random_matrix(width, modes.count(), 40 + l));
        layers.push_back(above * root.asDiagonal() * below.transpose());
        below = above;
    }
    return layers;
}

// Inputs whose directions are the modes of the targets, of different variances.
Problem commuting_problem() {
    const Matrix v = linalg::orthonormalised(random_matrix(6, 6, 31));
    const Matrix u = linalg::orthonormalised(random_matrix(4, 4, 32));
    Statistics s = statistics_of(
        u * Eigen::Vector4d(2, 1.2, 0.7, 0.3).asDiagonal() * v.leftCols(4).transpose(), 0);
    s.sxx = v * (Vector(6) << 0.5, 1, 0.8, 0.3, 2, 0.1).finished().asDiagonal() * v.transpose();
    return make_problem(s, false, {});
}

} // namespace

TEST_CASE("weights along the modes have closed forms, without being asked for", "[lindyn]") {
    const Problem problem = commuting_problem();
    const std::size_t depth = GENERATE(2U, 3U, 4U);
    const Vector start = Eigen::Vector4d(0.02, 0.3, 0.05, 0.1), times = Vector::LinSpaced(9, 0, 20);
    PredictSettings settings;
    settings.weights = layers_along(problem.modes, start, depth);
    const auto found = [&] { return predict(problem, settings, times, {}); };
    const Prediction closed = found();
    CHECK(closed.method == Method::aligned);
    CHECK((closed.initial_strength - start).norm() < 1e-12);
    Flow flow(problem.statistics, *settings.weights);
    for (Index i = 0; i < times.size(); ++i)
        CHECK((strengths(problem.modes, whole_map(flow.at(times(i)))) -
               closed.strength.row(i).transpose())
                  .norm() < 1e-6);
    // One thing is otherwise.
    (*settings.weights)[0] *= 1.0001;
    CHECK(found().method == Method::flow); // imbalance
    settings.weights = layers_along(problem.modes, start, depth);
    (*settings.weights)[0] += 1e-5 * random_matrix((*settings.weights)[0].rows(), 6, 33);
    CHECK(found().method == Method::flow); // other directions
    settings.weights = layers_along(problem.modes, Eigen::Vector4d(-0.02, 0.3, 0.05, 0.1), depth);
    CHECK(found().method == Method::flow); // a mode that starts the wrong way
    settings.weights = layers_along(problem.modes, Eigen::Vector4d(5, 0.3, 0.05, 0.1), depth);
    CHECK(found().method == Method::flow); // a mode beyond its end
    // A mode far below the others starts where it says, unless what is aside is of its size.
    settings.weights = layers_along(problem.modes, Eigen::Vector4d(1e-6, 0.3, 0.05, 0.1), depth);
    CHECK(found().method == Method::aligned);
    (*settings.weights)[0] += 1e-9 * random_matrix((*settings.weights)[0].rows(), 6, 33);
    CHECK(found().method == Method::flow);
    settings.weights = layers_along(problem.modes, start, depth);
    settings.step.decay = 0.01;
    CHECK(found().method == (depth == 2 ? Method::aligned : Method::flow)); // no closed form
    settings.step.decay = 0;
    Problem skew = problem;
    const Matrix x = random_matrix(6, 30, 34);
    skew.statistics.sxx = x * x.transpose() / 30;
    skew = make_problem(skew.statistics, false, {});
    CHECK(predict(skew, settings, times, {}).method == Method::flow); // inputs that mix the modes
}

TEST_CASE("a start along a mode that is not in the data has no closed form", "[lindyn]") {
    const Matrix v = linalg::orthonormalised(random_matrix(6, 4, 37));
    const Matrix u = linalg::orthonormalised(random_matrix(4, 4, 38));
    const Problem problem = make_problem(
        statistics_of(u * Eigen::Vector4d(2, 1.2, 0.7, 0).asDiagonal() * v.transpose(), 0.7), false,
        {});
    const std::size_t depth = GENERATE(2U, 3U);
    const Vector times = Vector::LinSpaced(9, 0, 10);
    PredictSettings settings;
    settings.weights = layers_along(problem.modes, Eigen::Vector4d(0.02, 0.3, 0.05, 0), depth);
    CHECK(predict(problem, settings, times, {}).method == Method::aligned);
    settings.weights = layers_along(problem.modes, Eigen::Vector4d(0.02, 0.3, 0.05, 0.4), depth);
    const Prediction p = predict(problem, settings, times, {});
    CHECK(p.method != Method::aligned);
    CHECK(p.strength(0, 3) == Approx(0.4));
    Flow flow(problem.statistics, *settings.weights);
    for (Index i = 0; i < times.size(); ++i)
        CHECK(
            (strengths(problem.modes, whole_map(flow.at(times(i)))) - p.strength.row(i).transpose())
                .norm() < 1e-6);
}

TEST_CASE("the exact solution takes strengths that closed forms refuse", "[lindyn]") {
    const double d = 0.7;
    const Problem problem = make_problem(statistics_of(random_matrix(4, 6, 35), d), false, {});
    const Modes& modes = problem.modes;
    PredictSettings settings;
    settings.initial_strength = {2 * modes.asymptote(0), -0.1, 0, 0.05};
    const Vector times = Vector::LinSpaced(7, 0, 3);
    CHECK_THROWS_WITH(predict(problem, settings, times, {}), Catch::Contains("--method exact"));
    settings.method = Method::exact;
    const Prediction p = predict(problem, settings, times, {});
    CHECK(p.method == Method::exact);
    CHECK(p.initial_strength(1) == -0.1);
    // tau a' = 2 |a| (s - d a).
    for (Index i = 0; i < times.size(); ++i)
        for (Index k = 0; k < 4; ++k) {
            const double q = modes.asymptote(k), a = settings.initial_strength[std::size_t(k)];
            const double e = std::exp(-2 * modes.s(k) * times(i));
            const double expected = a > 0   ? q / (1 + (q / a - 1) * e)
                                    : a < 0 ? -q * e / (1 - q / a - e)
                                            : 0;
            CHECK(std::abs(p.strength(i, k) - expected) < 1e-10);
        }
    settings.depth = 3;
    CHECK_THROWS_WITH(predict(problem, settings, times, {}), Catch::Contains("3 layers"));
}

TEST_CASE("layers that start unequal along the modes: the exact solution's", "[lindyn]") {
    const auto start = GENERATE(std::make_pair(0.3, 1.1), std::make_pair(-1.5, 0.2),
                                std::make_pair(0.4, 0.4), std::make_pair(0.0, 0.5));
    const double d = 0.7;
    const Problem problem = make_problem(statistics_of(random_matrix(4, 6, 36), d), false, {});
    const Modes& modes = problem.modes;
    PredictSettings settings;
    settings.initial_layers = start;
    settings.maps = settings.grams = true;
    const Vector times = Vector::LinSpaced(7, 0, 4);
    const Prediction p = predict(problem, settings, times, {});
    CHECK(p.method == Method::aligned);
    ExactSolution exact(problem.statistics.syx, d, start.first * modes.v.transpose(),
                        start.second * modes.u);
    for (Index i = 0; i < times.size(); ++i) {
        exact.advance(times(i));
        const auto at = static_cast<std::size_t>(i);
        CHECK((p.map[at] - exact.map()).norm() < 1e-9);
        CHECK((p.hidden_gram[at] - exact.input_gram()).norm() < 1e-9);
        CHECK((p.output_gram[at] - exact.output_gram()).norm() < 1e-9);
        CHECK(p.loss(i) == Approx(loss_of_map(problem.statistics, exact.map())).epsilon(1e-9));
    }
    for (Index k = 0; k < 4; ++k)
        CHECK(mode_curve(UnbalancedLaw{modes.s(k), d, start.first, start.second, 1},
                         Vector::Constant(1, p.half_time(k)))(0) ==
              Approx(modes.asymptote(k) / 2).epsilon(1e-10));
    const Vector usual = usual_times(problem, settings);
    CHECK(usual(usual.size() - 1) == Approx(1.5 * p.half_time.maxCoeff()));
    settings.depth = 3;
    CHECK_THROWS_WITH(predict(problem, settings, times, {}), Catch::Contains("start unequal"));
}

TEST_CASE("layers that do not chain are named with both shapes", "[lindyn]") {
    const Layers broken{Matrix::Ones(4, 6), Matrix::Ones(3, 5)};
    try {
        check_layers(broken, 6, 3);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) ==
              "layer 2: 3 x 5 weights after the 4 x 6 of layer 1; N x 4 is expected");
    }
}

TEST_CASE("steps converge just below the bound and not above", "[lindyn]") {
    const int depth = GENERATE(2, 3, 4);
    for (const double share : {0.97, 1.03}) {
        const double rate = share * stable_rate(2, 0.8, depth);
        DiscreteModes mode(Vector::Constant(1, 2), Vector::Constant(1, 0.8),
                           Vector::Constant(1, 2.5 * (1 + 1e-6)), depth, {rate, 0, 0});
        for (int t = 0; t < 2000; ++t) mode.step();
        CHECK((std::abs(mode.strengths()(0) - 2.5) < 1e-6) == (share < 1));
    }
}

TEST_CASE("what the flow keeps, and what rotations do not change", "[lindyn]") {
    const std::uint64_t seed = GENERATE(1U, 2U, 3U);
    const Matrix x = random_matrix(6, 30, seed);
    Statistics s = statistics_of(random_matrix(4, 6, seed + 10), 0);
    s.sxx = x * x.transpose() / 30;
    const Layers start = initial_layers({6, 5, 4}, {}, {StartLaw::gaussian, 0.3, seed, 0});
    Flow flow(s, start);
    const Matrix at_three = whole_map(flow.at(3));
    CHECK(flow.conservation_error() < 1e-7);
    // Hidden units in another basis: the same map.
    const Matrix turn = linalg::orthonormalised(random_matrix(5, 5, seed + 20));
    Flow turned(s, {turn * start[0], start[1] * turn.transpose()});
    CHECK((whole_map(turned.at(3)) - at_three).norm() < 1e-6);
    // Targets turned with the outputs.
    const Matrix out = linalg::orthonormalised(random_matrix(4, 4, seed + 30));
    Statistics other = s;
    other.syx = out * s.syx;
    Flow with(other, {start[0], out * start[1]});
    CHECK((whole_map(with.at(3)) - out * at_three).norm() < 1e-6);
    // sum with tau times P is mean.
    Statistics summed = s;
    summed.syx *= 30;
    summed.sxx *= 30;
    Flow sum(summed, start, 30);
    CHECK((whole_map(sum.at(3)) - at_three).norm() < 1e-6);
}

TEST_CASE("the exact solution is off by its stated share of the imbalance", "[lindyn]") {
    const Statistics s = statistics_of(random_matrix(6, 8, 4), 1);
    const double top = linalg::thin_svd(s.syx).s(0);
    for (const double scale : {0.01, 0.05, 0.2}) {
        const Layers start = initial_layers({8, 12, 6}, {}, {StartLaw::gaussian, scale, 5, 0});
        Matrix gap = start[1].transpose() * start[1] - start[0] * start[0].transpose();
        gap.diagonal().array() -= gap.diagonal().mean();
        const double imbalance = linalg::thin_svd(gap).s(0) / top;
        Flow flow(s, start);
        ExactSolution exact(s.syx, 1, start[0], start[1]);
        CHECK(exact.expected_error() == Approx(0.1 * imbalance).epsilon(1e-12));
        double worst = 0;
        for (double t = 0.1; t < 12; t += 0.1) {
            exact.advance(t);
            worst = std::max(worst, (whole_map(flow.at(t)) - exact.map()).norm() / s.syx.norm());
        }
        INFO("imbalance " << imbalance << ", error " << worst);
        CHECK(worst < 0.15 * imbalance);
        CHECK(worst > 0.01 * imbalance);
    }
}

TEST_CASE("half times from the effective start of wide small layers", "[lindyn]") {
    const Index hidden = 60;
    const double scale = 1e-3;
    Statistics s = statistics_of(Matrix::Zero(7, 8), 1);
    s.syx.diagonal() << 3, 2.2, 1.6, 1.2, 0.9, 0.7, 0.5;
    const Modes modes = find_modes(s, {});
    double mean = 0;
    Vector share = Vector::Zero(7);
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const Layers start =
            initial_layers({8, hidden, 7}, {}, {StartLaw::gaussian, scale, seed, 0});
        const Vector effective = effective_strengths(start, modes);
        for (Index k = 0; k < 7; ++k)
            CHECK(effective(k) ==
                  Approx((start[0] * modes.v.col(k) + start[1].transpose() * modes.u.col(k))
                             .squaredNorm() /
                         4)
                      .epsilon(1e-12));
        mean += effective.mean() / 8;
        Flow flow(s, start);
        Vector half = Vector::Zero(7), before = strengths(modes, whole_map(start));
        for (double t = 0.02; t < 40; t += 0.02) {
            const Vector a = strengths(modes, whole_map(flow.at(t)));
            for (Index k = 0; k < 7; ++k)
                if (half(k) == 0 && a(k) >= modes.asymptote(k) / 2)
                    half(k) = t - 0.02 * (a(k) - modes.asymptote(k) / 2) / (a(k) - before(k));
            before = a;
        }
        for (Index k = 0; k < 7; ++k)
            share(k) += std::abs(half(k) / time_to_reach(
                                               ModeLaw{modes.s(k), 1, effective(k), 2, 1, 0}, 0.5) -
                                 1) /
                        8;
    }
    CHECK(mean == Approx(hidden * scale * scale / 2).epsilon(0.1));
    INFO(share.transpose());
    CHECK(share.head(4).maxCoeff() < 0.012);
}

namespace {

// Of the two maps at times from `step` up to `end`, relative to the correlations.
double worst_difference(Flow& flow, ExactSolution& exact, const Statistics& s, double step,
                        double end) {
    double worst = 0;
    for (double t = step; t < end; t += step) {
        exact.advance(t);
        worst = std::max(worst, (whole_map(flow.at(t)) - exact.map()).norm() / s.syx.norm());
    }
    return worst;
}

} // namespace

TEST_CASE("small random starts follow the exact solution within the stated error", "[lindyn]") {
    const std::uint64_t seed = GENERATE(1U, 2U, 3U);
    const Statistics s = statistics_of(random_matrix(6, 8, seed), 1);
    const Layers start = initial_layers({8, 12, 6}, {}, {StartLaw::gaussian, 1e-3, seed, 0});
    Flow flow(s, start);
    ExactSolution exact(s.syx, 1, start[0], start[1]);
    CHECK(exact.expected_error() < 1e-5);
    CHECK(worst_difference(flow, exact, s, 0.5, 12) < 1e-5);
}

TEST_CASE("a recorded small run follows the exact solution to 1e-6", "[lindyn]") {
    // 8 items, 40 features, 24 hidden units, a start of standard deviation 1e-3.
    const std::uint64_t seed = GENERATE(1U, 2U, 3U);
    const Statistics s = statistics_of(random_matrix(40, 8, seed, 1), 1);
    const Layers start = initial_layers({8, 24, 40}, {}, {StartLaw::gaussian, 1e-3, seed, 0});
    Matrix gap = start[1].transpose() * start[1] - start[0] * start[0].transpose();
    CHECK(linalg::thin_svd(gap).s(0) == Approx(1e-4).epsilon(0.3));
    Flow flow(s, start);
    ExactSolution exact(s.syx, 1, start[0], start[1]);
    CHECK(worst_difference(flow, exact, s, 0.1, 6) < 1e-6);
}

TEST_CASE("what no sizes and teachers change", "[lindyn]") {
    const Random random(9, "test/lindyn/properties");
    for (std::uint64_t draw = 0; draw < 30; ++draw) {
        const auto size = [&](std::uint64_t which) {
            return 2 + static_cast<Index>(11 * random.uniform(8 * draw + which));
        };
        const Index n1 = size(0), n2 = size(1), n3 = size(2);
        Statistics s = statistics_of(random_matrix(n3, n1, 100 + draw), 0.7);
        if (draw % 2 == 0) {
            const Matrix x = random_matrix(n1, 3 * n1, 200 + draw);
            s.sxx = x * x.transpose() / static_cast<double>(3 * n1);
        }
        INFO("draw " << draw << ": " << n1 << ", " << n2 << ", " << n3);
        const Problem problem = make_problem(s, false, {});
        const Modes& modes = problem.modes;
        PredictSettings settings;
        settings.hidden = n2;
        settings.initial_strength = {1e-4};
        const Vector times = Vector::LinSpaced(5, 0, 4);
        const Prediction told = predict(problem, settings, times, {});
        // Outputs in another order, and in another basis.
        Matrix order = Matrix::Zero(n3, n3);
        for (Index i = 0; i < n3; ++i) order(i, n3 - 1 - i) = 1;
        for (const Matrix& turn :
             {order, linalg::orthonormalised(random_matrix(n3, n3, 300 + draw))}) {
            Statistics other = s;
            other.syx = turn * s.syx;
            const Problem turned = make_problem(other, false, {});
            CHECK((turned.modes.s - modes.s).norm() < 1e-12 * modes.s(0));
            CHECK((turned.modes.v - modes.v).norm() < 1e-8);
            CHECK((turned.modes.u - turn * modes.u).norm() < 1e-8);
            CHECK((turned.modes.asymptote - modes.asymptote).norm() <
                  1e-8 * modes.asymptote.maxCoeff());
            const Prediction again = predict(turned, settings, times, {});
            CHECK((again.strength - told.strength).norm() < 1e-8 * modes.asymptote.maxCoeff());
            CHECK((again.loss - told.loss).norm() < 1e-8 * told.loss(0));
        }
        if (s.sxx.size() > 0) continue;
        // Below the bound of stability, that of inputs which the modes diagonalise, the loss never
        // rises.
        const Layers start = initial_layers({n1, n2, n3}, {}, {StartLaw::gaussian, 0.05, draw, 0});
        GradientDescent descent(s, start, {0.9 * stable_rate(problem, 2), 0, 0});
        double before = loss_of_map(s, whole_map(start));
        for (Index t = 0; t < 300; ++t) {
            descent.step(t);
            const double loss = loss_of_map(s, whole_map(descent.layers()));
            CHECK(loss <= before + 1e-12 * s.output_power);
            before = loss;
        }
    }
}

TEST_CASE("few modes of a large map have their partners among its first", "[lindyn]") {
    const Matrix u = linalg::orthonormalised(random_matrix(90, 6, 51)),
                 v = linalg::orthonormalised(random_matrix(70, 6, 52));
    const Vector s = (Vector(6) << 9, 7, 5, 3, 2, 1).finished();
    Problem problem =
        make_problem(statistics_of(u * s.asDiagonal() * v.transpose(), 1), false, {3, 1e-6});
    // A network that has learned most, in directions that are off.
    const Matrix map =
        u * (0.9 * s).asDiagonal() * v.transpose() + 0.02 * random_matrix(90, 70, 53);
    const ModeAlignment found = align_modes(problem.modes, map);
    const linalg::Svd own = linalg::thin_svd(map);
    for (Index a = 0; a < 3; ++a) {
        CHECK(found.output(a) == Approx(std::abs(own.u.col(a).dot(u.col(a)))).epsilon(1e-9));
        CHECK(found.input(a) == Approx(std::abs(own.v.col(a).dot(v.col(a)))).epsilon(1e-9));
        CHECK(found.input(a) < 1 - 1e-4);
    }
    // Without any first ones, all are looked at.
    const Matrix flat = linalg::orthonormalised(random_matrix(90, 70, 54));
    CHECK(align_modes(problem.modes, flat).input.allFinite());
}
