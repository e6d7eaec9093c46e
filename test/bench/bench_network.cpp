// Speed of training steps and of Hessian-vector products, one measurement a run. compare_torch.py
// runs it beside PyTorch; by itself it serves profilers. The step is the trainer's without metrics,
// checkpoints and the making of batches.
#include <assay/core/allowed_threads.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/network/initialise.hpp>
#include <assay/network/objective.hpp>
#include <assay/training/batch_gradient.hpp>
#include <assay/training/optimizer.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>
#include <map>
#include <random>

namespace {

using namespace assay;
using namespace assay::network;
using Json = nlohmann::json;
using Number = float;

// --- architectures ---

Json dense(const std::string& name, Index units) {
    return {{"name", name}, {"type", "dense"}, {"units", units}};
}
Json activation(const std::string& name, const std::string& function) {
    return {{"name", name}, {"type", "activation"}, {"function", function}};
}
Json plain(const std::string& name, const std::string& type) {
    return {{"name", name}, {"type", type}};
}
Json convolution(const std::string& name, Index filters, Index kernel, Index stride = 1,
                 const std::string& padding = "valid", bool bias = true) {
    return {{"name", name},
            {"type", "conv2d"},
            {"filters", filters},
            {"padding", padding},
            {"kernel", {kernel, kernel}},
            {"bias", bias},
            {"stride", {stride, stride}}};
}
Json pool(const std::string& name) {
    return {{"name", name}, {"type", "max_pool"}, {"kernel", {2, 2}}};
}

Json images(Index channels, Index height, Index width, const Json& layers) {
    return {
        {"input", {{"shape", {channels, height, width}}, {"axes", {"channel", "height", "width"}}}},
        {"layers", layers},
        {"output", {"readout"}}};
}

Json perceptron(Index inputs, const std::vector<Index>& hidden, Index outputs) {
    Json layers = Json::array();
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        layers.push_back(dense(concat("hidden", i), hidden[i]));
        layers.push_back(activation(concat("act", i), "relu"));
    }
    layers.push_back(dense("readout", outputs));
    return {{"input", {{"shape", {inputs}}, {"axes", {"feature"}}}},
            {"layers", layers},
            {"output", {"readout"}}};
}

// Two convolutions with a 2x2 maximum after each.
Json small_convolutional(Index extent, Index first, Index second, Index kernel) {
    return images(1, extent, extent,
                  {convolution("conv1", first, kernel), activation("act1", "relu"), pool("pool1"),
                   convolution("conv2", second, kernel), activation("act2", "relu"), pool("pool2"),
                   plain("flat", "flatten"), dense("readout", 10)});
}

// He et al. 2016 for 32x32 images with one block a stage; 1x1 convolutions where shapes change.
Json residual() {
    Json layers = {convolution("conv0", 16, 3, 1, "same", false), plain("norm0", "batch_norm"),
                   activation("stage0", "relu")};
    for (int stage = 1; stage <= 3; ++stage) {
        const Index filters = Index{8} << stage, stride = stage == 1 ? 1 : 2;
        const std::string s = std::to_string(stage), before = "stage" + std::to_string(stage - 1);
        Json first = convolution("conv" + s + "a", filters, 3, stride, "same", false);
        first["inputs"] = {before};
        layers.push_back(first);
        layers.push_back(plain("norm" + s + "a", "batch_norm"));
        layers.push_back(activation("act" + s, "relu"));
        layers.push_back(convolution("conv" + s + "b", filters, 3, 1, "same", false));
        layers.push_back(plain("norm" + s + "b", "batch_norm"));
        std::string shortcut = before;
        if (stage > 1) {
            Json projection = convolution("project" + s, filters, 1, stride, "valid", false);
            projection["inputs"] = {before};
            layers.push_back(projection);
            layers.push_back(plain("norm" + s + "c", "batch_norm"));
            shortcut = "norm" + s + "c";
        }
        Json sum = plain("sum" + s, "add");
        sum["inputs"] = {"norm" + s + "b", shortcut};
        layers.push_back(sum);
        layers.push_back(activation("stage" + s, "relu"));
    }
    layers.push_back(plain("pool", "global_average_pool"));
    layers.push_back(dense("readout", 10));
    return images(3, 32, 32, layers);
}

