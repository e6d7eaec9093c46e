#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/similarity.hpp>
#include <assay/fixedpoints/similarity_blocks.hpp>

#include <catch2/catch.hpp>

#include <Eigen/QR>

#include <cmath>

using namespace assay;
using namespace assay::fixedpoints;
using Catch::Matchers::Contains;

namespace {

// x_tn = (1 + 0.3 n) sin(0.7 (n + 1) t + n^2) + 0.2 n
RowMatrix first_waves() {
    return RowMatrix::NullaryExpr(60, 5, [](Index row, Index column) {
        const auto t = static_cast<double>(row), n = static_cast<double>(column);
        return (1 + 0.3 * n) * std::sin(0.7 * (n + 1) * t + n * n) + 0.2 * n;
    });
}

// y_tm = cos(0.55 (m + 1) t - 0.3 m) + 0.5 sin(0.7 (m + 1) t + m^2)
RowMatrix second_waves() {
    return RowMatrix::NullaryExpr(60, 4, [](Index row, Index column) {
        const auto t = static_cast<double>(row), m = static_cast<double>(column);
        return std::cos(0.55 * (m + 1) * t - 0.3 * m) + 0.5 * std::sin(0.7 * (m + 1) * t + m * m);
    });
}

RowMatrix noise(Index rows, Index columns, std::uint64_t seed) {
    const Random random(seed, "test/similarity");
    return RowMatrix::NullaryExpr(rows, columns, [&](Index i, Index j) {
        return random.normal(static_cast<std::uint64_t>(i * columns + j));
    });
}

Matrix orthogonal(Index size, std::uint64_t seed) {
    return Eigen::HouseholderQR<Matrix>(noise(size, size, seed)).householderQ();
}

// Activations of spectrum 1, 0.7, 0.49 ...
RowMatrix correlated(Index rows, Index columns, std::uint64_t seed) {
    Matrix mix = orthogonal(columns, seed + 1000);
    for (Index k = 0; k < columns; ++k) mix.row(k) *= std::pow(0.7, static_cast<double>(k));
    return noise(rows, columns, seed) * mix;
}

SimilarityOptions with(Metric metric, double threshold = 0.99, double alpha = 1) {
    SimilarityOptions options;
    options.metric = metric;
    options.threshold = threshold;
    options.alpha = alpha;
    return options;
}

double between(const RowMatrix& x, const RowMatrix& y, const SimilarityOptions& options) {
    return distance(represent(x, options), represent(y, options), options);
}

double cka(const RowMatrix& x, const RowMatrix& y, Metric metric = Metric::cka) {
    const SimilarityOptions options = with(metric);
    return alignment(represent(x, options), represent(y, options), options);
}

const std::vector<SimilarityOptions> kAll{with(Metric::svcca),
                                          with(Metric::cca),
                                          with(Metric::pwcca),
                                          with(Metric::cka),
                                          with(Metric::cka_debiased),
                                          with(Metric::procrustes),
                                          with(Metric::procrustes_angular),
                                          with(Metric::shape, 1, 0.5)};

} // namespace

TEST_CASE("distances equal those of numpy and scipy", "[fixedpoints][similarity]") {
    // numpy 1.24: scipy.linalg.svd of the centred data, products of bases, nuclear norms by svd,
    // unbiased HSIC from the T x T kernels of the uncentred data.
    const RowMatrix x = first_waves(), y = second_waves();
    const auto near = [&](const SimilarityOptions& options, double expected) {
        CHECK(std::abs(between(x, y, options) - expected) < 1e-12);
        CHECK(std::abs(between(y, x, options) - expected) < 1e-12);
    };
    near(with(Metric::svcca, 0.9), 0.578046538171954); // 3 and 4 dimensions
    near(with(Metric::pwcca, 0.9), 0.5770222711949858);
    near(with(Metric::cca), 0.5318009844805274); // 5 and 4
    near(with(Metric::pwcca, 1), 0.5328338592865798);
    near(with(Metric::cka), std::acos(0.14254932384148283));
    near(with(Metric::cka_debiased), std::acos(0.09577711395157626));
    near(with(Metric::procrustes), 19.145062793516225);
    near(with(Metric::procrustes_angular), 1.1564065005809625);
    near(with(Metric::shape, 1, 1), 1.1564065005809625);
    near(with(Metric::shape, 1, 0.97), 1.1561714766572795);
    near(with(Metric::shape, 1, 0.5), 1.1499705049328324);
    near(with(Metric::shape, 1, 0), 1.1387059950188014);
    CHECK(represent(x, with(Metric::svcca, 0.9)).dimensions == 3);
    CHECK(represent(y, with(Metric::svcca, 0.9)).dimensions == 4);
}

