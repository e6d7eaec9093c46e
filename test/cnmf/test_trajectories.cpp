// Whole iterations of every algorithm against the literal ones (explicit residual), step by step to
// rounding.
#include "oracle.hpp"

#include <assay/cnmf/descent.hpp>
#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/poisson_updates.hpp>

#include <catch2/catch.hpp>

using namespace assay;
using namespace assay::cnmf;
namespace oracle = assay::cnmf::test;

TEST_CASE("iterates equal the literal algorithms", "[cnmf]") {
    const std::string name =
        GENERATE("mult", "mult_penalties", "mult_segments", "hals_component", "hals_time",
                 "hals_time_inner3", "hals_penalties", "hals_segments", "anls", "anls_segments",
                 "hals_extrapolated", "hals_extrapolated_masked", "anls_extrapolated", "kl",
                 "kl_segments", "mult_masked", "hals_masked");
    const auto engine = GENERATE(Engine::gemm, Engine::fft, Engine::sparse);
    CAPTURE(name, engine_name(engine));
    const auto group = oracle::oracle("/trajectories/" + name);
    const auto recording = oracle::recording(group);
    const auto number = [&](const char* key) { return group.number_attribute(key).value_or(0); };
    const Execution run{2, &silent_monitor()};

    FitOptions options;
    const Model start = oracle::model(group, "W0", "H0");
    options.components = start.components;
    options.lags = start.lags;
    options.start.motifs = start.motifs;
    options.start.components = start.components;
    options.start.lags = start.lags;
    options.start.activations = start.activations;
    const std::string algorithm = *group.text_attribute("algorithm");
    options.algorithm = algorithm == "mult" || algorithm == "kl" ? Algorithm::mult
                        : algorithm == "anls"                    ? Algorithm::anls
                                                                 : Algorithm::hals;
    options.loss = name.rfind("kl", 0) == 0 ? Loss::kl : Loss::l2;
    options.order = *group.text_attribute("order") == "component" ? Order::component : Order::time;
    options.inner = static_cast<Index>(number("inner"));
    options.max_iterations = static_cast<Index>(number("iterations"));
    options.extrapolate = number("extrapolate") == 1;
    options.tolerance = 0;
    options.penalty_ramp = 0;
    options.penalties = {number("l1_w"),
                         number("l2_w"),
                         number("l1_h"),
                         number("l2_h"),
                         0,
                         number("events"),
                         number("parts"),
                         true};

    Mask held_out;
    if (group.has_dataset("mask")) {
        const auto mask = group.dataset("mask").read<std::uint8_t>();
        held_out = Mask(recording.units(), recording.bins(), [&](Index n, Index t) {
            return mask[static_cast<std::size_t>(n * recording.bins() + t)] == 1;
        });
    }
    const Data data(recording, {engine, Precision::float64, 0}, run);
    const Unseen unseen(recording, {}, held_out);
    const double x_ortho = number("x_ortho");
    FitResult result;
    if (x_ortho > 0) {
        // fit() ramps x-ortho and rescales; the literal trajectories keep it constant.
        options.penalties.x_ortho = x_ortho;
        const auto products = data.products(options.components, options.lags, run);
        Descent descent(data, *products, unseen, options, run);
        FitState state;
        descent.begin(start, false, x_ortho, state);
        for (Index i = 0; i < options.max_iterations; ++i) descent.step(x_ortho, state);
        result.model = descent.model();
        result.history = state.history;
        result.evaluation = evaluate(result.model, recording, unseen, run);
    } else {
        result = fit(data, unseen, options, run);
    }

    const Model expected = oracle::model(group, "W", "H");
    CHECK(oracle::largest_difference(result.model.motifs, expected.motifs) < 1e-10);
    CHECK(oracle::largest_difference(result.model.activations, expected.activations) < 1e-10);
    const auto loss = group.dataset("loss").read<double>();
    // The oracle's loss of kl is the divergence.
    const bool kl = options.loss == Loss::kl;
    const auto& measured = kl ? result.history.objective : result.history.loss;
    REQUIRE(measured.size() == loss.size());
    for (std::size_t i = 0; i < loss.size(); ++i)
        CHECK(measured[i] == Approx(loss[i]).epsilon(1e-11));
    CHECK(result.evaluation.relative_loss() == Approx(result.history.loss.back()).epsilon(1e-10));
    if (group.has_dataset("test_loss")) {
        const auto test = group.dataset("test_loss").read<double>();
        for (std::size_t i = 0; i < test.size(); ++i)
            CHECK(result.history.test_loss[i] == Approx(test[i]).epsilon(1e-11));
        CHECK(result.evaluation.test_loss() == Approx(test.back()).epsilon(1e-11));
    }
    if (group.has_dataset("objective")) {
        const auto objective = group.dataset("objective").read<double>();
        for (std::size_t i = 0; i < objective.size(); ++i)
            CHECK(result.history.objective[i] == Approx(objective[i]).epsilon(1e-10));
    }
    if (options.loss == Loss::l2)
        CHECK(result.evaluation.relative_loss() == Approx(loss.back()).epsilon(1e-11));
}
