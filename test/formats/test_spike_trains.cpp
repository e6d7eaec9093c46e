// Counting spikes in bins: duplicates, borders, and how many bins there may be.
#include <assay/core/error.hpp>
#include <assay/formats/spike_trains.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace assay;

TEST_CASE("spikes of one bin add up, in any order of times", "[formats]") {
    const formats::SpikeTrains trains{{4, 7, 9}, {{0.95, 0.01, 0.02, 0.3}, {}, {0.3, 0.97, -1}}};
    const auto binned = formats::bin_spikes(trains, 0.1, {{0, 0.5}, {0.9, 1.0}});
    REQUIRE(binned.counts.rows() == 3);
    REQUIRE(binned.counts.cols() == 6);
    Matrix expected = Matrix::Zero(3, 6);
    expected(0, 0) = 2;
    expected(0, 3) = expected(2, 3) = expected(0, 5) = expected(2, 5) = 1;
    CHECK(Matrix(binned.counts) == expected);
    CHECK(binned.counts.nonZeros() == 5);
    CHECK(binned.segment_start == std::vector<Index>{0, 5});
    CHECK(binned.outside == 1);
}

TEST_CASE("bins are limited in number, not by the memory they would take", "[formats]") {
    const formats::SpikeTrains trains{{1}, {{0.5, 19.5}}};
    const auto message = [&](double dt, const std::vector<formats::Interval>& intervals) {
        try {
            static_cast<void>(formats::bin_spikes(trains, dt, intervals));
            return std::string();
        } catch (const Error& e) {
            return std::string(e.what());
        }
    };
    CHECK(message(1e-8, {{0, 20}}) ==
          "dt = 1e-08 s makes 2e+09 bins; at most 10^9 are expected (a larger --dt)");
    CHECK(message(1e-300, {{0, 20}}).find("dt = 1e-300 s") == 0);
    // Together, where each alone would do.
    CHECK(message(1e-8, {{0, 6}, {10, 16}}).find("makes 1.2e+09 bins") != std::string::npos);
    const auto binned = formats::bin_spikes(trains, 1e-6, {{0, 20}});
    CHECK(binned.counts.cols() == 20000000);
    CHECK(binned.counts.coeff(0, 500000) == 1);
    CHECK(binned.counts.coeff(0, 19500000) == 1);
    CHECK(binned.counts.nonZeros() == 2);
}
