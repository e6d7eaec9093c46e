// A network as a dynamical system: its steps and readouts are those of the whole network run over
// sequences, its Jacobians those of differences, for every cell and for stacks.
#include "fixedpoints/small_systems.hpp"

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/self_test.hpp>
#include <assay/fixedpoints/starts.hpp>
#include <assay/fixedpoints/synth.hpp>
#include <assay/network/network.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

namespace {

RowMatrix normal_rows(Index rows, Index columns, const std::string& purpose) {
    const Random random(3, "test/fixedpoints/" + purpose);
    RowMatrix m(rows, columns);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return m;
}

// A network with every array normal, of standard deviation `scale`.
network::Model random_model(const Json& layers, const Json& input, double scale) {
    const std::string text =
        Json{{"format", "assay-architecture/1"}, {"input", input}, {"layers", layers}}.dump();
    const network::Network<double> network(text);
    network::Weights<double> weights;
    weights.trained = scale * normal_rows(network.parameter_count(), 1, "weights");
    weights.statistics.resize(network.statistics_count());
    return network.store(weights);
}

Json cell(const std::string& name, const std::string& type, Index units, Json more = {}) {
    Json layer{{"name", name}, {"type", type}, {"units", units}, {"return_sequences", true}};
    if (type == "ctrnn") layer["alpha"] = 0.3;
    for (const auto& [key, value] : more.items()) layer[key] = value;
    return layer;
}

Json dense(const std::string& name, Index units) {
    return {{"name", name}, {"type", "dense"}, {"units", units}};
}

// States and readouts of run_trials against the whole network over the sequence.
void expect_same_outputs(const network::Model& model, Index trials, Index steps,
                         const RowMatrix& raw) {
    const network::Network<double> network(model.architecture);
    const auto weights = network.load(model);
    network::Pass<double> pass(network);
    network::PassInfo info;
    info.samples = trials;
    const RowMatrix inputs = Eigen::Map<const RowMatrix>(raw.data(), trials, raw.size() / trials);
    const RowMatrix expected = pass.forward(weights, inputs, info);
    const Dynamics dynamics(model);
    const auto run = run_trials(dynamics, raw, trials, {}, {});
    const RowMatrix found = dynamics.readout(run.states);
    REQUIRE(expected.size() == found.size());
    const RowMatrix flat =
        Eigen::Map<const RowMatrix>(expected.data(), trials * steps, dynamics.outputs());
    CHECK((flat - found).cwiseAbs().maxCoeff() < 1e-12);
}

const std::vector<std::pair<std::string, Json>>& cells() {
    static const std::vector<std::pair<std::string, Json>> list{{"rnn", {}},
                                                                {"gru", {{"reset_after", true}}},
                                                                {"gru", {{"reset_after", false}}},
                                                                {"lstm", {}},
                                                                {"ugrnn", {}},
                                                                {"janet", {}},
                                                                {"ctrnn", {{"form", "rate"}}},
                                                                {"ctrnn", {{"form", "current"}}},
                                                                {"linear", {}}};
    return list;
}

} // namespace

TEST_CASE("steps and readouts are those of the whole network", "[fixedpoints][dynamics]") {
    const Index trials = 4, steps = 6;
    const Json input{{"shape", {steps, 3}}, {"axes", {"time", "feature"}}};
    const RowMatrix raw = normal_rows(trials * steps, 3, "inputs");
    for (const auto& [type, more] : cells()) {
        INFO(type);
        expect_same_outputs(
            random_model({cell("a", type, 5, more), dense("readout", 2)}, input, 0.5), trials,
            steps, raw);
    }
    // A stack of three different cells behind a dense layer.
    expect_same_outputs(
        random_model({dense("encode", 4),
                      cell("a", "gru", 5),
                      cell("b", "lstm", 3),
                      cell("c", "ctrnn", 4, {{"form", "current"}}),
                      dense("mix", 3),
                      {{"name", "act"}, {"type", "activation"}, {"function", "tanh"}},
                      dense("readout", 2)},
                     input, 0.5),
        trials, steps, raw);
}

TEST_CASE("token ids drive a network through its embedding", "[fixedpoints][dynamics]") {
    const Index trials = 3, steps = 5;
    const auto model = random_model(
        {{{"name", "embedding"}, {"type", "embedding"}, {"vocabulary", 7}, {"units", 4}},
         cell("cell", "lstm", 3),
         dense("readout", 1)},
        {{"shape", {steps}}, {"axes", {"time"}}}, 0.7);
    RowMatrix raw(trials * steps, 1);
    for (Index i = 0; i < raw.size(); ++i) raw(i) = static_cast<double>((3 * i + 1) % 7);
    expect_same_outputs(model, trials, steps, raw);
    const Dynamics dynamics(model);
    CHECK(dynamics.vocabulary() == 7);
    CHECK(dynamics.state_size() == 6);
    CHECK(dynamics.reduced_size() == 3);
}

TEST_CASE("Jacobians of cells and stacks agree with differences", "[fixedpoints][dynamics]") {
    const Json input{{"shape", {2, 3}}, {"axes", {"time", "feature"}}};
    for (const auto& [type, more] : cells()) {
        INFO(type);
        const auto test = test_jacobians(
            Dynamics(random_model(Json::array({cell("a", type, 5, more)}), input, 0.6)), 3, 1);
        CHECK(test.passes());
        for (const auto& [above, more_above] : cells()) {
            INFO(above);
            const Dynamics stack(random_model(
                {cell("a", type, 4, more), cell("b", above, 3, more_above)}, input, 0.6));
            CHECK(test_jacobians(stack, 2, 2).passes());
        }
    }
}

