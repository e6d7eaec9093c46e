// Logistic regression on counts against Newton's method in numpy, and classes of words.
#include <assay/core/error.hpp>
#include <assay/fixedpoints/bag_of_words.hpp>

#include "lines.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;

namespace {

// Counts (i^2 + 3 i j + 2 j) mod 5 of 14 documents and 4 words.
WordCounts small_counts() {
    std::vector<std::int32_t> tokens;
    std::vector<Index> lengths;
    constexpr std::size_t kSteps = 12;
    for (int i = 0; i < 14; ++i) {
        std::vector<std::int32_t> document;
        for (int j = 0; j < 4; ++j)
            document.insert(document.end(),
                            static_cast<std::size_t>((i * i + 3 * i * j + 2 * j) % 5), j);
        lengths.push_back(static_cast<Index>(document.size()));
        document.resize(kSteps, -1); // padding is never looked at
        tokens.insert(tokens.end(), document.begin(), document.end());
    }
    return count_words(tokens, kSteps, lengths, 4);
}

const std::vector<std::int32_t> kLabels{0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1};

} // namespace

TEST_CASE("logistic regression on counts equals scikit-learn's", "[fixedpoints][words]") {
    const auto counts = small_counts();
    CHECK(counts.coeff(2, 0) == 4);
    CHECK(counts.coeff(4, 1) == 0);
    CHECK(counts.coeff(4, 3) == 3);
    BagOfWordsOptions options;
    Vector expected(5);
    // Newton's method in numpy; LogisticRegression(C=1/ridge) agrees to its 8 digits.
    SECTION("ridge 1") {
        expected << 0.978644096702164, 0.290787166362453, -0.544611417278693, 0.480076635646169,
            -3.685112025084004;
    }
    SECTION("ridge 1/4") {
        options.ridge = 0.25;
        expected << 1.329792385772009, 0.527919739314518, -0.724530531034194, 0.750723975052454,
            -5.395857894402316;
    }
    const auto model = fit_bag_of_words(counts, kLabels, options, {});
    CHECK(model.converged);
    CHECK(model.gradient < 1e-8);
    CHECK(model.iterations < 15);
    CHECK((model.coefficients - expected.head(4)).cwiseAbs().maxCoeff() < 1e-9);
    CHECK(std::abs(model.intercept - expected(4)) < 1e-8);
    CHECK(accuracy(model, counts, kLabels) == 13.0 / 14.0);
}

TEST_CASE("a larger bag of words satisfies its normal equations", "[fixedpoints][words]") {
    // 9000 documents, so that several blocks are summed.
    constexpr Index kDocuments = 9000, kWords = 40, kSteps = 20;
    const Random random(1, "test/fixedpoints/words");
    std::vector<std::int32_t> tokens, labels;
    for (Index d = 0; d < kDocuments; ++d) {
        std::int32_t sum = 0;
        for (Index t = 0; t < kSteps; ++t) {
            const auto word = static_cast<std::int32_t>(
                random.below(kWords, static_cast<std::uint64_t>(d * kSteps + t)));
            tokens.push_back(word);
            sum += word < 10 ? 1 : word >= 30 ? -1 : 0;
        }
        labels.push_back(sum > 0 ? 1 : 0);
    }
    const auto counts = count_words(tokens, kSteps, std::vector<Index>(kDocuments, kSteps), kWords);
    const auto model = fit_bag_of_words(counts, labels, {}, {});
    CHECK(model.converged);
    const Matrix dense(counts);
    const Vector scores = (dense * model.coefficients).array() + model.intercept;
    Vector error = 1 / (1 + (-scores.array()).exp());
    for (Index d = 0; d < kDocuments; ++d) error(d) -= labels[static_cast<std::size_t>(d)];
    CHECK((dense.transpose() * error + model.coefficients).cwiseAbs().maxCoeff() < 1e-6);
    CHECK(std::abs(error.sum()) < 1e-6);
    CHECK(accuracy(model, counts, labels) > 0.99);
    const auto threaded = fit_bag_of_words(counts, labels, {}, Execution{3});
    CHECK(threaded.coefficients == model.coefficients);

    const auto classes = classify_words(model.coefficients, occurrences(counts), 10);
    CHECK(occurrences(counts).sum() == kDocuments * kSteps);
    REQUIRE(classes.positive.size() == 10);
    REQUIRE(classes.negative.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(classes.positive[i] < 10);
        CHECK(classes.negative[i] >= 30);
        CHECK((classes.neutral[i] >= 10 && classes.neutral[i] < 30));
    }
}

TEST_CASE("word classes do not overlap and leave rare words out", "[fixedpoints][words]") {
    Vector coefficients(9), counts(9);
    coefficients << 0.5, -0.1, 2, 0, -3, 0.05, 0.02, 1, -0.01;
    counts << 9, 9, 9, 1, 9, 9, 4, 9, 9;
    const auto all = classify_words(coefficients, counts, 100);
    CHECK(all.occurring == std::vector<Index>{0, 1, 2, 4, 5, 7, 8});
    CHECK(all.positive == std::vector<Index>{2, 7});
    CHECK(all.negative == std::vector<Index>{4, 1});
    CHECK(all.neutral == std::vector<Index>{8, 5});
    const auto one = classify_words(coefficients, counts, 1, 1);
    CHECK(one.positive == std::vector<Index>{2});
    CHECK(one.neutral == std::vector<Index>{3});
    CHECK(classify_words(Vector::Ones(6), Vector::Constant(6, 9), 2).negative.empty());
    CHECK_THROWS_AS(classify_words(coefficients, counts, 0), Error);
    CHECK_THROWS_AS(classify_words(coefficients, Vector::Ones(3), 5), Error);
}

TEST_CASE("what a bag of words cannot learn from is named", "[fixedpoints][words]") {
    const auto counts = small_counts();
    CHECK_THROWS_WITH(fit_bag_of_words(counts, {}, {}, {}), "word classes need labels");
    CHECK_THROWS_WITH(fit_bag_of_words(counts, std::vector<std::int32_t>(14, 1), {}, {}),
                      "all 14 labels are 1: word classes need both");
    auto labels = kLabels;
    labels[3] = 2;
    CHECK_THROWS_WITH(fit_bag_of_words(counts, labels, {}, {}),
                      "label 2: a bag of words takes 0 and 1");
    labels.pop_back();
    CHECK_THROWS_AS(fit_bag_of_words(counts, labels, {}, {}), Error);
    BagOfWordsOptions options;
    options.ridge = 0;
    CHECK_THROWS_AS(fit_bag_of_words(counts, kLabels, options, {}), Error);
    CHECK_THROWS_WITH(count_words({1, 512}, 2, {2}, 100),
                      "token id 512 outside the vocabulary of 100");
    CHECK_THROWS_AS(count_words({1, 2, 3}, 2, {2}, 100), Error);
}
