// What must hold for any recording: properties, over random shapes and seeds.
#include <assay/cnmf/compare.hpp>
#include <assay/cnmf/events.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/synth.hpp>
#include <assay/core/random.hpp>

#include <catch2/catch.hpp>

#include <numeric>

using namespace assay;
using namespace assay::cnmf;

namespace {

struct Problem {
    Matrix x;
    std::vector<Index> segments{0};
    FitOptions options;
};

Problem problem(std::uint64_t seed) {
    const Random random(seed, "test/problem");
    Problem p;
    const auto pick = [&](std::uint64_t i, std::uint64_t low, std::uint64_t high) {
        return static_cast<Index>(low + random.below(high - low, i));
    };
    const Index units = pick(0, 3, 12), bins = pick(1, 60, 160);
    p.options.components = pick(2, 1, 4);
    p.options.lags = pick(3, 1, 9);
    p.options.max_iterations = 8;
    p.options.tolerance = 0;
    p.options.seed = seed;
    SynthOptions o;
    o.units = units;
    o.bins = bins;
    o.components = p.options.components;
    o.lags = p.options.lags;
    o.event_rate = 0.2;
    o.seed = seed;
    p.x = synth_paper(o).recording->read(0, bins);
    if (seed % 2 == 1) p.segments = {0, bins / 3, bins / 2};
    return p;
}

FitResult solved(const Problem& p, const Execution& run = {}, Engine engine = Engine::gemm,
                 const Mask& held_out = {}) {
    DenseRecording recording(p.x);
    recording.segment_start = p.segments;
    const Data data(recording, {engine, Precision::float64, 0}, run);
    return fit(data, Unseen(recording, {}, held_out), p.options, run);
}

double difference(const Matrix& a, const Matrix& b) {
    return (a - b).cwiseAbs().maxCoeff();
}

void give(Problem& p, const Matrix& motifs, const Matrix& activations) {
    p.options.start.motifs = motifs;
    p.options.start.components = p.options.components;
    p.options.start.lags = p.options.lags;
    p.options.start.activations = activations;
}

} // namespace

TEST_CASE("results do not depend on threads, and an empty mask changes no bit", "[cnmf]") {
    const auto seed = GENERATE(range(0, 6));
    Problem p = problem(static_cast<std::uint64_t>(seed));
    p.options.algorithm = seed % 3 == 0   ? Algorithm::hals
                          : seed % 3 == 1 ? Algorithm::mult
                                          : Algorithm::anls;
    const Engine engine = GENERATE(Engine::gemm, Engine::fft, Engine::sparse);
    const FitResult one = solved(p, {1, &silent_monitor()}, engine);
    const FitResult five = solved(p, {5, &silent_monitor()}, engine);
    const FitResult masked =
        solved(p, {1, &silent_monitor()}, engine,
               Mask(p.x.rows(), p.x.cols(), [](Index, Index) { return true; }));
    CHECK(one.model.motifs == five.model.motifs);
    CHECK(one.model.activations == five.model.activations);
    CHECK(one.history.loss == five.history.loss);
    CHECK(one.model.motifs == masked.model.motifs);
}

TEST_CASE("the loss falls, in every order, with penalties and hold-outs", "[cnmf]") {
    const auto seed = GENERATE(range(0, 8));
    Problem p = problem(static_cast<std::uint64_t>(seed));
    const auto falls = [](const std::vector<double>& values) {
        for (std::size_t i = 1; i < values.size(); ++i)
            if (values[i] > values[i - 1] * (1 + 1e-12)) return false;
        return true;
    };
    for (const Order order : {Order::chunk, Order::component, Order::time}) {
        p.options.order = order;
        CHECK(falls(solved(p).history.loss));
    }
    p.options.penalties.l1_activations = 0.3;
    p.options.penalties.l2_motifs = 0.2;
    p.options.penalties.events = 0.1;
    p.options.penalties.parts = 0.1;
    CHECK(falls(solved(p).history.objective));
    p.options.penalties = {};
    const Mask held = Mask::held_out(p.x.rows(), p.x.cols(), {0.1, 3, 1, 0});
    for (const Algorithm algorithm : {Algorithm::hals, Algorithm::mult, Algorithm::anls}) {
        p.options.algorithm = algorithm;
        CHECK(falls(solved(p, {}, Engine::gemm, held).history.loss));
    }
}

