// Work that is interrupted and goes on from its state ends with the numbers of undisturbed work.
#include <assay/cnmf/extent.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/packed_state.hpp>
#include <assay/cnmf/select.hpp>
#include <assay/cnmf/significance.hpp>
#include <assay/cnmf/synth.hpp>
#include <assay/core/error.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace assay;
using namespace assay::cnmf;

namespace {

Synthetic planted_small() {
    SynthOptions o;
    o.units = 12;
    o.bins = 900;
    o.components = 2;
    o.lags = 6;
    o.noise = 0.1;
    o.seed = 5;
    return synth_paper(o);
}

// Asks to stop at the n-th question.
class StopsAt : public Monitor {
  public:
    explicit StopsAt(int questions) : left_(questions) {}
    [[nodiscard]] bool interrupted() const override { return --left_ <= 0; }

  private:
    mutable int left_;
};

// Interrupts `work` (of an Execution and a Keeping<State>) after one question more each time, until
// it comes to its end; what it returns, and how often it was interrupted.
template <class State, class Work>
auto in_pieces(const Work& work, int& interruptions) {
    std::optional<State> saved;
    for (interruptions = 0;; ++interruptions) {
        StopsAt monitor(2 + interruptions);
        Keeping<State> keeping{saved, [&](const State& state) { saved = state; }, 1e9};
        try {
            return work(Execution{1, &monitor}, keeping);
        } catch (const Interrupted& e) {
            REQUIRE(std::string(e.what()) == "interrupted; --resume goes on");
            REQUIRE(interruptions < 200);
        }
    }
}

} // namespace

TEST_CASE("a transform goes on from its sweeps", "[cnmf]") {
    const Synthetic data = planted_small();
    const Data whole(*data.recording, {}, {});
    Model model = data.truth;
    model.activations.resize(0, 0);
    const Mask masked =
        GENERATE(Mask(), Mask(12, 900, [](Index n, Index t) { return (n + t) % 9 != 0; }));
    const Unseen unseen(*data.recording, {}, masked);
    const auto work = [&](const Execution& run, const Keeping<ActivationFit>& keeping) {
        return transform(whole, unseen, model, {1e-9, 400}, {}, run, keeping);
    };
    const TransformResult expected = work({}, {});
    int interruptions = 0;
    const TransformResult found = in_pieces<ActivationFit>(work, interruptions);
    CHECK(interruptions >= 2);
    CHECK(found.sweeps == expected.sweeps);
    CHECK(found.kkt == expected.kkt);
    CHECK(found.activations == expected.activations);
}

TEST_CASE("a fit goes on from its iterations and starts", "[cnmf]") {
    const Synthetic data = planted_small();
    FitOptions options;
    options.components = 3;
    options.lags = 6;
    options.restarts = 2;
    options.max_iterations = 12;
    options.tolerance = 0;
    EngineChoice choice;
    Mask held_out;
    const std::string kind =
        GENERATE("hals", "mult", "anls", "kl", "x-ortho", "float32", "shift", "reseed", "held-out");
    CAPTURE(kind);
    if (kind == "mult" || kind == "kl") options.algorithm = Algorithm::mult;
    if (kind == "anls") options.algorithm = Algorithm::anls;
    if (kind == "kl") options.loss = Loss::kl;
    if (kind == "x-ortho") {
        options.penalties.x_ortho = 0.01;
        options.penalty_ramp = 4;
    }
    if (kind == "float32") choice.precision = Precision::float32;
    if (kind == "shift") options.shift = 3;
    if (kind == "reseed") {
        options.penalties.l1_activations = 30;
        options.reseed_dead = true;
    }
    if (kind == "held-out")
        held_out = Mask(12, 900, [](Index n, Index t) { return (n + 3 * t) % 11 != 0; });
    const Data whole(*data.recording, choice, {});
    const Unseen unseen(*data.recording, {}, held_out);
    const auto work = [&](const Execution& run, const FitControl& control) {
        return fit(whole, unseen, options, run, control);
    };
    const FitResult expected = work({}, {});
    int interruptions = 0;
    const FitResult found = in_pieces<FitState>(work, interruptions);
    CHECK(interruptions >= 5);
    CHECK(found.model.motifs == expected.model.motifs);
    CHECK(found.model.activations == expected.model.activations);
    CHECK(found.history.loss == expected.history.loss);
    CHECK(found.history.test_loss == expected.history.test_loss);
    CHECK(found.history.objective == expected.history.objective);
    CHECK(found.history.kkt == expected.history.kkt);
    CHECK(found.restart_loss == expected.restart_loss);
    CHECK(found.best_restart == expected.best_restart);
    CHECK(found.loadings == expected.loadings);
    CHECK(found.kkt == expected.kkt);
    CHECK(found.stop_reason == expected.stop_reason);
}

