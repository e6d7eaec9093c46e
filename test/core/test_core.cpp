#include <assay/core/allowed_threads.hpp>
#include <assay/core/control_groups.hpp>
#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <unistd.h>

using namespace assay;

TEST_CASE("the raw stream is numpy's Philox, one counter later", "[core]") {
    // numpy.random.Philox(key=[3, fnv1a("test/stream")], counter=[4, 7, 8, 9]).random_raw(4)
    const auto words = Random(3, "test/stream").bits(5, {7, 8, 9});
    CHECK(words[0] == 0x142f7d7ef92cdadbULL);
    CHECK(words[1] == 0xe7d4cefdc4940957ULL);
    CHECK(words[2] == 0x12a6706206fecd50ULL);
    CHECK(words[3] == 0x4952ac836510d394ULL);
}

TEST_CASE("draws have the moments of their distributions", "[core]") {
    const Random random(1, "test/moments");
    constexpr int kDraws = 200000;
    const auto moments = [&](auto draw) {
        double sum = 0, squares = 0;
        for (std::uint64_t i = 0; i < kDraws; ++i) {
            const double x = draw(i);
            sum += x;
            squares += x * x;
        }
        const double mean = sum / kDraws;
        return std::make_pair(mean, squares / kDraws - mean * mean);
    };
    // Five standard errors of each mean, and generous ones of the variance.
    const auto [um, uv] = moments([&](std::uint64_t i) { return random.uniform(i); });
    CHECK(um == Approx(0.5).margin(5 * 0.2887 / std::sqrt(kDraws)));
    CHECK(uv == Approx(1.0 / 12).epsilon(0.02));
    const auto [nm, nv] = moments([&](std::uint64_t i) { return random.normal(i, {1, 0, 0}); });
    CHECK(nm == Approx(0).margin(5 / std::sqrt(kDraws)));
    CHECK(nv == Approx(1).epsilon(0.03));
    const auto [em, ev] = moments([&](std::uint64_t i) {
        return random.exponential(i, {2, 0, 0});
    });
    CHECK(em == Approx(1).margin(5 / std::sqrt(kDraws)));
    CHECK(ev == Approx(1).epsilon(0.05));
    for (const double shape : {0.1, 1.0, 7.5}) {
        const auto [gm, gv] = moments([&](std::uint64_t i) {
            return random.gamma(shape, i, {3, 0, 0});
        });
        CHECK(gm == Approx(shape).margin(5 * std::sqrt(shape / kDraws)));
        CHECK(gv == Approx(shape).epsilon(0.1));
    }
    for (const double rate : {0.3, 12.0, 1300.0}) {
        const auto [pm, pv] = moments([&](std::uint64_t i) {
            return static_cast<double>(random.poisson(rate, i, {4, 0, 0}));
        });
        CHECK(pm == Approx(rate).margin(5 * std::sqrt(rate / kDraws)));
        CHECK(pv == Approx(rate).epsilon(0.05));
    }
}

TEST_CASE("permutations hold every number once, and differ by stream", "[core]") {
    const Random random(9, "test/permutation");
    const auto one = random.permutation(1000, {1, 0, 0}),
               other = random.permutation(1000, {2, 0, 0});
    CHECK(std::set<std::int64_t>(one.begin(), one.end()).size() == 1000);
    CHECK(one != other);
    CHECK(random.permutation(0).empty());
}

TEST_CASE("parallel loops visit every block and rethrow the first failure", "[core]") {
    const int threads = GENERATE(1, 2, 5);
    std::vector<int> visits(1000, 0);
    parallel_blocks(1000, threads, [&](Eigen::Index i) { ++visits[static_cast<std::size_t>(i)]; });
    CHECK(std::all_of(visits.begin(), visits.end(), [](int v) { return v == 1; }));
    CHECK_THROWS_WITH(parallel_blocks(100, threads,
                                      [](Eigen::Index i) {
                                          if (i % 10 == 7) throw Error(std::to_string(i));
                                      }),
                      "7");
    CHECK(tree_sum(std::vector<double>{1, 2, 3, 4, 5}) == 15);
    CHECK(tree_sum(std::vector<double>{}) == 0);
}

