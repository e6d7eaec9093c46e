// A training step asks for no memory once the arrays of the first are there.
#include <assay/core/text.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/trainer.hpp>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <training/layer_json.hpp>

#include <atomic>
#include <cstdlib>

// Sanitizers bring a malloc of their own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ASSAY_SANITIZED 1
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&       \
    !defined(ASSAY_SANITIZED)
#define ASSAY_COUNTS_ALLOCATIONS 1
#else
#define ASSAY_COUNTS_ALLOCATIONS 0
#endif

using namespace assay;
using namespace assay::training;
using Json = nlohmann::json;
using training_test::layer;

namespace {

std::atomic<long> allocations{0};

} // namespace

#if ASSAY_COUNTS_ALLOCATIONS
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
    ++allocations;
    return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)
#endif

namespace {

struct Nowhere : RunSink {
    void checkpoint(const RunCheckpoint&) override {}
    void state(const RunState&) override {}
};

Json activation(const std::string& name, const std::string& function) {
    return layer(name, "activation", {{"function", function}});
}

struct Study {
    std::string name;
    Json input;
    std::vector<Json> layers;
    std::string loss;
    Json optimizer = {{"name", "sgd"}, {"momentum", 0.9}};
    int batch = 16, few = 10, many = 50; // steps
};

std::vector<Study> studies() {
    const std::string classes = "softmax_cross_entropy";
    const Json image = {{"shape", {2, 9, 8}}},
               sequence = {{"shape", {12, 3}}, {"axes", {"time", "feature"}}};
    std::vector<Study> all{
        {"perceptron",
         {{"shape", {30}}},
         {layer("a", "dense", {{"units", 40}}), activation("r", "relu"), layer("n", "layer_norm"),
          layer("d", "dropout", {{"rate", 0.1}}), layer("out", "dense", {{"units", 4}})},
         classes},
        {"images",
         image,
         {layer("c", "conv2d", {{"filters", 12}, {"kernel", {3, 3}}, {"padding", "same"}}),
          layer("n", "batch_norm"), activation("r", "relu"),
          layer("p", "max_pool", {{"kernel", {2, 2}}}),
          layer("e", "conv2d",
                {{"filters", 14}, {"kernel", {3, 3}}, {"stride", {2, 1}}, {"bias", false}}),
          activation("t", "softplus"), layer("f", "flatten"),
          layer("out", "dense", {{"units", 4}})},
         classes,
         {{"name", "adam"}}},
        {"residual",
         {{"shape", {20}}},
         {layer("a", "dense", {{"units", 20}}), activation("t", "tanh"),
          layer("s", "add", {{"inputs", {"t", "input"}}}), layer("b", "dense", {{"units", 20}}),
          layer("u", "add", {{"inputs", {"b", "s"}}}), activation("r", "relu"),
          layer("out", "dense", {{"units", 2}})},
         "mse",
         {{"name", "rmsprop"}}}};
    for (const std::string cell : {"rnn", "gru", "lstm", "ugrnn"})
        all.push_back({cell,
                       sequence,
                       {layer("cell", cell, {{"units", 20}, {"return_sequences", true}}),
                        layer("out", "dense", {{"units", 2}})},
                       "mse",
                       {{"name", "sgd"}, {"momentum", 0.9}, {"nesterov", true}}});
    // Large enough to be cut into pieces. The readout is of the last step: for products of all
    // steps Eigen takes its workspace from the heap where caches are large (seen: EPYC with
    // AVX-512).
    all.push_back({"pieces",
                   {{"shape", {200, 3}}, {"axes", {"time", "feature"}}},
                   {layer("cell", "rnn", {{"units", 64}, {"return_sequences", false}}),
                    layer("out", "dense", {{"units", 2}})},
                   "mse",
                   {{"name", "adagrad"}},
                   64,
                   3,
                   6});
    return all;
}

// Allocations of a run of so many steps.
long allocations_of(const Study& study, int steps, const std::string& precision) {
    const Json json = {
        {"format", "assay-training/1"},
        {"model", {{"architecture", {{"input", study.input}, {"layers", study.layers}}}}},
        {"loss", study.loss},
        {"optimizer", study.optimizer},
        {"batch_size", study.batch},
        {"steps", steps},
        {"precision", precision},
        {"clip", {{"mode", "global_norm"}, {"value", 1}}},
        {"metrics", {{"every", 1000}}},
        {"checkpoints", {{"list", {steps}}}}};
    const TrainingConfig config = read_config(json.dump(), {}, "test");
    const network::Network<double> network(config.architecture);
    network::Samples samples;
    samples.input_shape = network.input().shape;
    constexpr Eigen::Index kSamples = 1000;
    samples.inputs = RowMatrix::Random(kSamples, network.input().size());
    if (study.loss == "mse") {
        samples.target_shape = network.output().shape;
        samples.values = RowMatrix::Random(kSamples, network.output().size());
    } else {
        for (Eigen::Index i = 0; i < kSamples; ++i) samples.classes.push_back(i % 4);
    }
    TrainingData data;
    data.train = std::make_shared<network::SamplesInMemory>(std::move(samples));
    Nowhere sink;
    const long before = allocations;
    static_cast<void>(train(config, data, {}, {}, sink, {}, {}));
    return allocations - before;
}

} // namespace

TEST_CASE("a training step allocates nothing after the first", "[training][allocations]") {
    if (!ASSAY_COUNTS_ALLOCATIONS) return;
    for (const auto& study : studies())
        for (const std::string precision : {"float32", "float64"}) {
            INFO(study.name << " in " << precision);
            // What threads keep from one run to the next is there after the first.
            static_cast<void>(allocations_of(study, study.few, precision));
            const long few = allocations_of(study, study.few, precision);
            CHECK(few > 0);
            CHECK(allocations_of(study, study.many, precision) == few);
        }
}
