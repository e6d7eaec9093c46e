// Files that were cut, flipped, or are no files: an error that says so, or the same numbers.
#include <assay/core/error.hpp>
#include <assay/formats/recording_file.hpp>

#include <catch2/catch.hpp>
#include <formats/reading.hpp>
#include <formats/scratch.hpp>

#include <sys/stat.h>
#include <unistd.h>

using namespace assay;
using formats_test::bytes_of;
using formats_test::Folder;

namespace {

formats::RecordingOptions named(const std::string& dataset) {
    formats::RecordingOptions options;
    options.dataset = dataset;
    return options;
}

bool equal(const Matrix& a, const Matrix& b) {
    return a.rows() == b.rows() && a.cols() == b.cols() && a == b;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a MATLAB level 5 file cut anywhere inside an array is refused", "[formats]") {
    const Folder folder;
    for (const std::string name : {"v5.mat", "v5_compressed.mat"}) {
        const std::string whole = bytes_of(kFixtures + name);
        std::size_t silent = 0;
        for (std::size_t size = 20; size < whole.size(); ++size) {
            INFO(name << " cut at " << size);
            const std::string path = folder.write(name, whole.substr(0, size));
            const std::string message = refusal(path, named("X"));
            if (message.empty() || !contains(message, "is cut short"))
                ++silent;
            else
                CHECK(contains(message, std::to_string(size) + " bytes"));
        }
        // Right before one of the nine arrays, which looks like a shorter file.
        CHECK(silent == 9);
        CHECK(contains(refusal(folder.write(name, whole.substr(0, 128))), "holds no arrays"));
    }
}

TEST_CASE("a big-endian MATLAB level 5 file is walked in its own order", "[formats]") {
    const Folder folder;
    std::string header(128, ' ');
    header.replace(0, 10, "MATLAB 5.0");
    header.replace(124, 4, std::string("\x01\x00MI", 4));
    // A matrix of 2^24 bytes, of which none is there; in the other order it would be 2^0.
    const std::string tag("\x00\x00\x00\x0e\x01\x00\x00\x00", 8);
    const std::string message = refusal(folder.write("big.mat", header + tag), named("X"));
    CHECK(contains(message, "is cut short: it holds 136 bytes; at least 16777352"));
}

TEST_CASE("every flipped bit of an npz is an error or changes no number", "[formats]") {
    const Folder folder;
    for (const std::string name : {"stored.npz", "deflated.npz", "scipy_sparse.npz"}) {
        const std::string whole = bytes_of(kFixtures + name);
        const auto intact = open_and_read(kFixtures + name, {});
        const Matrix expected = intact.recording->read(0, intact.recording->bins());
        int refused = 0;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            INFO(name << " byte " << i);
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
            const std::string path = folder.write(name, flipped);
            if (!refusal(path).empty()) {
                ++refused;
                continue;
            }
            const auto opened = open_and_read(path, {});
            CHECK(equal(opened.recording->read(0, opened.recording->bins()), expected));
            CHECK(opened.recording->bin_seconds == intact.recording->bin_seconds);
        }
        CHECK(refused > static_cast<int>(whole.size()) / 2);
    }
}

TEST_CASE("a flipped number in an npz is an error that names its member", "[formats]") {
    const Folder folder;
    std::string bytes = bytes_of(kFixtures + "stored.npz");
    const std::size_t number = bytes.find("'shape': (5, 12)") + 200;
    bytes[number] = static_cast<char>(bytes[number] ^ 4);
    const std::string message = refusal(folder.write("flipped.npz", bytes));
    CHECK(contains(message, "flipped.npz:/X: is damaged"));
}

TEST_CASE("text and numpy files through a pipe are refused without waiting for it", "[formats]") {
    const Folder folder;
    for (const std::string name : {"spikes.csv", "x.npy", "x.npz"}) {
        REQUIRE(mkfifo(folder.file(name).c_str(), 0600) == 0);
        CHECK(contains(refusal(folder.file(name)), "is a pipe; a regular file is expected"));
    }
}

TEST_CASE("text in a pipe without a telling name is refused with the kinds that need a file",
          "[formats]") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const std::string text = "unit,time\n1,0.5\n";
    REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(ends[1]);
    const std::string message = refusal("/dev/fd/" + std::to_string(ends[0]));
    close(ends[0]);
    CHECK(contains(message, "MATLAB level 5 are expected as regular files"));
}