TEST_CASE("a component that vanishes late is seeded anew", "[cnmf]") {
    const Synthetic data = planted_small();
    FitOptions options;
    options.components = 2;
    options.lags = 6;
    options.max_iterations = 12;
    options.tolerance = 0;
    const Data whole(*data.recording, {}, {});
    std::optional<FitState> late;
    FitControl control{{}, [&](const FitState& state) { late = state; }, 1e9};
    StopsAt monitor(10);
    CHECK_THROWS_AS(fit(whole, {}, options, {1, &monitor}, control), Interrupted);
    REQUIRE(late);
    REQUIRE(2 * late->iteration > options.max_iterations);
    late->model.activations.row(1).setZero();
    set_motif_image(late->model, 1, Matrix::Zero(12, 6));
    options.reseed_dead = GENERATE(false, true);
    const FitResult found = fit(whole, {}, options, {}, {late, {}, 1e9});
    CHECK(found.dead[1] == !options.reseed_dead);
}

TEST_CASE("a test against nulls goes on from those drawn", "[cnmf]") {
    const Synthetic data = planted_small();
    const Data whole(*data.recording, {}, {});
    int interruptions = 0;
    SECTION("significance") {
        SignificanceOptions options;
        options.nulls = 200;
        const auto work = [&](const Execution& run, const NullControl& control) {
            return significance(whole, data.truth, options, run, control);
        };
        const Significance expected = work({}, {}), found = in_pieces<Nulls>(work, interruptions);
        CHECK(found.null == expected.null);
        CHECK(found.p == expected.p);
    }
    SECTION("extent") {
        ExtentOptions options;
        options.nulls = 30;
        const auto work = [&](const Execution& run, const NullControl& control) {
            return extent(*data.recording, data.truth, options, {}, run, control);
        };
        const Extent expected = work({}, {}), found = in_pieces<Nulls>(work, interruptions);
        CHECK(found.p == expected.p);
        CHECK(found.first == expected.first);
        CHECK(found.last == expected.last);
        CHECK(found.correlation == expected.correlation);
    }
    CHECK(interruptions >= 2);
}

TEST_CASE("sequenciness goes on from the fits made, and makes a half-made one again", "[cnmf]") {
    const Synthetic data = planted_small();
    FitOptions options;
    options.components = 2;
    options.lags = 6;
    options.max_iterations = 6;
    options.tolerance = 0;
    const auto work = [&](const Execution& run, const Keeping<std::vector<double>>& control) {
        return sequenciness(*data.recording, options, 2, {}, run, control);
    };
    const Sequenciness expected = work({}, {});
    int interruptions = 0;
    const Sequenciness found = in_pieces<std::vector<double>>(work, interruptions);
    CHECK(interruptions >= 4);
    CHECK(found.power == expected.power);
    CHECK(found.noise_powers == expected.noise_powers);
    CHECK(found.sync_powers == expected.sync_powers);
    CHECK(found.value == expected.value);
}

TEST_CASE("starts keep their numbers where a rank stopped early", "[cnmf]") {
    const auto state_of = [](std::vector<double> losses, std::vector<std::int64_t> numbers) {
        FitState state;
        state.best = Model{1, 1, Matrix::Ones(1, 1), Matrix::Ones(1, 3)};
        state.best_history.objective = {losses.front()};
        state.restart_loss = std::move(losses);
        state.restart_number = std::move(numbers);
        return packed_starts(state);
    };
    // Of starts 4 to 9 on two ranks the first had no time for its last two.
    const FitState joined = joined_starts({state_of({0.5}, {4}), state_of({0.4, 0.6}, {7, 8})});
    CHECK(joined.restart_loss == std::vector<double>{0.5, 0.4, 0.6});
    CHECK(joined.restart_number == std::vector<std::int64_t>{4, 7, 8});
}

TEST_CASE("a saved state of other shapes is refused", "[cnmf]") {
    const Synthetic synthetic = planted_small();
    const Execution run{1, &silent_monitor()};
    const Data data(*synthetic.recording, {}, run);
    FitOptions options;
    options.components = 2;
    options.lags = 6;
    options.max_iterations = 6;
    options.tolerance = 0;
    std::optional<FitState> saved;
    FitControl control;
    control.save = [&](const FitState& state) {
        if (state.iteration == 4) saved = state;
    };
    control.save_every = 0;
    static_cast<void>(fit(data, {}, options, run, std::move(control)));
    REQUIRE(saved);
    REQUIRE(saved->before);
    const auto resumed = [&](FitState state) {
        FitControl again;
        again.resume = std::move(state);
        return fit(data, {}, options, run, std::move(again));
    };
    CHECK(resumed(*saved).history.loss.size() == 7);
    const auto change = GENERATE(0, 1, 2);
    FitState damaged = *saved;
    if (change == 0) damaged.model.activations.conservativeResize(2, 899);
    if (change == 1) damaged.before->motifs.conservativeResize(11, 12);
    if (change == 2) damaged.history.objective.clear();
    CHECK_THROWS_WITH(resumed(damaged), Catch::Contains("its shapes differ"));
}
