// Average linkage against the definition: at every step the two clusters with the least mean
// distance over all pairs of members.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/linkage.hpp>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace assay;
using namespace assay::linalg;

namespace {

Matrix random_distances(Index items, std::uint64_t seed) {
    const Random random(seed, "test/linkage");
    Matrix d = Matrix::Zero(items, items);
    for (Index i = 0; i < items; ++i)
        for (Index j = 0; j < i; ++j)
            d(i, j) = d(j, i) = random.uniform(static_cast<std::uint64_t>(i),
                                               {static_cast<std::uint64_t>(j), 0, 0});
    return d;
}

double mean_distance(const Matrix& d, const std::vector<Index>& a, const std::vector<Index>& b) {
    double sum = 0;
    for (const Index i : a)
        for (const Index j : b) sum += d(i, j);
    return sum / double(a.size() * b.size());
}

} // namespace

TEST_CASE("average linkage merges the nearest clusters", "[linalg]") {
    const std::uint64_t seed = GENERATE(1, 2, 3, 4);
    const Index items = 17;
    const Matrix d = random_distances(items, seed);
    const auto merges = average_linkage(d);
    REQUIRE(merges.size() == 16);
    std::vector<std::vector<Index>> clusters;
    std::vector<bool> active;
    for (Index i = 0; i < items; ++i) {
        clusters.push_back({i});
        active.push_back(true);
    }
    for (const Merge& merge : merges) {
        double least = 1e9;
        for (std::size_t a = 0; a < clusters.size(); ++a)
            for (std::size_t b = 0; b < a; ++b)
                if (active[a] && active[b])
                    least = std::min(least, mean_distance(d, clusters[a], clusters[b]));
        const auto first = static_cast<std::size_t>(merge.first),
                   second = static_cast<std::size_t>(merge.second);
        REQUIRE((first < second && active[first] && active[second]));
        CHECK(std::abs(merge.height - mean_distance(d, clusters[first], clusters[second])) < 1e-12);
        CHECK(std::abs(merge.height - least) < 1e-12);
        auto both = clusters[first];
        both.insert(both.end(), clusters[second].begin(), clusters[second].end());
        CHECK(merge.size == static_cast<Index>(both.size()));
        active[first] = active[second] = false;
        clusters.push_back(both);
        active.push_back(true);
    }
}

TEST_CASE("average linkage of equal distances, one item, and what is no distance", "[linalg]") {
    const Matrix equal = Matrix::Ones(5, 5) - Matrix::Identity(5, 5);
    const auto merges = average_linkage(equal);
    REQUIRE(merges.size() == 4);
    CHECK(merges.back().size == 5);
    CHECK(average_linkage(Matrix::Zero(1, 1)).empty());
    Matrix skew = equal;
    skew(0, 1) = 2;
    CHECK_THROWS_AS(average_linkage(skew), Error);
    CHECK_THROWS_AS(average_linkage(-equal), Error);
    CHECK_THROWS_AS(average_linkage(Matrix::Ones(2, 3)), Error);
}