TEST_CASE("a rotated, shifted and scaled network is the same network",
          "[fixedpoints][similarity]") {
    const RowMatrix x = correlated(500, 12, 1);
    const RowMatrix turned = (x * orthogonal(12, 2)).array() + 3;
    for (const double threshold : {0.5, 0.9, 0.99, 0.999999})
        CHECK(std::abs(between(x, turned, with(Metric::svcca, threshold))) < 1e-9);
    CHECK(std::abs(between(x, turned, with(Metric::cca))) < 1e-9);
    CHECK(std::abs(between(x, turned, with(Metric::pwcca))) < 1e-9);
    CHECK(std::abs(cka(x, 2.5 * turned) - 1) < 1e-12);
    CHECK(std::abs(cka(x, 2.5 * turned, Metric::cka_debiased) - 1) < 1e-12);
    // Square roots of rounding.
    CHECK(between(x, turned, with(Metric::procrustes)) < 1e-6 * x.norm());
    CHECK(between(x, 2.5 * turned, with(Metric::procrustes_angular)) < 1e-7);
    CHECK(between(x, turned, with(Metric::shape, 1, 0.5)) < 1e-7);
    // Of a scaled copy Procrustes keeps the difference of scale.
    const RowMatrix centred = x.rowwise() - x.colwise().mean();
    CHECK(std::abs(between(x, 2.5 * turned, with(Metric::procrustes)) - 1.5 * centred.norm()) <
          1e-9);
}

TEST_CASE("any invertible map is nothing to cca, something to the others",
          "[fixedpoints][similarity]") {
    const RowMatrix x = correlated(400, 6, 3);
    Matrix map = noise(6, 6, 4);
    map.diagonal().array() += 3;
    const RowMatrix y = x * map;
    CHECK(std::abs(between(x, y, with(Metric::cca))) < 1e-9);
    CHECK(between(x, y, with(Metric::shape, 1, 0)) < 1e-6);
    CHECK(between(x, y, with(Metric::procrustes_angular)) > 0.1);
    CHECK(between(x, y, with(Metric::cka)) > 0.1);
}

TEST_CASE("independent networks are as far as random subspaces", "[fixedpoints][similarity]") {
    const RowMatrix x = noise(400, 8, 5), y = noise(400, 8, 6);
    // Mean squared correlation of random 8-dimensional subspaces of the 399 of centred data.
    const SimilarityOptions options = with(Metric::cca);
    const Matrix product =
        represent(x, options).features.transpose() * represent(y, options).features;
    CHECK(std::abs(product.squaredNorm() / 8 - 8.0 / 399) < 0.01);
    CHECK(between(x, y, options) > 0.8);
    // The bias of CKA that the unbiased estimate removes; 0 within 3 standard errors or so.
    CHECK(cka(x, y) > 0.015);
    CHECK(std::abs(cka(x, y, Metric::cka_debiased)) < 0.01);
}

