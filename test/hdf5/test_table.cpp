// Tables: what is written comes back, lies in the sealed form, and lies about sizes are refused.
#include <assay/core/error.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/hdf5/table.hpp>

#include <catch2/catch.hpp>

#include <filesystem>
#include <limits>
#include <unistd.h>

using namespace assay;
using hdf5::Table;

namespace {

// A file under a name of its own, removed at the end.
struct ScratchTable {
    std::string name = (std::filesystem::temp_directory_path() /
                        ("assay-table-" + std::to_string(getpid()) + ".h5"))
                           .string();
    ~ScratchTable() { std::filesystem::remove(name); }
    void write(const Table& table) const {
        hdf5::OutputFile out(name, hdf5::Existing::replace, hdf5::Compression::automatic, {});
        hdf5::write_table(out.root(), "table", table, {"row", "", "a table"});
        out.commit();
    }
    [[nodiscard]] Table read() const {
        return hdf5::read_table(hdf5::File::open(name, "t.h5").root().dataset("table"));
    }
};

Table sample(std::size_t rows) {
    std::vector<std::string> names;
    std::vector<std::int32_t> small;
    std::vector<std::int64_t> large;
    std::vector<double> numbers;
    for (std::size_t i = 0; i < rows; ++i) {
        names.push_back(i == 1 ? "" : std::string(i % 7, 'x') + "\u03c4");
        small.push_back(-static_cast<std::int32_t>(i));
        large.push_back((std::int64_t{1} << 40U) + static_cast<std::int64_t>(i));
        numbers.push_back(i == 0 ? std::numeric_limits<double>::infinity() : 0.1 * double(i));
    }
    Table table;
    table.add("name", names);
    table.add("small", small);
    table.add("large", large);
    table.add("number", numbers);
    return table;
}

} // namespace

TEST_CASE("a table comes back as it was written", "[hdf5]") {
    const std::size_t rows = GENERATE(0, 1, 3, 5000); // empty, compact, chunked
    const ScratchTable file;
    const Table written = sample(rows);
    file.write(written);
    const Table read = file.read();
    REQUIRE(read.columns.size() == written.columns.size());
    CHECK(read.rows() == static_cast<Index>(rows));
    for (std::size_t c = 0; c < read.columns.size(); ++c) {
        CHECK(read.columns[c].name == written.columns[c].name);
        CHECK(read.columns[c].values == written.columns[c].values);
    }
    const auto dataset = hdf5::File::open(file.name, "t.h5").root().dataset("table");
    CHECK(dataset.axes() == "row");
    CHECK(read.column<std::int32_t>("small").size() == rows);
    CHECK_THROWS_WITH(read.column<double>("small"), Catch::Matchers::Contains("another kind"));
    CHECK_THROWS_WITH(read.column<double>("smal"), Catch::Matchers::Contains("no column 'smal'"));
}

TEST_CASE("equal tables give equal bytes", "[hdf5]") {
    const ScratchTable file;
    std::string bytes[2];
    for (auto& one : bytes) {
        file.write(sample(100));
        hdf5::InputFile in(hdf5::Address::parse(file.name), {});
        one = in.digest();
    }
    CHECK(bytes[0] == bytes[1]);
}

TEST_CASE("tables that are none are refused", "[hdf5]") {
    const ScratchTable file;
    CHECK_THROWS_WITH(file.write({}), Catch::Matchers::Contains("without columns"));
    Table uneven = sample(3);
    uneven.add("short", std::vector<double>{1});
    CHECK_THROWS_WITH(file.write(uneven),
                      Catch::Matchers::Contains("column 'short' has 1 rows, the first has 3"));
    Table twice = sample(3);
    twice.add("name", std::vector<double>{1, 2, 3});
    CHECK_THROWS_WITH(file.write(twice), Catch::Matchers::Contains("'name' stands twice"));
    hdf5::OutputFile out(file.name, hdf5::Existing::replace, hdf5::Compression::none, {});
    out.root().write("plain", std::vector<double>{1, 2});
    CHECK_THROWS_WITH(hdf5::read_table(out.root().dataset("plain")),
                      Catch::Matchers::Contains("holds float64; a table is expected"));
}
