// Session times of bins, and back.
#include <assay/core/recording_facts.hpp>

#include <catch2/catch.hpp>

using namespace assay;

TEST_CASE("bins know their session time", "[core]") {
    RecordingFacts facts;
    CHECK(facts.seconds_of(7) == 7);
    facts.bin_seconds = 0.1;
    CHECK(facts.seconds_of(7) == Approx(0.7));
    CHECK(facts.bin_at(0.3, 20) == 3); // 0.3 / 0.1 is less than 3 by rounding
    CHECK(facts.bin_at(-5, 20) == 0);
    CHECK(facts.bin_at(1.99, 20) == 19);
    CHECK(facts.bin_at(2, 20) == 20);
    CHECK(facts.bin_at(1e300, 20) == 20);
    CHECK(facts.bin_at(-1e300, 20) == 0);
    // Segments of 8 and 12 bins at 5 and 40 s.
    facts.segment_start = {0, 8};
    facts.segment_seconds = {5, 40};
    CHECK(facts.seconds_of(0) == 5);
    CHECK(facts.seconds_of(7) == Approx(5.7));
    CHECK(facts.seconds_of(8) == 40);
    CHECK(facts.seconds_of(19) == Approx(41.1));
    for (Index bin = 0; bin < 20; ++bin) CHECK(facts.bin_at(facts.seconds_of(bin), 20) == bin);
    CHECK(facts.bin_at(20, 20) == 8);
    CHECK(facts.bin_at(4, 20) == 0);
    CHECK(facts.bin_at(50, 20) == 20);
}