TEST_CASE("orthogonal activations are at a right angle", "[fixedpoints][similarity]") {
    RowMatrix both = noise(100, 6, 7);
    both.rowwise() -= both.colwise().mean().eval();
    const Matrix q = Eigen::HouseholderQR<Matrix>(both).householderQ() * Matrix::Identity(100, 6);
    const RowMatrix x = q.leftCols(3), y = q.rightCols(3);
    const double right_angle = std::acos(0.0);
    CHECK(std::abs(between(x, y, with(Metric::procrustes_angular)) - right_angle) < 1e-12);
    CHECK(std::abs(between(x, y, with(Metric::cka)) - right_angle) < 1e-12);
    CHECK(std::abs(between(x, y, with(Metric::cca)) - 1) < 1e-12);
    CHECK(std::abs(between(x, y, with(Metric::procrustes)) - std::sqrt(6)) < 1e-12);
    // Half of the columns shared: correlations 1 and 0.
    RowMatrix half(100, 2);
    half << q.col(0), q.col(4);
    RowMatrix other(100, 2);
    other << q.col(5), -q.col(0);
    CHECK(std::abs(between(half, other, with(Metric::cca)) - 0.5) < 1e-12);
}

TEST_CASE("activations that cannot be compared are refused", "[fixedpoints][similarity]") {
    CHECK_THROWS_WITH(represent(noise(40, 64, 8), with(Metric::svcca, 1)),
                      "svcca: 40 samples, 39 kept dimensions: needs more samples");
    CHECK_THROWS_WITH(represent(noise(5, 4, 8), with(Metric::cca)),
                      "cca: 5 samples, 4 kept dimensions: needs more samples");
    CHECK_THROWS_WITH(represent(noise(3, 2, 8), with(Metric::cka_debiased)),
                      Contains("3 samples: needs at least 4"));
    CHECK_THROWS_WITH(represent(noise(9, 2, 8), with(Metric::shape, 1, 1.5)),
                      Contains("alpha 1.5"));
    CHECK_THROWS_WITH(represent(noise(9, 2, 8), with(Metric::svcca, 0)),
                      Contains("must be above 0"));
    RowMatrix bad = noise(30, 3, 8);
    bad(2, 1) = std::nan("");
    for (const auto& options : kAll) {
        CHECK_THROWS_AS(represent(RowMatrix::Constant(30, 3, 0.7), options), Error);
        CHECK_THROWS_AS(represent(bad, options), Error);
        CHECK_THROWS_WITH(between(noise(30, 3, 8), noise(31, 3, 8), options),
                          Contains("30 samples against 31"));
    }
}

TEST_CASE("all pairs in blocks equal the pairs one by one", "[fixedpoints][similarity]") {
    const auto read = [](Index i) {
        return correlated(80, 4 + i % 3, static_cast<std::uint64_t>(i));
    };
    constexpr Index kNetworks = 11;
    BlockOptions blocks;
    blocks.networks = GENERATE(1, 4, 64);
    blocks.memory = GENERATE(1, 1 << 30); // 1: no more than two blocks are held
    for (const auto& options : kAll) {
        const Matrix whole = pairwise_distances(kNetworks, read, options, {}, {}, blocks).distance;
        for (Index i = 0; i < kNetworks; ++i) {
            CHECK(whole(i, i) == 0);
            for (Index j = i + 1; j < kNetworks; ++j) {
                CHECK(whole(i, j) == whole(j, i));
                CHECK(std::abs(whole(i, j) - between(read(i), read(j), options)) < 1e-11);
            }
        }
    }
}