// Two biases, as PyTorch's layers have them.
Json recurrent(const std::string& type, bool two_biases) {
    Json cell = {{"name", "cell"}, {"type", type}, {"units", 64}, {"return_sequences", true}};
    if (two_biases) cell["recurrent_bias"] = true;
    return {{"input", {{"shape", {64, 3}}, {"axes", {"time", "feature"}}}},
            {"layers", {cell, dense("readout", 3)}},
            {"output", {"readout"}}};
}

// Filters over space and time: the stimulus history is the channels.
Json retina() {
    return images(40, 50, 50,
                  {convolution("conv1", 8, 15), activation("act1", "softplus"),
                   convolution("conv2", 8, 11), activation("act2", "softplus"),
                   plain("flat", "flatten"), dense("readout", 5)});
}

struct Case {
    Json architecture;
    Index samples; // of a step, or of the whole set
    std::string loss;
};

std::map<std::string, Case> step_cases() {
    const std::string classes = "softmax_cross_entropy";
    return {{"mlp", {perceptron(784, {256, 256}, 10), 128, classes}},
            {"mlp-narrow", {perceptron(64, {64, 64, 64}, 10), 64, classes}},
            {"mlp-wide", {perceptron(784, {1000, 1000, 1000}, 10), 256, classes}},
            {"conv", {small_convolutional(28, 16, 32, 5), 64, classes}},
            {"resnet8", {residual(), 64, classes}},
            {"rnn", {recurrent("rnn", true), 128, "mse"}},
            {"gru", {recurrent("gru", true), 128, "mse"}},
            {"lstm", {recurrent("lstm", true), 128, "mse"}},
            {"ugrnn", {recurrent("ugrnn", false), 128, "mse"}},
            {"retina", {retina(), 50, "mse"}}};
}

std::map<std::string, Case> hessian_cases() {
    const std::string classes = "softmax_cross_entropy";
    return {{"mlp", {perceptron(784, {200, 200}, 10), 10000, classes}},
            {"mlp-batch", {perceptron(784, {200, 200}, 10), 64, classes}},
            {"conv", {small_convolutional(28, 8, 16, 3), 1000, classes}}};
}

// --- measurements ---

struct Clock {
    double cpu, wall;
};

Clock now() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return {
        static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec),
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

struct Options {
    std::string what, name;
    double seconds = 1;
    int threads = 1;
    Index directions = 1;
    bool keep = false;
};

// Calls body() to warm up (twice, or once where that takes long), then for `seconds`.
template <class Body>
Json measure(double seconds, Body&& body) {
    const double warm = now().wall;
    body();
    if (now().wall - warm < 0.2) body();
    const Clock begin = now();
    Clock end = begin;
    Index calls = 0;
    while (calls < 3 || end.wall - begin.wall < seconds) {
        body();
        ++calls;
        end = now();
    }
    const auto count = static_cast<double>(calls);
    return {{"calls", calls},
            {"cpu", (end.cpu - begin.cpu) / count},
            {"wall", (end.wall - begin.wall) / count}};
}

Samples random_samples(const Network<Number>& network, const Case& one, Index count) {
    std::mt19937 generator(1);
    std::normal_distribution<double> normal;
    Samples samples;
    samples.input_shape = network.input().shape;
    samples.input_axes = network.input_axes();
    const auto fill = [&](RowMatrix& to, Index columns) {
        to.resize(count, columns);
        for (Index i = 0; i < to.size(); ++i) to.data()[i] = normal(generator);
    };
    fill(samples.inputs, network.input().size());
    if (one.loss == "mse") {
        samples.target_shape = network.output().shape;
        fill(samples.values, network.output().size());
    } else {
        for (Index i = 0; i < count; ++i)
            samples.classes.push_back(static_cast<std::int64_t>(generator() % 10));
    }
    return samples;
}