TEST_CASE("units may be numbered, and scale shared, in any way", "[cnmf]") {
    const auto seed = GENERATE(range(0, 6));
    Problem p = problem(static_cast<std::uint64_t>(seed));
    const Random random(static_cast<std::uint64_t>(seed), "test/start");
    Matrix w(p.x.rows(), p.options.components * p.options.lags),
        h(p.options.components, p.x.cols());
    for (Index i = 0; i < w.size(); ++i)
        w.data()[i] = random.uniform(static_cast<std::uint64_t>(i));
    for (Index i = 0; i < h.size(); ++i)
        h.data()[i] = random.uniform(static_cast<std::uint64_t>(i), {1, 0, 0});
    give(p, w, h);
    p.options.inner = 2;
    for (const Algorithm algorithm : {Algorithm::hals, Algorithm::anls}) {
        p.options.algorithm = algorithm;
        const FitResult plain = solved(p);

        Problem turned = p;
        std::vector<Index> order(static_cast<std::size_t>(p.x.rows()));
        std::iota(order.rbegin(), order.rend(), Index{0});
        turned.x = p.x(order, Eigen::all);
        give(turned, w(order, Eigen::all), h);
        CHECK(difference(solved(turned).model.motifs, plain.model.motifs(order, Eigen::all)) <
              1e-9);

        // A million times smaller W and larger H is the same start.
        Problem scaled = p;
        Matrix small = w, large = h;
        for (Index l = 0; l < p.options.lags; ++l)
            small.col(motif_column(0, l, p.options.components, p.options.lags)) *= 1e-7;
        large.row(0) *= 1e7;
        give(scaled, small, large);
        CHECK(solved(scaled).history.loss.back() ==
              Approx(plain.history.loss.back()).epsilon(1e-7));
    }
}

TEST_CASE("silence in front shifts the activations only", "[cnmf]") {
    Problem p = problem(2);
    constexpr Index kSilence = 17;
    const Matrix w = Matrix::Constant(p.x.rows(), p.options.components * p.options.lags, 0.5);
    Matrix h(p.options.components, p.x.cols());
    const Random random(3, "test/start");
    for (Index i = 0; i < h.size(); ++i)
        h.data()[i] = random.uniform(static_cast<std::uint64_t>(i));
    give(p, w, h);
    p.options.order = Order::time;
    const FitResult plain = solved(p);
    Problem later = p;
    later.x = Matrix::Zero(p.x.rows(), p.x.cols() + kSilence);
    later.x.rightCols(p.x.cols()) = p.x;
    Matrix shifted = Matrix::Zero(h.rows(), later.x.cols());
    shifted.rightCols(h.cols()) = h;
    give(later, w, shifted);
    const FitResult moved = solved(later);
    // Activations that start in the silence could only reach out of it: they stay at nothing but
    // for the last L-1 bins.
    CHECK(moved.model.activations.leftCols(kSilence - p.options.lags).maxCoeff() < 1e-12);
    CHECK(moved.history.loss.back() == Approx(plain.history.loss.back()).margin(0.02));
}

TEST_CASE("silence in front of a silent beginning shifts the activations, and nothing else",
          "[cnmf]") {
    const auto seed = static_cast<std::uint64_t>(GENERATE(0, 2, 4));
    Problem p = problem(seed); // of one segment
    constexpr Index kSilence = 17;
    // What starts in the silence could explain nothing.
    p.x.leftCols(p.options.lags).setZero();
    Matrix w(p.x.rows(), p.options.components * p.options.lags),
        h(p.options.components, p.x.cols());
    const Random random(3, "test/start");
    for (Index i = 0; i < w.size(); ++i)
        w.data()[i] = random.uniform(static_cast<std::uint64_t>(i), {1, 0, 0});
    for (Index i = 0; i < h.size(); ++i)
        h.data()[i] = random.uniform(static_cast<std::uint64_t>(i));
    give(p, w, h);
    p.options.order = Order::time;
    Problem later = p;
    later.x = Matrix::Zero(p.x.rows(), p.x.cols() + kSilence);
    later.x.rightCols(p.x.cols()) = p.x;
    Matrix shifted = Matrix::Zero(h.rows(), later.x.cols());
    shifted.rightCols(h.cols()) = h;
    give(later, w, shifted);
    for (const Algorithm algorithm : {Algorithm::hals, Algorithm::mult, Algorithm::anls}) {
        p.options.algorithm = later.options.algorithm = algorithm;
        const FitResult plain = solved(p), moved = solved(later);
        CHECK(difference(moved.model.motifs, plain.model.motifs) < 1e-9);
        CHECK(difference(moved.model.activations.rightCols(h.cols()), plain.model.activations) <
              1e-9);
        CHECK(moved.model.activations.leftCols(kSilence).maxCoeff() < 1e-12);
    }
}

