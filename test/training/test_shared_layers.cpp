// Layers share their work among the threads allowed: the same bits for every number of them, and
// gradients that are what their samples' add up to.
#include <assay/core/allowed_threads.hpp>
#include <assay/core/random.hpp>
#include <assay/network/initialise.hpp>
#include <assay/training/batch_gradient.hpp>
#include <assay/training/optimizer.hpp>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <training/layer_json.hpp>

#include <cmath>
#include <limits>

using namespace assay;
using namespace assay::network;
using Json = nlohmann::json;
using training_test::layer;

namespace {

template <class S>
Rows<S> random_rows(Index rows, Index columns, const char* purpose) {
    Rows<S> made(rows, columns);
    const Random random(5, purpose);
    for (Index i = 0; i < made.size(); ++i)
        made.data()[i] = static_cast<S>(random.normal(static_cast<std::uint64_t>(i)));
    return made;
}

std::string architecture_of(const Json& shape, const Json& layers) {
    return Json{{"input", {{"shape", shape}}}, {"layers", layers}}.dump();
}

// All that a pass finds: outputs, cotangents, the gradient of all and of some samples, and the
// derivatives of each in a direction.
template <class S>
std::vector<Rows<S>> found_by(const Network<S>& network, Index samples, int threads) {
    const AllowedThreads allowed(threads);
    const Index size = network.input().size(), outputs = network.output().size();
    const Weights<S> weights{random_rows<S>(network.parameter_count(), 1, "w").col(0),
                             Column<S>::Ones(network.statistics_count())};
    const Rows<S> x = random_rows<S>(samples, size, "x"), dx = random_rows<S>(samples, size, "dx"),
                  d = random_rows<S>(samples, outputs, "d"),
                  rd = random_rows<S>(samples, outputs, "rd");
    const Columns<S> v = random_rows<S>(network.parameter_count(), 1, "v");
    PassInfo info;
    info.mode = Mode::training;
    Pass<S> pass(network);
    std::vector<Rows<S>> found{pass.forward(weights, x, info)};
    pass.backward(d, true);
    found.push_back(pass.cotangent(0));
    Column<S> all(network.parameter_count());
    pass.write_gradient(all.data());
    found.push_back(all);
    for (const SampleRange range : {SampleRange{3, 1}, SampleRange{1, samples - 2}}) {
        Column<S> some = Column<S>::Zero(all.size());
        pass.add_gradient(some.data(), range);
        found.push_back(some);
    }
    found.push_back(pass.tangent(v, 1, {{0, &dx}}));
    pass.backward_tangent(rd);
    found.push_back(pass.cotangent_tangent(0));
    Columns<S> moved = Columns<S>::Zero(all.size(), 1);
    pass.add_gradient_tangent(moved);
    found.push_back(moved);
    return found;
}

template <class S>
void check_threads(const std::string& architecture, Index samples) {
    CAPTURE(architecture);
    const Network<S> network(architecture);
    const auto alone = found_by(network, samples, 1);
    for (const int threads : {2, 3}) {
        const auto together = found_by(network, samples, threads);
        REQUIRE(together.size() == alone.size());
        for (std::size_t i = 0; i < alone.size(); ++i) {
            CAPTURE(threads, i);
            CHECK(alone[i].allFinite());
            CHECK(together[i] == alone[i]);
        }
    }
}

// Of convolutions that are made in each of the ways, large enough to be shared.
struct SharedConvolution {
    Json shape, layer;
    Index samples;
};

std::vector<SharedConvolution> convolutions() {
    const auto of = [](Json keys) { return layer("c", "conv2d", std::move(keys)); };
    return {
        {{8, 20, 20}, of({{"filters", 32}, {"kernel", {3, 3}}, {"padding", "same"}}), 41},
        {{16, 20, 20},
         of({{"filters", 32}, {"kernel", {3, 3}}, {"stride", {2, 2}}, {"groups", 2}}),
         110},
        {{3, 24, 24}, of({{"filters", 16}, {"kernel", {1, 1}}, {"stride", {2, 1}}}), 101},
        {{8, 30, 30}, of({{"filters", 6}, {"kernel", {3, 3}}}), 81},
        {{8, 12, 12}, of({{"filters", 6}, {"kernel", {3, 3}}}), 601}, // several side by side
        {{5, 12, 12}, of({{"filters", 3}, {"kernel", {9, 9}}}), 1003} // patches
    };
}

// He et al. 2016 in small: batch norm, strides, a sum of two ways; and pools of each kind.
Json residual() {
    const auto conv = [](const std::string& name, int filters, int stride, const char* input) {
        return layer(name, "conv2d",
                     {{"filters", filters},
                      {"kernel", {3, 3}},
                      {"stride", {stride, stride}},
                      {"padding", "same"},
                      {"inputs", {input}}});
    };
    return {conv("a", 16, 1, "input"),
            layer("na", "batch_norm"),
            layer("ra", "activation", {{"function", "softplus"}}),
            conv("b", 16, 1, "ra"),
            layer("nb", "batch_norm"),
            layer("s", "add", {{"inputs", {"nb", "ra"}}}),
            layer("rs", "activation", {{"function", "relu"}}),
            layer("m", "max_pool", {{"kernel", {3, 3}}, {"stride", {1, 1}}}),
            layer("e", "average_pool", {{"kernel", {2, 2}}, {"stride", {1, 1}}}),
            conv("c", 24, 2, "e"),
            layer("nc", "batch_norm"),
            layer("f", "flatten"),
            layer("d", "dense", {{"units", 60}}),
            layer("nd", "batch_norm"),
            layer("out", "dense", {{"units", 4}})};
}

template <class S>
Batch<S> random_batch(const Network<S>& network, Index samples) {
    Batch<S> batch;
    batch.inputs = random_rows<S>(samples, network.input().size(), "inputs");
    for (Index i = 0; i < samples; ++i) batch.classes.push_back(i % 4);
    batch.weights.setOnes(samples);
    return batch;
}

// Weights and running statistics after some steps.
template <class S>
Weights<S> trained(const Network<S>& network, const Batch<S>& batch, Index steps, int threads) {
    const AllowedThreads allowed(threads);
    Weights<S> weights = initial_weights(network, "auto", 1);
    training::OptimizerSettings settings;
    settings.momentum = 0.9;
    std::vector<training::ParameterSlice> slices;
    for (const auto& entry : network.parameters())
        if (entry.info.trained) slices.push_back({entry.offset, entry.info.size(), 1, true});
    const training::Optimizer<S> optimizer(settings, slices);
    auto state = optimizer.start(network.parameter_count());
    const auto rule = training::make_rule<S>("bp", {&network, "{}", 0});
    training::BatchGradient<S> gradient(network, loss_of("softmax_cross_entropy"), *rule, {},
                                        batch.samples());
    for (Index step = 0; step < steps; ++step) {
        optimizer.update(weights.trained, gradient.of(weights, batch, step).gradient, 0.05, state);
        gradient.update_statistics(weights);
    }
    return weights;
}

} // namespace

