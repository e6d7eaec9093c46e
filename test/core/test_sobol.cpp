#include <assay/core/error.hpp>
#include <assay/core/sobol.hpp>

#include <catch2/catch.hpp>

#include <set>

using namespace assay;

TEST_CASE("Sobol points are scipy's", "[core]") {
    // x = scipy.stats.qmc.Sobol(40, scramble=False).random(1001)[n], scipy 1.10.1. The Gray code of
    // 682 has ones in its ten lowest bits, so that every direction number up to there counts.
    const std::vector<std::pair<std::uint32_t, std::vector<double>>> scipy{
        {5, {0.875, 0.875, 0.125, 0.375, 0.875, 0.625, 0.875, 0.375, 0.375, 0.125,
             0.375, 0.875, 0.875, 0.125, 0.875, 0.375, 0.875, 0.375, 0.375, 0.625,
             0.625, 0.625, 0.875, 0.375, 0.375, 0.375, 0.875, 0.125, 0.625, 0.625,
             0.875, 0.625, 0.375, 0.375, 0.125, 0.125, 0.125, 0.375, 0.875, 0.375}},
        {682, {0.9990234375, 0.2548828125, 0.7314453125, 0.4404296875, 0.8994140625, 0.2568359375,
               0.7353515625, 0.2958984375, 0.7177734375, 0.6533203125, 0.3251953125, 0.2685546875,
               0.2333984375, 0.9638671875, 0.6611328125, 0.7353515625, 0.4482421875, 0.4013671875,
               0.2314453125, 0.4189453125, 0.5439453125, 0.0283203125, 0.5693359375, 0.4873046875,
               0.0224609375, 0.1318359375, 0.0576171875, 0.9658203125, 0.7060546875, 0.3505859375,
               0.4150390625, 0.7138671875, 0.1806640625, 0.8564453125, 0.3037109375, 0.2099609375,
               0.0654296875, 0.6220703125, 0.6298828125, 0.2861328125}},
        {1000, {0.2197265625, 0.0966796875, 0.5185546875, 0.6767578125, 0.2802734375, 0.9072265625,
                0.0458984375, 0.8994140625, 0.5009765625, 0.0693359375, 0.0849609375, 0.2548828125,
                0.1611328125, 0.3837890625, 0.1435546875, 0.3701171875, 0.7197265625, 0.3447265625,
                0.9912109375, 0.7255859375, 0.5224609375, 0.5498046875, 0.9501953125, 0.5400390625,
                0.5830078125, 0.9072265625, 0.0400390625, 0.9794921875, 0.0595703125, 0.3408203125,
                0.1474609375, 0.1455078125, 0.2958984375, 0.5927734375, 0.8017578125, 0.7705078125,
                0.8486328125, 0.8310546875, 0.3076171875, 0.4794921875}},
    };
    for (const auto& [n, expected] : scipy) {
        CHECK(sobol_point(40, n) == expected);
        CHECK(sobol_point(7, n) == std::vector<double>(expected.begin(), expected.begin() + 7));
    }
    CHECK(sobol_point(3, 0) == std::vector<double>{0, 0, 0});
}

TEST_CASE("each coordinate of 2^k Sobol points is a permutation of the multiples of 2^-k",
          "[core]") {
    std::vector<std::set<double>> seen(40);
    for (std::uint32_t n = 0; n < 256; ++n) {
        const auto point = sobol_point(40, n);
        for (std::size_t d = 0; d < 40; ++d) seen[d].insert(point[d] * 256);
    }
    for (const auto& values : seen) {
        CHECK(values.size() == 256);
        CHECK(*values.rbegin() == 255);
    }
    CHECK_THROWS_AS(sobol_point(41, 1), Error);
    CHECK_THROWS_AS(sobol_point(0, 1), Error);
}