TEST_CASE("a fit stops at its time, and debiases x-ortho whatever stops it", "[cnmf]") {
    Problem p = problem(4);
    p.options.max_seconds = 0;
    p.options.restarts = 50;
    p.options.max_iterations = 1000;
    const FitResult quick = solved(p);
    CHECK(quick.stop_reason == "time");
    CHECK(quick.restart_loss.size() == 1);
    p.options.restarts = 1;
    p.options.penalties.x_ortho = 0.01;
    const FitResult free = solved(p);
    CHECK(free.stop_reason == "time");
    // The last iteration has no penalty: its objective is the data's alone.
    const double loss = free.history.loss.back();
    CHECK(free.history.objective.back() ==
          Approx(0.5 * loss * loss * p.x.squaredNorm()).epsilon(1e-9));
    p.options.max_seconds = 1e9;
    p.options.penalty_ramp = 20;
    p.options.tolerance = 1e-2;
    CHECK(solved(p).history.loss.size() > 21);
}

TEST_CASE("a reseeded component lowers the error", "[cnmf]") {
    const Problem p = problem(6);
    DenseRecording recording(p.x);
    const FitResult r = solved(p);
    Model model = r.model;
    set_motif_image(model, 0, Matrix::Zero(model.units(), model.lags));
    model.activations.row(0).setZero();
    const Evaluation before = evaluate(model, recording, {}, {});
    reseed_component(model, 0, recording, before.bin_error);
    CHECK(evaluate(model, recording, {}, {}).squared_error < before.squared_error);
}

TEST_CASE("events keep their distance inside a segment, not across", "[cnmf]") {
    Matrix h = Matrix::Zero(1, 100);
    for (const Index t : {10, 12, 49, 50, 52}) h(0, t) = static_cast<double>(t);
    EventRule rule;
    rule.threshold = 1.0;
    rule.refractory = 5;
    CHECK(find_events(h, {0}, rule).bin == std::vector<std::int64_t>{12, 52});
    CHECK(find_events(h, {0, 50}, rule).bin == std::vector<std::int64_t>{12, 49, 52});
}

TEST_CASE("held-out entries stand in blocks of one unit, at their share", "[cnmf]") {
    constexpr Index kUnits = 40, kBins = 3000, kBlock = 7;
    const Mask mask = Mask::held_out(kUnits, kBins, {0.2, kBlock, 3, 1});
    Matrix held = Matrix::Zero(kUnits, kBins);
    for (Index t = 0; t < kBins; ++t)
        for (const std::int32_t unit : mask.units_of(t)) held(unit, t) = 1;
    // 17000 blocks: five standard errors.
    CHECK(held.mean() == Approx(0.2).margin(5 * std::sqrt(0.16 / (kUnits * kBins / kBlock))));
    for (Index n = 0; n < kUnits; ++n) {
        std::vector<Index> changes; // away from the ends, where a block may be cut
        for (Index t = 1; t < kBins; ++t)
            if (held(n, t) != held(n, t - 1)) changes.push_back(t);
        REQUIRE(changes.size() > 10);
        for (std::size_t i = 1; i < changes.size(); ++i)
            CHECK((changes[i] - changes.front()) % kBlock == 0);
    }
    // The same entries for every model, others for another repetition.
    CHECK(Mask::held_out(kUnits, kBins, {0.2, kBlock, 3, 2}).count() != mask.count());
}

TEST_CASE("data that overflow or say nothing are refused", "[cnmf]") {
    const auto survey = [](double value) {
        const DenseRecording recording(Matrix::Constant(2, 5, value));
        return Data(recording, {}, {}).survey().squared_norm;
    };
    CHECK(survey(2) == 40);
    CHECK_THROWS_WITH(survey(1e200), Catch::Contains("overflow"));
    CHECK_THROWS_WITH(survey(0), Catch::Contains("zero"));
    CHECK_THROWS_WITH(survey(-1), Catch::Contains("--negatives"));
    CHECK_THROWS_WITH(survey(std::nan("")), Catch::Contains("--missing"));
}