// The trainer's step without the making of batches.
class Steps {
  public:
    Steps(const Case& one, int threads)
        : threads_(threads), network_(one.architecture.dump()),
          weights_(initial_weights(network_, "auto", 0)), optimizer_(make_optimizer()),
          state_(optimizer_.start(network_.parameter_count())),
          rule_(training::make_rule<Number>("bp", {&network_, "{}", 0})),
          gradient_(network_, loss_of(one.loss), *rule_, {}, one.samples) {
        const Samples samples = random_samples(network_, one, kBatches * one.samples);
        check_samples(samples, network_.input(), network_.output(), loss_of(one.loss), "data");
        for (Index batch = 0; batch < kBatches; ++batch)
            batches_.push_back(make_batch<Number>(
                samples, consecutive(batch * one.samples, one.samples), network_.output()));
    }
    [[nodiscard]] const Network<Number>& network() const { return network_; }
    [[nodiscard]] Index pieces() const { return gradient_.pieces(); }

    void step() {
        const AllowedThreads shared(threads_);
        const auto& batch = batches_[static_cast<std::size_t>(number_ % kBatches)];
        const auto& sums = gradient_.of(weights_, batch, number_++);
        optimizer_.update(weights_.trained, sums.gradient, 1e-6, state_);
        gradient_.update_statistics(weights_);
    }

  private:
    static constexpr Index kBatches = 4;
    training::Optimizer<Number> make_optimizer() const {
        training::OptimizerSettings settings;
        settings.momentum = 0.9;
        std::vector<training::ParameterSlice> slices;
        for (const auto& entry : network_.parameters())
            if (entry.info.trained) slices.push_back({entry.offset, entry.info.size(), 1, true});
        return {settings, slices};
    }
    int threads_;
    Network<Number> network_;
    Weights<Number> weights_;
    training::Optimizer<Number> optimizer_;
    training::OptimizerState<Number> state_;
    std::unique_ptr<training::LearningRule<Number>> rule_;
    training::BatchGradient<Number> gradient_;
    Index number_ = 0;
    std::vector<Batch<Number>> batches_;
};

// Multiplications and additions of the layers up to the first that has parameters.
double first_flops(const Json& architecture) {
    Json cut = architecture;
    Json& layers = cut["layers"];
    std::size_t count = 1;
    while (!layers[count - 1].contains("units") && !layers[count - 1].contains("filters")) ++count;
    layers.erase(layers.begin() + static_cast<std::ptrdiff_t>(count), layers.end());
    cut["output"] = {layers.back()["name"]};
    return Network<Number>(cut.dump()).flops();
}

// Single precision, one thread: the best of several products of two square matrices.
double gemm_rate() {
    constexpr Index kSize = 1024;
    const Columns<Number> a = Columns<Number>::Random(kSize, kSize),
                          b = Columns<Number>::Random(kSize, kSize);
    Columns<Number> c(kSize, kSize);
    c.noalias() = a * b;
    double best = 1e9;
    for (int i = 0; i < 12; ++i) {
        const double begin = now().cpu;
        c.noalias() = a * b;
        best = std::min(best, now().cpu - begin);
    }
    if (!c.allFinite()) throw Error("the matrix product is wrong");
    return 2e-9 * static_cast<double>(kSize * kSize * kSize) / best;
}

const Case& find(const std::map<std::string, Case>& cases, const std::string& name) {
    const auto found = cases.find(name);
    if (found != cases.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [one, unused] : cases) known.push_back(one);
    throw UsageError("unknown case '" + printable(name, 40) + "'; known: " + join(known, ", "));
}