TEST_CASE("what is large is shared out among the threads allowed", "[core]") {
    CHECK(allowed_threads() == 1);
    const int threads = GENERATE(1, 2, 3, 40);
    const Eigen::Index size = GENERATE(1, 2, 7, 1000);
    const AllowedThreads allowed(threads);
    CHECK(allowed_threads() == threads);
    std::vector<int> visits(static_cast<std::size_t>(size), 0);
    std::atomic<int> shares{0}, most{0};
    const auto visit = [&](Eigen::Index first, Eigen::Index count) {
        ++shares;
        if (allowed_threads() > 1) ++most;
        for (Eigen::Index i = first; i < first + count; ++i) ++visits[static_cast<std::size_t>(i)];
    };
    share_out(size, kSharedWork, visit);
    CHECK(visits == std::vector<int>(visits.size(), 1));
    CHECK(shares == (threads == 1 ? 1 : std::min<Eigen::Index>(4 * threads, size)));
    CHECK((most == 0 || size == 1)); // nothing is shared out twice
    shares = 0;
    share_out(size, kSharedWork - 1, visit); // not worth it
    CHECK(shares == 1);
    most = 0;
    parallel_blocks(100, 3, [&](Eigen::Index) {
        if (allowed_threads() > 1) ++most;
    });
    CHECK(most == 0);
    CHECK(allowed_threads() == threads);
    if (threads == 1 || size < 1000) return;
    CHECK_THROWS_WITH(share_out(size, kSharedWork,
                                [](Eigen::Index first, Eigen::Index) {
                                    throw Error(concat("share from ", first));
                                }),
                      "share from 0");
    CHECK(allowed_threads() == threads);
}

TEST_CASE("numbers, sizes and names as people write them", "[core]") {
    CHECK(parse_bytes("512M") == 512LL << 20);
    CHECK(parse_bytes("2GiB") == 2LL << 30);
    CHECK(parse_bytes("1.5k") == 1536);
    CHECK(parse_bytes("4096") == 4096);
    for (const char* bad : {"", "M", "12Q", "1e30T", "-5", "1 G"}) CHECK_FALSE(parse_bytes(bad));
    CHECK(parse_integer("+7") == 7);
    CHECK_FALSE(parse_integer("3.5"));
    CHECK_FALSE(parse_double("1,5"));
    CHECK(significant(0.0312345, 3) == "0.0312");
    CHECK(shortest(0.1) == "0.1");
    CHECK(nearest_name("--rnak", {"--rank", "--seed"}) == "--rank");
    CHECK_FALSE(nearest_name("zebra", {"--rank", "--seed"}));
    CHECK(printable("a\nb\x1b[2J") == "a?b?[2J");
    CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
}

TEST_CASE("errors keep their kind when a place is put before them", "[core]") {
    CHECK_THROWS_AS(at_place("f.h5", [] { throw UsageError("x"); }), UsageError);
    CHECK_THROWS_AS(at_place("f.h5", [] { throw Interrupted("x"); }), Interrupted);
    CHECK_THROWS_WITH(at_place("f.h5", [] { throw Error("no data"); }), "f.h5: no data");
}

TEST_CASE("the digest is XXH3-128 of the content", "[core]") {
    // xxhsum -H2 of the empty input and of "abc".
    CHECK(digest_of("") == "99aa06d3014798d86001c324468d497f");
    CHECK(digest_of("abc") == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("control groups of either version limit the memory", "[core]") {
    namespace fs = std::filesystem;
    const fs::path top = fs::temp_directory_path() / ("assay-groups-" + std::to_string(getpid()));
    const auto write = [&](const std::string& file, const std::string& text) {
        fs::create_directories((top / file).parent_path());
        std::ofstream(top / file) << text;
    };
    const auto limit = [&](const std::string& groups) {
        write("self", groups);
        return group_memory(top.string(), (top / "self").string());
    };
    write("memory.max", "max\n");
    write("job/memory.max", "3000\n");
    write("job/step/memory.max", "max\n");
    write("job/step/task/memory.max", "5000\n");
    write("memory/memory.limit_in_bytes", "7000\n");
    write("memory/job/memory.limit_in_bytes", "2000\n");
    CHECK(limit("0::/job/step/task\n") == 3000);
    write("job:a:b/memory.max", "1000\n");
    CHECK(limit("0::/job:a:b\n") == 1000);
    CHECK(std::isinf(limit("0::/\n")));
    CHECK(limit("4:cpu:/job\n3:freezer,memory:/job/step\n") == 2000);
    CHECK(limit("3:memory:/elsewhere\n") == 7000);
    CHECK(limit("4:memory:/other\n0::/job\n") == 3000);
    CHECK(std::isinf(limit("4:cpu:/job\n")));
    CHECK(std::isinf(group_memory(top.string(), (top / "none").string())));
    fs::remove_all(top);
}

TEST_CASE("more memory than the machine has is refused before it is asked for", "[core]") {
    CHECK(physical_memory() > 1e8);
    CHECK_NOTHROW(check_memory(0.5 * physical_memory(), "half"));
    CHECK_THROWS_WITH(check_memory(1024.0 * std::pow(1024.0, 5), "--hidden: weights"),
                      Catch::Matchers::StartsWith("--hidden: weights: 1024 PiB; the machine has "));
    CHECK_THROWS_AS(check_memory(std::nan(""), "unknown"), Error);
}
