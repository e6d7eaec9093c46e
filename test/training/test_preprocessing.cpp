// Statistics over blocks against two passes over the whole; samples prepared as they are read.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/training/architectures.hpp>
#include <assay/training/preprocessing.hpp>
#include <assay/training/trainer.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::WithinRel;

namespace {

network::Samples samples_of(Index count, Index channels, Index width) {
    network::Samples s;
    s.input_shape = {channels, width};
    s.inputs.resize(count, channels * width);
    const Random random(5, "samples");
    for (Index i = 0; i < s.inputs.size(); ++i)
        s.inputs.data()[i] = 1e4 + random.normal(static_cast<std::uint64_t>(i));
    s.inputs.col(3).setConstant(0.1);
    for (Index i = 0; i < count; ++i) s.classes.push_back(i % 3);
    return s;
}

} // namespace

TEST_CASE("statistics of inputs over blocks", "[preprocessing]") {
    // More than the rows of a block, and not a multiple of them.
    const network::Samples s = samples_of(10001, 2, 3);
    DataSettings settings;
    settings.scale = 0.5;
    const network::SamplesInMemory source(&s);
    const std::string kind = GENERATE(as<std::string>(), "pixel", "channel", "global");
    settings.standardize = kind;
    const Preprocessing found = measure_inputs(source, settings);
    const Index groups = kind == "pixel" ? 6 : kind == "channel" ? 2 : 1;
    REQUIRE(static_cast<Index>(found.mean.size()) == groups);
    for (Index g = 0; g < groups; ++g) {
        const Matrix part = s.inputs.middleCols(g * 6 / groups, 6 / groups) * 0.5;
        const double mean = part.mean();
        const double deviation = std::sqrt((part.array() - mean).square().mean());
        CHECK_THAT(found.mean[static_cast<std::size_t>(g)], WithinRel(mean, 1e-12));
        // A constant number is not divided by.
        const double factor = kind == "pixel" && g == 3 ? 1 : 1 / deviation;
        CHECK_THAT(found.factor[static_cast<std::size_t>(g)], WithinRel(factor, 1e-11));
    }
}

TEST_CASE("constant groups of inputs are not divided by", "[preprocessing]") {
    const double value = GENERATE(0.1, 0.3, 1.0 / 3, 128.0, 1e-3, -7.7e8);
    const Index width = GENERATE(1, 3, 7, 49, 784);
    const double scale = GENERATE(1.0, 0.00392, 1.0 / 3);
    network::Samples s;
    s.input_shape = {2, width};
    s.inputs.setConstant(37, 2 * width, value);
    // The second channel of two is not constant.
    const bool alone = GENERATE(true, false);
    if (!alone) s.inputs(20, 2 * width - 1) += 1;
    const network::SamplesInMemory source(&s);
    DataSettings settings;
    settings.scale = scale;
    for (const std::string kind : {"channel", "pixel", "global"}) {
        if (kind == "global" && !alone) continue;
        settings.standardize = kind;
        const Preprocessing found = measure_inputs(source, settings);
        CAPTURE(kind, value, width, scale);
        CHECK(found.factor[0] == 1);
        CHECK((found.factor.back() == 1) == alone);
        network::Samples prepared = s;
        apply(found, prepared);
        CHECK(prepared.inputs.leftCols(width).cwiseAbs().maxCoeff() == 0);
    }
}

TEST_CASE("prepared samples are chosen, scaled and standardised as they are read",
          "[preprocessing]") {
    const network::Samples s = samples_of(50, 2, 3);
    Preprocessing how;
    how.scale = 2;
    how.standardize = "channel";
    how.inputs = 6;
    how.mean = {1, -3};
    how.factor = {0.25, 4};
    const auto base = std::make_shared<network::SamplesInMemory>(s);
    const PreparedSamples prepared(base, std::vector<Index>{40, 7, 30, 2}, how);
    REQUIRE(prepared.count() == 4);
    network::Samples got;
    for (int time = 0; time < 2; ++time) { // arrays are reused
        prepared.read({3, 1, 1}, got);
        REQUIRE(got.count() == 3);
        CHECK(got.classes == std::vector<std::int64_t>{2, 1, 1});
        for (Index i = 0; i < 6; ++i) {
            const std::size_t channel = i < 3 ? 0 : 1;
            for (const auto& [row, from] : {std::pair{0, 2}, {1, 7}, {2, 7}})
                CHECK(got.inputs(row, i) ==
                      (2 * s.inputs(from, i) - how.mean[channel]) * how.factor[channel]);
        }
    }
    how.inputs = 5;
    const PreparedSamples wrong(base, std::nullopt, how);
    CHECK_THROWS_WITH(wrong.read({0}, got), Catch::Contains("5 numbers a sample, found 6"));
}

TEST_CASE("a survey of data tells whether they are the same", "[preprocessing]") {
    network::Samples s = samples_of(3000, 2, 200); // several blocks
    const auto digest = [&] { return survey(network::SamplesInMemory(&s), "data").digest; };
    const std::string before = digest();
    CHECK(survey(network::SamplesInMemory(&s), "data").largest_class == 2);
    const double number = s.inputs(2999, 399);
    s.inputs(2999, 399) += 1e-9;
    CHECK(digest() != before);
    s.inputs(2999, 399) = number;
    CHECK(digest() == before);
    s.classes[2999] = 1;
    CHECK(digest() != before);
}

TEST_CASE("an input that is not finite is told by its sample", "[preprocessing]") {
    network::Samples s = samples_of(3000, 2, 200);
    s.inputs(2900, 333) = std::nan("");
    TrainingData data;
    data.train = std::make_shared<network::SamplesInMemory>(&s);
    DataSettings settings;
    settings.standardize = "pixel";
    CHECK_THROWS_WITH(prepare(data, settings, 0, "d.h5: train"),
                      Catch::Contains("d.h5: train/inputs: sample 2900, number 333 is nan"));
    s.inputs(2900, 333) = -std::numeric_limits<double>::infinity();
    CHECK_THROWS_WITH(survey(network::SamplesInMemory(&s), "d"),
                      Catch::Contains("d/inputs: sample 2900, number 333 is -inf"));
}

TEST_CASE("token ids beyond any vocabulary are refused", "[preprocessing]") {
    network::Samples s;
    s.input_shape = {4};
    s.input_axes = {"time"};
    s.inputs.setConstant(5, 4, 2);
    s.inputs(3, 1) = 11;
    const network::SamplesInMemory source(&s);
    CHECK(shape_of(source, survey(source, "d")).vocabulary == 12);
    s.inputs(3, 1) = 1e300;
    CHECK_THROWS_WITH(shape_of(source, survey(source, "d")),
                      Catch::Contains("the largest token id is 1e+300"));
}

TEST_CASE("digests of an earlier form are told apart", "[preprocessing]") {
    const network::Samples s = samples_of(3, 2, 3);
    CHECK(comparable(survey(network::SamplesInMemory(&s), "d").digest));
    CHECK_FALSE(comparable(std::string(64, 'a')));
    CHECK_FALSE(comparable(""));
}

TEST_CASE("samples whose arrays are of different length are refused", "[preprocessing]") {
    network::Samples s = samples_of(10, 1, 4);
    s.lengths.assign(9, 1);
    CHECK_THROWS_WITH(network::SamplesInMemory(&s), Catch::Contains("lengths: 9 rows for 10"));
}