TEST_CASE("shards merge to the whole, for any number of threads", "[fixedpoints][similarity]") {
    const auto read = [](Index i) { return correlated(60, 5, static_cast<std::uint64_t>(i)); };
    BlockOptions blocks;
    blocks.networks = 3;
    const SimilarityOptions options = with(Metric::svcca, 0.9);
    const PairwiseDistances whole = pairwise_distances(13, read, options, {}, {}, blocks);
    Execution two;
    two.threads = 2;
    CHECK(pairwise_distances(13, read, options, {}, two, blocks).distance == whole.distance);
    const Index count = GENERATE(1, 2, 4, 20);
    std::vector<PairwiseDistances> shards;
    for (Index s = count; s >= 1; --s)
        shards.push_back(pairwise_distances(13, read, options, {s, count}, two, blocks));
    const PairwiseDistances merged = merge_distances(shards);
    CHECK(merged.distance == whole.distance);
    CHECK(merged.dimensions == whole.dimensions);
    CHECK(whole.dimensions.at(12) == represent(read(12), options).dimensions);
}

TEST_CASE("shards that do not belong together are refused", "[fixedpoints][similarity]") {
    const auto read = [](Index i) { return correlated(60, 5, static_cast<std::uint64_t>(i)); };
    BlockOptions blocks;
    blocks.networks = 2;
    const auto shard = [&](Index index, Index networks = 7, double threshold = 0.9,
                           Index count = 3) {
        return pairwise_distances(networks, read, with(Metric::svcca, threshold), {index, count},
                                  {}, blocks);
    };
    CHECK_THROWS_WITH(merge_distances({shard(1), shard(3)}), "merge: shard 2 of 3 missing");
    CHECK_THROWS_WITH(merge_distances({shard(1), shard(2), shard(2), shard(3)}),
                      "merge: shard 2 of 3 given twice");
    CHECK_THROWS_WITH(merge_distances({shard(1), shard(2, 7, 0.8), shard(3)}),
                      "merge: shard 2 was run with other options: svcca --threshold 0.8 against "
                      "svcca --threshold 0.9");
    CHECK_THROWS_WITH(merge_distances({shard(1), shard(2, 8), shard(3)}),
                      Contains("compares 8 networks"));
    CHECK_THROWS_WITH(merge_distances({shard(1), shard(2, 7, 0.9, 4), shard(3)}),
                      Contains("one of 4"));
    CHECK_THROWS_AS(merge_distances({}), Error);
    CHECK_THROWS_WITH(shard(4), Contains("shard 4/3"));
    CHECK_THROWS_AS(shard(0), Error);
    // Same options, other blocks: pairs are missing or double.
    BlockOptions larger;
    larger.networks = 3;
    CHECK_THROWS_WITH(
        merge_distances({shard(1),
                         pairwise_distances(7, read, with(Metric::svcca, 0.9), {2, 3}, {}, larger),
                         shard(3)}),
        Contains("pair ("));
}

TEST_CASE("errors of a network among many name it", "[fixedpoints][similarity]") {
    const auto one_dead = [](Index i) {
        return i == 2 ? RowMatrix::Zero(50, 4).eval() : noise(50, 4, static_cast<std::uint64_t>(i));
    };
    CHECK_THROWS_WITH(pairwise_distances(4, one_dead, {}, {}, {}),
                      "network 2: the activations are constant");
    const auto one_short = [](Index i) {
        return noise(i == 3 ? 49 : 50, 4, static_cast<std::uint64_t>(i));
    };
    CHECK_THROWS_WITH(pairwise_distances(5, one_short, {}, {}, {}),
                      Contains("network 3 has 49 samples, others 50"));
}

TEST_CASE("distances of any function of two networks", "[fixedpoints][similarity]") {
    const std::function<double(Index, Index)> gap = [](Index i, Index j) {
        return static_cast<double>(j * j - i * i);
    };
    std::vector<PairwiseDistances> shards;
    for (Index s = 1; s <= 5; ++s)
        shards.push_back(pairwise_distances(20, gap, "gap", {s, 5}, {}, 4));
    CHECK(std::isnan(shards[0].distance(18, 19)));
    const Matrix merged = merge_distances(shards).distance;
    for (Index i = 0; i < 20; ++i)
        for (Index j = i; j < 20; ++j) {
            CHECK(merged(i, j) == gap(i, j));
            CHECK(merged(j, i) == gap(i, j));
        }
}