TEMPLATE_TEST_CASE("threads share layers to the same bits", "[training][threads]", float, double) {
    for (const auto& study : convolutions())
        check_threads<TestType>(architecture_of(study.shape, Json::array({study.layer})),
                                study.samples);
    check_threads<TestType>(architecture_of({3, 20, 20}, residual()), 26);
}

TEMPLATE_TEST_CASE("the gradient of a convolution is the sum of its samples'",
                   "[training][threads]", float, double) {
    using S = TestType;
    for (const auto& study : convolutions()) {
        CAPTURE(study.layer);
        const Network<S> network(architecture_of(study.shape, Json::array({study.layer})));
        const Weights<S> weights{random_rows<S>(network.parameter_count(), 1, "w").col(0), {}};
        const auto x = random_rows<S>(study.samples, network.input().size(), "x"),
                   d = random_rows<S>(study.samples, network.output().size(), "d");
        Pass<S> pass(network);
        pass.forward(weights, x, {});
        pass.backward(d, false);
        Column<S> all(network.parameter_count()), one(all.size());
        pass.write_gradient(all.data());
        Column<double> sum = Column<double>::Zero(all.size()), squares = sum;
        for (Index i = 0; i < study.samples; ++i) {
            one.setZero();
            pass.add_gradient(one.data(), {i, 1});
            sum += one.template cast<double>();
            squares += one.template cast<double>().cwiseAbs2();
        }
        // Each rounding errs by the size of a sum that walks at random; so do they together.
        const auto filters = study.layer["filters"].get<Index>();
        const auto terms = static_cast<double>(d.size() / filters);
        const double bound = 4 * static_cast<double>(std::numeric_limits<S>::epsilon()) *
                             std::sqrt(terms * squares.maxCoeff());
        CHECK((all.template cast<double>() - sum).cwiseAbs().maxCoeff() <= bound);
    }
}

TEMPLATE_TEST_CASE("threads train a residual network to the same bits", "[training][threads]",
                   float, double) {
    const Network<TestType> network(architecture_of({3, 20, 20}, residual()));
    const auto batch = random_batch(network, 26);
    const auto alone = trained(network, batch, 4, 1);
    CHECK(alone.trained.allFinite());
    for (const int threads : {2, 3}) {
        const auto together = trained(network, batch, 4, threads);
        CHECK(together.trained == alone.trained);
        CHECK(together.statistics == alone.statistics);
    }
}

TEMPLATE_TEST_CASE("noise is the same in a batch and in its pieces", "[training][threads]", float,
                   double) {
    using S = TestType;
    const Network<S> network(architecture_of(
        {200},
        {layer("n", "gaussian_noise", {{"stddev", 0.5}}), layer("a", "dense", {{"units", 400}}),
         layer("r", "activation", {{"function", "tanh"}}), layer("d", "dropout", {{"rate", 0.3}}),
         layer("b", "dense", {{"units", 300}}), layer("e", "dropout", {{"rate", 0.2}}),
         layer("out", "dense", {{"units", 4}})}));
    const auto batch = random_batch(network, 900);
    const auto weights = initial_weights(network, "auto", 1);
    const Loss loss = loss_of("softmax_cross_entropy");
    const auto rule = training::make_rule<S>("bp", {&network, "{}", 0});
    training::BatchGradient<S> gradient(network, loss, *rule, {7, 0, 0}, batch.samples());
    REQUIRE(gradient.pieces() > 1);
    const Column<S> found = gradient.of(weights, batch, 11).gradient;
    // The whole batch in one pass.
    Pass<S> pass(network);
    PassInfo info;
    info.mode = Mode::training;
    info.seed = 7;
    info.step = 11;
    Rows<S> cotangent;
    loss_cotangent(loss, pass.forward(weights, batch.inputs, info), batch, 1.0 / 900, cotangent);
    pass.backward(cotangent, false);
    Column<S> expected(found.size());
    pass.write_gradient(expected.data());
    const S bound = 64 * std::numeric_limits<S>::epsilon() * expected.cwiseAbs().maxCoeff();
    CHECK((found - expected).cwiseAbs().maxCoeff() <= bound);
    // And of other numbers at another step.
    const Column<S> later = gradient.of(weights, batch, 12).gradient;
    CHECK((later - expected).cwiseAbs().maxCoeff() > 1000 * bound);
}
