#include <assay/core/seed.hpp>

#include <catch2/catch.hpp>

using namespace assay;

TEST_CASE("seeds are all numbers of 64 bits", "[core]") {
    CHECK(parse_seed("0") == 0U);
    CHECK(parse_seed("+7") == 7U);
    CHECK(parse_seed("9223372036854775808") == std::uint64_t{1} << 63);
    CHECK(parse_seed("18446744073709551615") == ~std::uint64_t{0});
    for (const char* text :
         {"", "+", "-1", "18446744073709551616", "1.0", "1e3", " 1", "1 ", "0x1"})
        CHECK_FALSE(parse_seed(text).has_value());
}
