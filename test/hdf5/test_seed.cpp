#include <assay/hdf5/seed.hpp>
#include <assay/hdf5/stream.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <unistd.h>

using namespace assay;

TEST_CASE("seeds of all 64 bits as attributes", "[hdf5]") {
    const auto file =
        std::filesystem::temp_directory_path() / ("assay-seed-" + std::to_string(getpid()) + ".h5");
    // Never committed: nothing is left.
    hdf5::OutputFile output(file.string(), hdf5::Existing::refuse, hdf5::Compression::none, {});
    constexpr std::uint64_t kOne = 1;
    for (const std::uint64_t seed :
         {kOne * 0, kOne << 53, (kOne << 53) + 1, kOne << 63, ~(kOne * 0)}) {
        hdf5::Group group = output.root().create_group("seed" + std::to_string(seed));
        CHECK_FALSE(hdf5::read_seed(group).has_value());
        hdf5::write_seed(group, seed);
        CHECK(hdf5::read_seed(group) == seed);
    }
    hdf5::Group wrong = output.root().create_group("wrong");
    wrong.set_attribute("seed", -1);
    CHECK_FALSE(hdf5::read_seed(wrong).has_value());
    wrong.set_attribute("seed", "9007199254740993");
    CHECK(hdf5::read_seed(wrong) == 9007199254740993U);
    wrong.set_attribute("seed", "1e3");
    CHECK_FALSE(hdf5::read_seed(wrong).has_value());
}
