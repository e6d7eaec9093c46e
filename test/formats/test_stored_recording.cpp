// Recordings that stay in their file: the numbers of a whole read, whichever block is asked for,
// and every chunk unpacked a few times a pass at most.
#include <assay/core/error.hpp>
#include <assay/formats/recording_file.hpp>

#include <catch2/catch.hpp>
#include <formats/reading.hpp>
#include <formats/scratch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <hdf5.h>
#include <string>
#include <utility>
#include <vector>

using namespace assay;
using formats_test::Folder;
namespace fs = std::filesystem;

namespace {

// A filter that changes nothing and counts the chunks that are read.
constexpr H5Z_filter_t kCounter = 300;
std::int64_t chunks_read = 0;

std::size_t count(unsigned flags, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                  void**) {
    if ((flags & H5Z_FLAG_REVERSE) != 0) ++chunks_read;
    return bytes;
}

float value_at(hsize_t row, hsize_t column) {
    return static_cast<float>((row * 7 + column * 3) % 11);
}

struct Written {
    hsize_t rows, columns, chunk_rows, chunk_columns;
    bool matlab = false;
};

// A compressed float32 dataset X as other programs write it.
void write_dataset(const std::string& file, const Written& w) {
    const H5Z_class2_t counter{H5Z_CLASS_T_VERS, kCounter, 1,       1,
                               "counter",        nullptr,  nullptr, count};
    H5Zregister(&counter);
    const hid_t f = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[2] = {w.chunk_rows, w.chunk_columns}, shape[2] = {w.rows, w.columns};
    H5Pset_chunk(list, 2, chunk);
    H5Pset_filter(list, kCounter, 0, 0, nullptr);
    H5Pset_deflate(list, 1);
    const hid_t space = H5Screate_simple(2, shape, nullptr);
    const hid_t data = H5Dcreate2(f, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    std::vector<float> numbers;
    for (hsize_t i = 0; i < w.rows; ++i)
        for (hsize_t j = 0; j < w.columns; ++j) numbers.push_back(value_at(i, j));
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data());
    if (w.matlab) {
        const hid_t text = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
        H5Tset_size(text, 6);
        const hid_t attribute =
            H5Acreate2(data, "MATLAB_class", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, text, "single");
        H5Aclose(attribute);
        H5Sclose(scalar);
        H5Tclose(text);
    }
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(list);
    H5Fclose(f);
}

class Listener : public Monitor {
  public:
    void message(Level level, const std::string& text) override {
        if (level == Level::info) words.push_back(text);
    }
    std::vector<std::string> words;
};

formats::OpenedRecording opened(const std::string& file, const formats::RecordingOptions& options,
                                Monitor& monitor = silent_monitor()) {
    static std::deque<hdf5::InputFile> files;
    const formats::Opener opener{[](const hdf5::Address& a) -> hdf5::InputFile& {
                                     return files.emplace_back(a, hdf5::StreamSettings{});
                                 },
                                 [](const std::string&) {}};
    return formats::open_recording({file, ""}, options, opener, monitor);
}

// One pass in the blocks of the analyses; whether every number is there.
template <class Value>
bool pass(const Recording& recording, const Value& value) {
    constexpr Index kBlock = 4096;
    for (Index first = 0; first < recording.bins(); first += kBlock) {
        const Matrix block = recording.read(first, std::min(kBlock, recording.bins() - first));
        for (Index t = 0; t < block.cols(); ++t)
            for (Index n = 0; n < block.rows(); ++n)
                if (block(n, t) != value(n, first + t)) return false;
    }
    return true;
}

double by_row_of_time(Index unit, Index bin) {
    return value_at(static_cast<hsize_t>(bin), static_cast<hsize_t>(unit));
}

// .npy of version 1.
template <class T>
void write_npy(const std::string& file, const std::string& descr, bool fortran,
               const std::vector<T>& numbers, const std::string& shape) {
    std::string header = "{'descr': '" + descr +
                         "', 'fortran_order': " + (fortran ? "True" : "False") +
                         ", 'shape': " + shape + ", }";
    header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
    header += '\n';
    std::ofstream out(file, std::ios::binary);
    out << "\x93NUMPY" << '\1' << '\0' << static_cast<char>(header.size() & 255U)
        << static_cast<char>(header.size() >> 8U) << header;
    out.write(reinterpret_cast<const char*>(numbers.data()),
              static_cast<std::streamsize>(numbers.size() * sizeof(T)));
}

} // namespace