Json run_step(const Options& o) {
    const Case one = find(step_cases(), o.name);
    Steps steps(one, o.threads);
    Json result = measure(o.seconds, [&] { steps.step(); });
    const auto samples = static_cast<double>(one.samples);
    result["batch"] = one.samples;
    result["pieces"] = steps.pieces();
    result["parameters"] = steps.network().parameter_count();
    result["flops"] = 3 * steps.network().flops() * samples;
    result["samples_per_cpu_second"] = samples / result["cpu"].get<double>();
    result["samples_per_second"] = samples / result["wall"].get<double>();
    return result;
}

Json run_hessian(const Options& o) {
    const Case one = find(hessian_cases(), o.name);
    const Network<Number> network(one.architecture.dump());
    const Samples samples = random_samples(network, one, one.samples);
    const double memory = o.keep ? 1e18 : 0;
    Objective<Number> objective(network, samples, loss_of(one.loss), {Mode::inference, memory, {}});
    objective.set_weights(initial_weights(network, "auto", 0));
    const Columns<Number> directions =
        Columns<Number>::Random(network.parameter_count(), o.directions);
    const Execution run{o.threads, &silent_monitor()};
    double sum = 0;
    Json result = measure(o.seconds, [&] {
        sum += objective.curvature_products(Curvature::hessian, directions, run).sum();
    });
    if (!std::isfinite(sum)) throw Error("the product is not finite");
    const auto count = static_cast<double>(one.samples), k = static_cast<double>(o.directions);
    const double all = network.flops() * count, first = first_flops(one.architecture) * count;
    // The first layer's input does not move, and has no cotangent.
    const double product = 2 * first + 6 * (all - first),
                 primal = o.keep ? 0 : first + 2 * (all - first);
    result["samples"] = one.samples;
    result["directions"] = o.directions;
    result["parameters"] = network.parameter_count();
    result["cpu_per_product"] = result["cpu"].get<double>() / k;
    result["wall_per_product"] = result["wall"].get<double>() / k;
    result["product_flops"] = product;
    result["gflops"] = 1e-9 * (k * product + primal) / result["cpu"].get<double>();
    result["gemm_gflops"] = gemm_rate();
    return result;
}

Options parse(const std::vector<std::string>& words) {
    Options o;
    std::vector<std::string> plain_words;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--keep") {
            o.keep = true;
        } else if (starts_with(word, "--")) {
            const auto value = i + 1 < words.size() ? parse_double(words[++i]) : std::nullopt;
            if (!value || !(*value > 0))
                throw UsageError("option '" + word + "' expects a number above 0");
            if (word == "--seconds")
                o.seconds = *value;
            else if (word == "--threads")
                o.threads = static_cast<int>(*value);
            else if (word == "--directions")
                o.directions = static_cast<Index>(*value);
            else
                throw UsageError("unknown option '" + word + "'");
        } else {
            plain_words.push_back(word);
        }
    }
    if (!plain_words.empty()) o.what = plain_words[0];
    if (plain_words.size() > 1) o.name = plain_words[1];
    return o;
}

int run(const Options& o) {
    if (o.what == "step") {
        std::cout << run_step(o) << '\n';
    } else if (o.what == "hessian") {
        std::cout << run_hessian(o) << '\n';
    } else if (o.what == "gemm") {
        std::cout << Json{{"gemm_gflops", gemm_rate()}} << '\n';
    } else {
        std::cerr << "usage: assay-bench-network step CASE [--seconds S] [--threads N]\n"
                     "       assay-bench-network hessian CASE [--directions K] [--keep] ...\n"
                     "       assay-bench-network gemm\n";
        return 2;
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(parse({argv + 1, argv + argc}));
    } catch (const std::exception& error) {
        std::cerr << "assay-bench-network: " << error.what() << '\n';
        return 1;
    }
}
