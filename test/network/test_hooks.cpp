// What attribution asks of a network: average slopes in place of derivatives, the layers in front
// that are affine in the input, gradients of single outputs.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/network/objective.hpp>

#include <catch2/catch.hpp>
#include <network/normal.hpp>

#include <string>

using namespace assay;
using namespace assay::network;
using Catch::Matchers::Contains;
using network_test::normal;

namespace {

Weights<double> drawn_weights(const Network<double>& network) {
    Weights<double> weights{Column<double>(network.parameter_count()),
                            Column<double>(network.statistics_count())};
    weights.trained = 0.5 * normal(1, "trained", weights.trained.size(), 1);
    weights.statistics = normal(1, "statistics", weights.statistics.size(), 1).cwiseAbs();
    weights.statistics.array() += 0.5;
    return weights;
}

std::string head_of(const std::string& layers) {
    const Network<double> network(R"({"input": {"shape": [2, 6]}, "layers": [)" + layers + "]}");
    const Index head = network.affine_head();
    return head == 0 ? "none" : network.node_name(head);
}

} // namespace

TEST_CASE("slopes of a parametric softplus account for the whole difference", "[network][hooks]") {
    const Network<double> network(R"({"input": {"shape": [5]}, "layers": [
        {"name": "a", "type": "dense", "units": 4},
        {"name": "s", "type": "activation", "function": "parametric_softplus"},
        {"name": "b", "type": "dense", "units": 2}]})");
    const Weights<double> weights = drawn_weights(network);
    const Rows<double> x0 = normal(2, "from", 3, 5), x1 = normal(2, "to", 3, 5);
    Pass<double> zero(network), one(network);
    const Rows<double> y0 = zero.forward(weights, x0, {}), y1 = one.forward(weights, x1, {});
    one.set_slopes(2, (one.activation(2) - zero.activation(2))
                          .cwiseQuotient(one.activation(1) - zero.activation(1)));
    for (Index unit = 0; unit < 2; ++unit) {
        Rows<double> cotangent = Rows<double>::Zero(3, 2);
        cotangent.col(unit).setOnes();
        one.backward(cotangent, true);
        const Column<double> sums = (x1 - x0).cwiseProduct(one.cotangent(0)).rowwise().sum();
        CHECK((sums - (y1 - y0).col(unit)).cwiseAbs().maxCoeff() < 1e-12);
    }
}

TEST_CASE("slopes are refused where nobody would look at them", "[network][hooks]") {
    const Network<double> network(R"({"input": {"shape": [3, 4], "axes": ["time", "feature"]},
        "layers": [
        {"name": "dense", "type": "dense", "units": 4},
        {"name": "norm", "type": "layer_norm"},
        {"name": "soft", "type": "activation", "function": "softmax"},
        {"name": "log", "type": "activation", "function": "log_softmax"},
        {"name": "product", "type": "multiply", "inputs": ["soft", "log"]},
        {"name": "sum", "type": "add", "inputs": ["product", "soft"]},
        {"name": "both", "type": "concatenate", "axis": 1, "inputs": ["product", "soft"]},
        {"name": "flat", "type": "reshape", "shape": [3, 8]},
        {"name": "noise", "type": "gaussian_noise"},
        {"name": "cell", "type": "gru", "units": 3, "return_sequences": true},
        {"name": "turned", "type": "permute", "axes": [1, 0]},
        {"name": "batch", "type": "batch_norm"}]})");
    Pass<double> pass(network);
    for (Index node = 1; node < network.nodes(); ++node) {
        CAPTURE(network.node_name(node));
        const Rows<double> slopes = Rows<double>::Ones(2, network.node_tensor(node).size());
        CHECK_THROWS_WITH(pass.set_slopes(node, slopes),
                          Contains("slopes of '" + network.node_name(node) + "'") &&
                              Contains("takes none"));
    }
}

