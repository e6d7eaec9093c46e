// The configurations under share/reproduce: they are read, and their networks fit their tasks.
#include <assay/core/text.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/network.hpp>
#include <assay/training/config.hpp>
#include <assay/training/optimizer.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::WithinRel;

namespace {

std::filesystem::path folder() {
    return std::filesystem::path(ASSAY_SOURCE_DIR) / "share/reproduce";
}

// What `checkpoint sweep` draws from is no configuration.
bool is_search_space(const std::filesystem::path& file) {
    return ends_with(file.stem().string(), "-space");
}

std::vector<std::filesystem::path> configurations() {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder()))
        if (entry.path().extension() == ".json" && !is_search_space(entry.path()))
            found.push_back(entry.path());
    return found;
}

TrainingConfig configuration(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(folder() / file).rdbuf();
    return read_config(text.str(), {}, file.filename().string());
}

} // namespace

TEST_CASE("configurations of the papers' networks fit their tasks", "[training][reproduce]") {
    const auto files = configurations();
    CHECK(files.size() >= 6);
    for (const auto& file : files) {
        INFO(file.filename().string());
        const TrainingConfig c = configuration(file);
        if (!c.task || c.architecture.empty()) continue;
        const auto task = make_task(*c.task);
        const network::Network<double> network(c.architecture);
        const auto loss = network::loss_of(c.loss.empty() ? task->loss() : c.loss);
        CHECK_NOTHROW(network::check_samples(task->samples(0, 8, Stream::test), network.input(),
                                             network.output(), loss, "test"));
    }
}

TEST_CASE("configurations of the papers' networks have the stated rates", "[training][reproduce]") {
    const auto rate = [](const TrainingConfig& c, Index step) {
        return learning_rate_at(c.schedule, c.optimizer.learning_rate, step, *c.steps, 1);
    };
    const auto gru = configuration("1907.08549/flipflop-gru-64.json");
    CHECK_THAT(rate(gru, 300), WithinRel(5e-3 * std::pow(0.998, 300), 1e-12));
    CHECK(gru.clip.mode == ClipMode::global_norm);
    CHECK(gru.optimizer.weight_decay == 1e-6);
    const auto sine = configuration("1907.08549/sine-tanh-48.json");
    CHECK_THAT(rate(sine, 1500), WithinRel(1e-3, 1e-12)); // halfway down a cosine
    CHECK(sine.clip.value == 0.5);
    const auto words = configuration("1906.10720/sentiment-lstm-32.json");
    CHECK_THAT(rate(words, 100), WithinRel(5e-3 * std::pow(0.997, 100), 1e-12));
    CHECK(words.loss == "sigmoid_cross_entropy");
}
