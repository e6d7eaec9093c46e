// Units that nothing in the data raises above 0, counted by hand.
#include <assay/core/random.hpp>
#include <assay/network/objective.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace assay;
using namespace assay::network;

namespace {

// Samples of `shape` with one target of 0.
Samples samples_of(const Shape& shape, const RowMatrix& inputs, std::vector<Index> lengths = {}) {
    Samples samples;
    samples.input_shape = shape;
    samples.input_axes = shape.size() == 2 ? std::vector<std::string>{"time", "feature"}
                                           : std::vector<std::string>{"channel", "height", "width"};
    samples.inputs = inputs;
    samples.target_shape = {1};
    samples.values = RowMatrix::Zero(inputs.rows(), 1);
    samples.lengths = std::move(lengths);
    return samples;
}

std::vector<double> silent(const std::string& layers, const Samples& samples, double bias = 0) {
    const std::string axes = samples.input_shape.size() == 2 ? R"(["time", "feature"])"
                                                             : R"(["channel", "height", "width"])";
    std::string shape;
    for (const Index length : samples.input_shape)
        shape += (shape.empty() ? "" : ", ") + std::to_string(length);
    const Network<double> network(R"({"input": {"shape": [)" + shape + R"(], "axes": )" + axes +
                                  R"(}, "layers": [)" + layers +
                                  R"(, {"type": "flatten"}, {"type": "dense", "units": 1}]})");
    Weights<double> weights{Column<double>::Ones(network.parameter_count()),
                            Column<double>(network.statistics_count())};
    for (const ParameterEntry& entry : network.parameters()) // the second filter's bias
        if (entry.layer == "filters" && entry.info.shape.size() == 1)
            weights.trained(entry.offset + 1) = bias;
    Objective<double> objective(network, samples, {LossKind::mse});
    objective.set_weights(weights);
    const auto both = objective.value_and_silence({});
    CHECK(both.value.loss == objective.value({}).loss);
    return both.silent;
}

const std::string kRelu = R"({"name": "r", "type": "activation", "function": "relu"})";

} // namespace

TEST_CASE("a silent filter is one that no place of any image raises", "[network]") {
    const std::string layers =
        R"({"name": "filters", "type": "conv2d", "filters": 3, "kernel": [1, 1]}, )" + kRelu;
    RowMatrix images = RowMatrix::Zero(40, 12);
    images(37, 11) = 1.5; // the only place where anything is above the second filter's bias
    const Samples samples = samples_of({1, 3, 4}, images);
    CHECK(silent(layers, samples, -1) == std::vector<double>{0});
    CHECK(silent(layers, samples, -1.5) == std::vector<double>{1 / 3.0}); // 0 is not above 0
    CHECK(silent(layers, samples, -1.4) == std::vector<double>{0});
}

TEST_CASE("steps beyond a sequence's length raise no unit", "[network]") {
    RowMatrix steps = -RowMatrix::Ones(3, 6 * 2); // of 6 steps and 2 features
    steps(1, 2 * 2) = 1;                          // the first feature at step 2
    steps(2, 2 * 4 + 1) = 1;                      // the second at step 4
    const Shape shape{6, 2};
    CHECK(silent(kRelu, samples_of(shape, steps)) == std::vector<double>{0});
    CHECK(silent(kRelu, samples_of(shape, steps, {6, 3, 5})) == std::vector<double>{0});
    CHECK(silent(kRelu, samples_of(shape, steps, {6, 3, 4})) == std::vector<double>{0.5});
    CHECK(silent(kRelu, samples_of(shape, steps, {6, 2, 4})) == std::vector<double>{1});
}

TEST_CASE("a sequence with other steps than the input's is read to its own end", "[network]") {
    // 6 steps of 2 numbers seen as 3 of 4; lengths are those of the input.
    const std::string layers =
        R"({"type": "reshape", "shape": [3, 4], "sequence": true}, )" + kRelu;
    RowMatrix steps = -RowMatrix::Ones(2, 12);
    steps(1, 11) = 1; // the last number
    CHECK(silent(layers, samples_of({6, 2}, steps, {6, 6})) == std::vector<double>{0.75});
    steps(1, 11) = -1;
    CHECK(silent(layers, samples_of({6, 2}, steps, {6, 6})) == std::vector<double>{1});
}