TEST_CASE("the affine head is the last layer through which all goes linearly", "[network][hooks]") {
    const std::string conv =
        R"({"name": "conv", "type": "conv1d", "filters": 2, "kernel": 3, "padding": "same"},)";
    const std::string relu = R"({"name": "relu", "type": "activation", "function": "relu"})";
    CHECK(head_of(relu) == "none");
    CHECK(head_of(conv + relu) == "conv");
    CHECK(head_of(conv + R"({"name": "norm", "type": "batch_norm"},)" + relu) == "norm");
    // Both ways of a sum or of a concatenation.
    CHECK(head_of(conv + R"({"name": "sum", "type": "add", "inputs": ["conv", "input"]},)" +
                  relu) == "sum");
    CHECK(head_of(conv + R"({"name": "both", "type": "concatenate", "inputs": ["input", "conv"]},
                            {"name": "flat", "type": "flatten"},)" +
                  relu) == "flat");
    // What is taken up later, past the rectifier, must be there too.
    CHECK(head_of(conv + relu +
                  R"(,{"name": "sum", "type": "add", "inputs": ["relu", "input"]})") == "none");
    CHECK(head_of(conv + relu + R"(,{"name": "sum", "type": "add", "inputs": ["relu", "conv"]})") ==
          "conv");
    CHECK(head_of(conv + R"({"name": "flat", "type": "flatten"})") == "flat");
}

TEST_CASE("activations of the affine head are affine in the input", "[network][hooks]") {
    const Network<double> network(R"({"input": {"shape": [2, 6]}, "layers": [
        {"name": "conv", "type": "conv1d", "filters": 2, "kernel": 3, "padding": "same"},
        {"name": "norm", "type": "batch_norm"},
        {"name": "sum", "type": "add", "inputs": ["norm", "input"]},
        {"name": "relu", "type": "activation", "function": "relu"}]})");
    const Index head = network.affine_head();
    REQUIRE(network.node_name(head) == "sum");
    const Weights<double> weights = drawn_weights(network);
    const Rows<double> x0 = normal(3, "from", 2, 12), x1 = normal(3, "to", 2, 12);
    const auto at = [&](double t) {
        const Rows<double> x = (1 - t) * x0 + t * x1;
        Pass<double> pass(network);
        static_cast<void>(pass.forward(weights, x, {}));
        return Rows<double>(pass.activation(head));
    };
    CHECK((at(0.3) - (0.7 * at(0) + 0.3 * at(1))).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("gradients of single outputs are those of differences", "[network][hooks]") {
    const Network<double> network(R"({"input": {"shape": [3]}, "layers": [
        {"type": "dense", "units": 4}, {"type": "activation", "function": "tanh"},
        {"type": "dense", "units": 2}]})");
    Weights<double> weights = drawn_weights(network);
    Samples samples;
    samples.input_shape = {3};
    samples.inputs = normal(4, "inputs", 7, 3);
    samples.target_shape = {2};
    samples.values = RowMatrix::Zero(7, 2);
    Objective<double> objective(network, samples, {LossKind::mse, 1e-8, 1});
    objective.set_weights(weights);
    const auto outputs_at = [&](Index parameter, double step) {
        Weights<double> moved = weights;
        moved.trained(parameter) += step;
        Pass<double> pass(network);
        return Rows<double>(pass.forward(moved, Rows<double>(samples.inputs), {}));
    };
    for (Index unit = 0; unit < 2; ++unit) {
        Columns<double> found(network.parameter_count(), 7);
        Index count = 0;
        objective.output_gradients(unit, 3, {}, [&](Index first, const Columns<double>& some) {
            CHECK(some.cols() <= 3);
            CHECK(first == count);
            found.middleCols(first, some.cols()) = some;
            count += some.cols();
        });
        REQUIRE(count == 7);
        constexpr double kStep = 1e-5;
        for (Index i = 0; i < network.parameter_count(); ++i) {
            const Column<double> difference =
                (outputs_at(i, kStep) - outputs_at(i, -kStep)).col(unit) / (2 * kStep);
            CHECK((found.row(i).transpose() - difference).cwiseAbs().maxCoeff() < 1e-9);
        }
    }
    CHECK_THROWS_WITH(objective.output_gradients(2, 3, {}, [](Index, const Columns<double>&) {}),
                      Contains("output 2 asked for; the network has 2"));
}