TEST_CASE("chunks that are long in time are unpacked once a pass where memory allows",
          "[formats]") {
    const Folder folder;
    const std::string file = folder.file("long.h5");
    // 100000 bins x 200 units: all chunks of one stretch of time take 19.2 MB.
    const Written w{100000, 200, 24000, 40};
    constexpr std::int64_t kChunks = 5 * 5;
    write_dataset(file, w);
    formats::RecordingOptions options;
    options.time_axis = formats::TimeAxis::first;
    const auto reads = [&](std::int64_t memory, Listener& listener) {
        options.memory = memory;
        const auto recording = opened(file, options, listener);
        CHECK_FALSE(recording.recording->in_memory());
        chunks_read = 0;
        CHECK(pass(*recording.recording, by_row_of_time));
        return chunks_read;
    };
    Listener listener;
    // Stretches are chunks.
    CHECK(reads(500000000, listener) == kChunks);
    CHECK(listener.words.empty());
    // A quarter of a chunk each: chunks are read again, but not for every block.
    const auto again = reads(115000000, listener);
    CHECK(again > kChunks);
    CHECK(again <= 5 * kChunks);
    CHECK(listener.words.empty());
}

TEST_CASE("chunks that are read again and again are told of", "[formats]") {
    const Folder folder;
    const std::string file = folder.file("tall.h5");
    write_dataset(file, {60000, 200, 60000, 1});
    formats::RecordingOptions options;
    options.time_axis = formats::TimeAxis::first;
    options.memory = 60000000;
    Listener listener;
    static_cast<void>(opened(file, options, listener));
    REQUIRE(listener.words.size() == 1);
    CHECK(listener.words.front().find("read about 14 times in every pass") != std::string::npos);
    CHECK(listener.words.front().find("h5repack -l /X:CHUNK=4096x64") != std::string::npos);
}

TEST_CASE("a MATLAB v7.3 matrix is read block by block, its second index as time", "[formats]") {
    const Folder folder;
    const std::string file = folder.file("matlab.h5");
    write_dataset(file, {9000, 30, 1000, 30, true});
    formats::RecordingOptions options;
    const auto whole = opened(file, options); // within no memory at all
    CHECK_FALSE(whole.recording->in_memory());
    CHECK(whole.recording->units() == 30);
    CHECK(pass(*whole.recording, by_row_of_time));
    options.memory = std::int64_t{1} << 30;
    const auto at_once = opened(file, options);
    CHECK(at_once.recording->in_memory());
    CHECK(pass(*at_once.recording, by_row_of_time));
    options.time_axis = formats::TimeAxis::first;
    const auto turned = opened(file, options);
    CHECK(turned.recording->units() == 9000);
    CHECK(turned.recording->read(0, 30) == whole.recording->read(0, 9000).transpose());
}

TEST_CASE("a npy matrix is read where it stands", "[formats]") {
    const Folder folder;
    const std::string file = folder.file("x.npy");
    const bool fortran = GENERATE(false, true), first = GENERATE(false, true);
    constexpr Index kRows = 5, kColumns = 7;
    std::vector<std::int16_t> numbers;
    Matrix expected(kRows, kColumns);
    for (std::int16_t i = 0; i < kRows * kColumns; ++i) {
        const auto stored = static_cast<std::uint16_t>(i * 300);
        numbers.push_back(static_cast<std::int16_t>((stored << 8U) | (stored >> 8U)));
        expected(fortran ? i % kRows : i / kColumns, fortran ? i / kRows : i % kColumns) = i * 300;
    }
    write_npy(file, ">i2", fortran, numbers, "(5, 7)");
    formats::RecordingOptions options;
    options.time_axis = first ? formats::TimeAxis::first : formats::TimeAxis::second;
    const auto recording = opened(file, options);
    CHECK_FALSE(recording.recording->in_memory());
    const Matrix turned = first ? Matrix(expected.transpose()) : expected;
    CHECK(recording.recording->read(0, turned.cols()) == turned);
    CHECK(recording.recording->read(2, 3) == turned.middleCols(2, 3));
}

TEST_CASE("a npy file may be larger than 4 GiB", "[formats]") {
    const Folder folder;
    const std::string file = folder.file("large.npy");
    constexpr std::int64_t kBins = 2200000000;
    write_npy<std::uint8_t>(file, "|u1", false, {}, "(2, 2200000000)");
    const auto start = fs::file_size(file);
    fs::resize_file(file, start + 2 * static_cast<std::uintmax_t>(kBins)); // holes
    {
        std::fstream last(file, std::ios::binary | std::ios::in | std::ios::out);
        last.seekp(-1, std::ios::end);
        last.put(9);
    }
    const auto recording = opened(file, {});
    CHECK(recording.recording->bins() == kBins);
    Matrix expected = Matrix::Zero(2, 3);
    expected(1, 2) = 9;
    CHECK(recording.recording->read(kBins - 3, 3) == expected);
    CHECK(recording.recording->read(0, 3).isZero(0));
}
