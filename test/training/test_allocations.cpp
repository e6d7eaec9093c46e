// What training asks of memory: a step nothing once the arrays of the first are there, and a run no
// more than is told.
#include <assay/core/text.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/config_json.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/trainer.hpp>

#include <catch2/catch.hpp>

#include <hdf5/scratch.hpp>
#include <nlohmann/json.hpp>
#include <training/layer_json.hpp>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <malloc.h>

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
std::atomic<long> living{0}, most_living{0}; // bytes

#if ASSAY_COUNTS_ALLOCATIONS
void* noted(void* memory) {
    ++allocations;
    const long now = living += static_cast<long>(malloc_usable_size(memory));
    long most = most_living;
    while (now > most && !most_living.compare_exchange_weak(most, now)) {
    }
    return memory;
}

void note_end(void* memory) {
    living -= static_cast<long>(malloc_usable_size(memory));
}
#endif

} // namespace

#if ASSAY_COUNTS_ALLOCATIONS
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
void* malloc(std::size_t size) {
    return noted(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) {
    return noted(__libc_calloc(count, size));
}
void* realloc(void* old, std::size_t size) {
    note_end(old);
    return noted(__libc_realloc(old, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return noted(__libc_memalign(alignment, size));
}
void* memalign(std::size_t alignment, std::size_t size) {
    return noted(__libc_memalign(alignment, size));
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
    *memory = noted(__libc_memalign(alignment, size));
    return *memory ? 0 : ENOMEM;
}
void free(void* memory) {
    note_end(memory);
    __libc_free(memory);
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

namespace {

std::shared_ptr<network::SampleSource> random_classes(Eigen::Index count, Eigen::Index inputs) {
    network::Samples samples;
    samples.input_shape = {inputs};
    samples.inputs = RowMatrix::Random(count, inputs);
    for (Eigen::Index i = 0; i < count; ++i) samples.classes.push_back(i % 4);
    return std::make_shared<network::SamplesInMemory>(std::move(samples));
}

// Runs that keep a checkpoint, save a state, log and look at held-out samples at every step.
class WideRun {
  public:
    static constexpr long kInputs = 500, kUnits = 4000;

    WideRun(const std::string& precision, const Json& optimizer) {
        const Json architecture = {
            {"input", {{"shape", {kInputs}}}},
            {"layers",
             {layer("a", "dense", {{"units", kUnits}}), activation("r", "relu"),
              layer("out", "dense", {{"units", 4}})}}};
        json_ = {{"format", "assay-training/1"},
                 {"model", {{"architecture", architecture}}},
                 {"loss", "softmax_cross_entropy"},
                 {"optimizer", optimizer},
                 {"batch_size", 8},
                 {"precision", precision},
                 {"metrics", {{"every", 1}}},
                 {"evaluate", {{"every", 1}}},
                 {"checkpoints", {{"every", 1}}}};
        data_.train = random_classes(16, kInputs);
        data_.held_out = random_classes(8, kInputs);
        prepare(data_, {}, 0, "test");
    }

    // Bytes that training to `steps`, from where the last run ended, and its file take at most.
    long most(int steps) {
        json_["steps"] = steps;
        const TrainingConfig config = read_config(json_.dump(), {}, "test");
        RunFolder folder(scratch_.file("run.parts"),
                         {config_json(config), "", data_.survey.digest, {}});
        const long before = living;
        most_living = before;
        const RunResult result =
            train(config, data_, {}, folder.resume(nullptr), folder, RunLimits{0, 0}, {});
        hdf5::OutputFile file(scratch_.file("run.h5"), hdf5::Existing::replace,
                              hdf5::Compression::automatic, {});
        folder.assemble(file.root(), result, nullptr, false);
        file.commit();
        return most_living - before;
    }

  private:
    Json json_;
    TrainingData data_;
    hdf5_test::Folder scratch_;
};

} // namespace

TEST_CASE("a run takes the memory that is told", "[training][allocations]") {
    if (!ASSAY_COUNTS_ALLOCATIONS) return;
    constexpr double kParameters =
        (WideRun::kInputs + 1) * WideRun::kUnits + 4 * (WideRun::kUnits + 1);
    const std::vector<std::pair<Json, int>> optimizers{{{{"name", "sgd"}}, 0},
                                                       {{{"name", "adam"}}, 2}};
    for (const auto& [optimizer, arrays] : optimizers)
        for (const std::string precision : {"float32", "float64"}) {
            const double number = precision == "float32" ? sizeof(float) : sizeof(double);
            // Weights, gradient, the change before and the optimiser's, and 5 MiB, less than one
            // array, for batches and files.
            const double told = kParameters * (3 + arrays) * number + (5 << 20);
            INFO(optimizer << " in " << precision);
            WideRun run(precision, optimizer);
            CHECK(static_cast<double>(run.most(3)) < told);
            CHECK(static_cast<double>(run.most(5)) < told); // resumed
        }
}
