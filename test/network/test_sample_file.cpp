// Splits in files: what they take, and how they are read.
#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/network/network_io.hpp>
#include <assay/network/sample_file_io.hpp>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace assay;
namespace fs = std::filesystem;

namespace {

struct Folder {
    fs::path path = fs::temp_directory_path() / ("assay-samples-" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
};

// Calls that this process has made to read; none where the system does not count them.
std::optional<long> read_calls() {
    std::ifstream in("/proc/self/io");
    for (std::string name; in >> name;)
        if (long count = 0; in >> count && name == "syscr:") return count;
    return std::nullopt;
}

} // namespace

TEST_CASE("samples that exceed the machine's memory as float64 are refused by name",
          "[network][samples]") {
    const Folder folder;
    const std::string file = folder.file("wide.h5");
    constexpr Index kWidth = 1 << 20;
    {
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::automatic, {});
        hdf5::Group root = output.root();
        root.create<std::uint8_t>("inputs", {2, kWidth}, {});
        root.create<std::uint8_t>("mask", {2, 4 * kWidth}, {});
        output.commit();
    }
    const auto input = hdf5::File::open(file, file);
    const network::SampleFile samples(input.root(), 1e9, folder.path.string());
    CHECK(samples.memory() == 10.0 * kWidth);
    network::Samples got;
    const auto rows = [&](double share) { // that take a share of the memory as inputs
        return std::vector<Index>(
            static_cast<std::size_t>(share * physical_memory() / (8.0 * kWidth)), 1);
    };
    CHECK_THROWS_WITH(samples.read(rows(1.1), got),
                      Catch::Contains("wide.h5:/inputs: as float64: "));
    CHECK_THROWS_WITH(samples.read(rows(0.3), got), Catch::Contains("wide.h5:/mask: as float64: "));
    CHECK(got.inputs.size() == 0);
    samples.read({1}, got);
    CHECK(got.mask.cols() == 4 * kWidth);
}

TEST_CASE("consecutive samples on disk are read together", "[network][samples]") {
    const Folder folder;
    const std::string file = folder.file("small.h5");
    constexpr Index kCount = 5000;
    {
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::automatic, {});
        network::Samples samples;
        samples.input_shape = {3};
        samples.inputs.resize(kCount, 3);
        for (Index i = 0; i < samples.inputs.size(); ++i)
            samples.inputs.data()[i] = static_cast<double>(i);
        for (Index i = 0; i < kCount; ++i) samples.classes.push_back(i % 7);
        network::write_samples(output.root(), samples, network::Storage::float64);
        output.commit();
    }
    const auto input = hdf5::File::open(file, file);
    const network::SampleFile samples(input.root(), 0, folder.path.string());
    REQUIRE(samples.on_disk());
    CHECK(samples.memory() == 0);
    const auto before = read_calls();
    network::Samples got = network::read_all(samples);
    const auto after = read_calls();
    if (before)
        CHECK(*after - *before < 40);
    else
        WARN("the system does not count calls");
    const auto right = [&](Index place, Index row) {
        return got.inputs(place, 0) == static_cast<double>(3 * row) &&
               got.inputs(place, 2) == static_cast<double>(3 * row + 2) &&
               got.classes[static_cast<std::size_t>(place)] == row % 7;
    };
    Index wrong = 0;
    for (Index i = 0; i < kCount; ++i) wrong += right(i, i) ? 0 : 1;
    CHECK(wrong == 0);
    // Stretches in any order.
    const std::vector<Index> chosen{7, 8, 9, 9, 10, 4999, 0, 1, 5, 4, 3};
    samples.announce(chosen);
    samples.read(chosen, got);
    for (std::size_t i = 0; i < chosen.size(); ++i) CHECK(right(static_cast<Index>(i), chosen[i]));
}