TEST_CASE("cotangents go back through a stack", "[fixedpoints][dynamics]") {
    const Json input{{"shape", {2, 3}}, {"axes", {"time", "feature"}}};
    const Dynamics stack(random_model(
        {cell("a", "lstm", 4), cell("b", "ctrnn", 3, {{"form", "current"}}), cell("c", "gru", 4)},
        input, 0.6));
    const RowMatrix x = normal_rows(5, 3, "x"), h = normal_rows(5, stack.state_size(), "h"),
                    w = normal_rows(5, stack.state_size(), "w");
    const RowMatrix back = stack.pull_back(x, h, w);
    for (Index b = 0; b < 5; ++b)
        CHECK((back.row(b) - w.row(b) * stack.jacobian_state(x.row(b), h.row(b)))
                  .cwiseAbs()
                  .maxCoeff() < 1e-13);
}

TEST_CASE("the readout's Jacobian", "[fixedpoints][dynamics]") {
    const auto model =
        random_model({cell("a", "lstm", 4),
                      dense("mix", 3),
                      {{"name", "act"}, {"type", "activation"}, {"function", "tanh"}},
                      dense("readout", 2)},
                     {{"shape", {2, 3}}, {"axes", {"time", "feature"}}}, 0.8);
    const Dynamics dynamics(model);
    const RowMatrix h = normal_rows(1, 8, "h");
    const RowMatrix jacobian = dynamics.readout_jacobian(h);
    REQUIRE(jacobian.rows() == 2);
    for (Index i = 0; i < 8; ++i) {
        RowMatrix up = h, down = h;
        up(0, i) += 1e-6;
        down(0, i) -= 1e-6;
        const RowMatrix slope = (dynamics.readout(up) - dynamics.readout(down)) / 2e-6;
        CHECK((slope.transpose() - jacobian.col(i)).cwiseAbs().maxCoeff() < 1e-9);
    }
}

TEST_CASE("networks without one chain of recurrent layers are refused", "[fixedpoints][dynamics]") {
    const Json input{{"shape", {2, 3}}, {"axes", {"time", "feature"}}};
    CHECK_THROWS_WITH(Dynamics(random_model({dense("a", 2), dense("b", 2)}, input, 1)),
                      Contains("no recurrent layer in /model (layers: dense, dense)"));
    CHECK_THROWS_WITH(
        Dynamics(random_model({cell("a", "rnn", 2), dense("between", 2), cell("b", "rnn", 2)},
                              input, 1)),
        Contains("'between' stands between recurrent layers"));
    const Json two{cell("a", "rnn", 2, {{"inputs", {"input"}}}),
                   cell("b", "rnn", 2, {{"inputs", {"input"}}}),
                   {{"name", "add1"}, {"type", "add"}, {"inputs", {"a", "b"}}}};
    CHECK_THROWS_WITH(Dynamics(random_model(two, input, 1)),
                      Contains("name the cell with --layer"));
    // One of them by name: nothing reads out its state alone.
    const Dynamics one(random_model(two, input, 1), "b");
    const RowMatrix h = normal_rows(3, 2, "h");
    CHECK(one.is_part());
    CHECK_FALSE(one.reads_output());
    CHECK(one.state_size() == 2);
    CHECK(one.readout(h) == h);
    CHECK(one.readout_jacobian(h.row(0)) == RowMatrix::Identity(2, 2));
    CHECK_THROWS_WITH(Dynamics(random_model(Json::array({cell("a", "rnn", 2)}), input, 1), "c"),
                      Contains("there is no recurrent layer 'c'"));
}

TEST_CASE("draws of starts do not depend on their number", "[fixedpoints][starts]") {
    const Dynamics dynamics = test::plain_network(Matrix::Identity(3, 3) * 0.5, Matrix::Ones(3, 2));
    const RowMatrix raw = normal_rows(4 * 5, 2, "raw");
    const auto run = run_trials(dynamics, raw, 4, {5, 2, 3, 5}, {});
    TrajectorySampling sampling;
    sampling.count = 200;
    const RowMatrix many = sample_states(run, sampling);
    sampling.count = 50;
    CHECK(sample_states(run, sampling) == many.topRows(50));
    sampling.count = 700; // more than one block
    CHECK(sample_states(run, sampling, 3) == sample_states(run, sampling));
    CHECK(uniform_states(700, 3, -1, 1, 5, 3) == uniform_states(700, 3, -1, 1, 5));
    sampling.noise = 0;
    const RowMatrix plain = sample_states(run, sampling), valid = valid_states(run);
    CHECK(valid.rows() == 15);
    for (Index b = 0; b < plain.rows(); ++b)
        CHECK((valid.rowwise() - plain.row(b)).rowwise().norm().minCoeff() == 0);
    sampling.skip_steps = 5;
    CHECK_THROWS_WITH(sample_states(run, sampling), Contains("no valid step is left"));
    CHECK(grid_states(3, 2, -1, 1).row(5) == (RowMatrix(1, 2) << 0, 1).finished());
    CHECK_THROWS_WITH(grid_states(3, 64, -1, 1), Contains("--grid 3: 3^64 starts refused"));
}
