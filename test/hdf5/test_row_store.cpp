// Rows of datasets in memory and on disk, against the arrays that were written.
#include <assay/core/error.hpp>
#include <assay/hdf5/row_store.hpp>
#include <assay/hdf5/stream.hpp>

#include <catch2/catch.hpp>
#include <hdf5/scratch.hpp>

#include <filesystem>
#include <limits>

using namespace assay;
using hdf5_test::Folder;
namespace fs = std::filesystem;

namespace {

// A number of row r, place i; distinct, and whole within T.
template <class T>
T number(Index r, Index i) {
    return static_cast<T>((r * 31 + i * 7) % 251);
}

template <class T>
void check_rows(const Folder& folder, const std::string& name, Index rows, Index columns,
                const hdf5::Shape& chunk) {
    const std::string file = folder.file(name);
    {
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::always, {});
        std::vector<T> values;
        for (Index r = 0; r < rows; ++r)
            for (Index i = 0; i < columns; ++i) values.push_back(number<T>(r, i));
        hdf5::Group root = output.root();
        auto dataset = root.create<T>("x", {rows, columns}, {"", "", "numbers"}, chunk);
        dataset.write_box({0, 0}, {rows, columns}, values.data());
        output.commit();
    }
    const auto input = hdf5::File::open(file, file);
    const hdf5::Dataset dataset = input.root().dataset("x");
    // As they are stored.
    CHECK(hdf5::RowStore::bytes(dataset) == static_cast<double>(rows * columns) * sizeof(T));
    for (const auto place : {hdf5::RowPlace::memory, hdf5::RowPlace::disk}) {
        const hdf5::RowStore store(dataset, place, folder.path.string());
        REQUIRE(store.rows() == rows);
        REQUIRE(store.row_size() == columns);
        std::vector<double> row(static_cast<std::size_t>(columns));
        std::vector<std::int64_t> whole(row.size());
        for (Index step = 0; step < rows; ++step) {
            const Index r = step * 17 % rows; // in no order
            store.announce(r, 1);
            store.read(r, 1, row.data());
            store.read(r, 1, whole.data());
            for (Index i = 0; i < columns; ++i) {
                REQUIRE(row[static_cast<std::size_t>(i)] == static_cast<double>(number<T>(r, i)));
                REQUIRE(whole[static_cast<std::size_t>(i)] ==
                        static_cast<std::int64_t>(number<T>(r, i)));
            }
        }
    }
    // Consecutive rows at once: all but the first.
    for (const auto place : {hdf5::RowPlace::memory, hdf5::RowPlace::disk}) {
        const hdf5::RowStore store(dataset, place, folder.path.string());
        std::vector<double> values(static_cast<std::size_t>((rows - 1) * columns));
        store.announce(1, rows - 1);
        store.read(1, rows - 1, values.data());
        std::size_t wrong = 0;
        for (Index r = 1; r < rows; ++r)
            for (Index i = 0; i < columns; ++i)
                wrong += values[static_cast<std::size_t>((r - 1) * columns + i)] !=
                                 static_cast<double>(number<T>(r, i))
                             ? 1
                             : 0;
        CHECK(wrong == 0);
    }
    // Nothing is left under a name.
    CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
    fs::remove(file);
}

} // namespace

TEST_CASE("rows of a dataset in every type, in memory and unpacked", "[hdf5][rows]") {
    const Folder folder;
    check_rows<float>(folder, "float.h5", 300, 40, {7, 11});
    check_rows<double>(folder, "double.h5", 300, 40, {64, 40});
    check_rows<std::uint8_t>(folder, "byte.h5", 300, 40, {300, 3});
    check_rows<std::uint16_t>(folder, "short.h5", 300, 40, {1, 40});
    check_rows<std::int8_t>(folder, "signed_byte.h5", 300, 40, {9, 40});
    check_rows<std::int16_t>(folder, "signed_short.h5", 300, 40, {});
    check_rows<std::int32_t>(folder, "int.h5", 300, 40, {10, 10});
    check_rows<std::int64_t>(folder, "long.h5", 300, 40, {});
    check_rows<std::uint64_t>(folder, "unsigned.h5", 300, 40, {});
    check_rows<float>(folder, "one.h5", 1, 1, {});
}

TEST_CASE("what is larger than a block is unpacked block by block", "[hdf5][rows]") {
    const Folder folder;
    check_rows<double>(folder, "large.h5", 900, 3000, {50, 1000}); // 21 MB, blocks of 8
}

TEST_CASE("integers beyond 63 bits are refused by row", "[hdf5][rows]") {
    const Folder folder;
    const std::string file = folder.file("labels.h5");
    {
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::automatic, {});
        std::vector<std::uint64_t> labels(300, 7);
        labels[5] = (std::uint64_t{1} << 63U) - 1;
        labels[211] = ~std::uint64_t{0};
        output.root().write("x", labels);
        output.commit();
    }
    const auto input = hdf5::File::open(file, file);
    for (const auto place : {hdf5::RowPlace::memory, hdf5::RowPlace::disk}) {
        const hdf5::RowStore store(input.root().dataset("x"), place, folder.path.string());
        std::vector<std::int64_t> labels(300);
        store.read(0, 211, labels.data());
        CHECK(labels[5] == std::numeric_limits<std::int64_t>::max());
        CHECK(labels[210] == 7);
        CHECK_THROWS_WITH(store.read(0, 300, labels.data()),
                          Catch::Contains("labels.h5:/x: row 211 holds 18446744073709551615"));
        std::vector<double> numbers(300);
        store.read(0, 300, numbers.data());
        CHECK(numbers[211] == 0x1p64);
    }
}

TEST_CASE("a folder without room is told before anything is unpacked", "[hdf5][rows]") {
    const Folder folder;
    const std::string file = folder.file("x.h5");
    {
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::automatic, {});
        output.root().write("x", Matrix(Matrix::Ones(100, 64)));
        output.commit();
    }
    const auto input = hdf5::File::open(file, file);
    // Linux: a file system that says it has no room at all.
    CHECK_THROWS_WITH(hdf5::RowStore(input.root().dataset("x"), hdf5::RowPlace::disk, "/proc"),
                      Catch::Contains("x.h5:/x: unpacked it takes 50 KiB; /proc has 0 B free") &&
                          Catch::Contains("TMPDIR"));
}
