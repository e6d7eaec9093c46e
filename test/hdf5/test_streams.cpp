// Files that come as streams, disks that fill up, and inputs that are not what they seem.
#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>
#include <assay/core/random.hpp>
#include <assay/hdf5/library_errors.hpp>
#include <assay/hdf5/stream.hpp>

#include <catch2/catch.hpp>
#include <hdf5/scratch.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace assay;
using namespace hdf5_test;
namespace fs = std::filesystem;

namespace {

// As the tools do: some cases leave files that a full disk could not take.
const bool leaves_files = [] {
    hdf5::leave_files_at_exit();
    return true;
}();

// While one lives no file can grow beyond so many bytes: a full disk.
class FullDisk {
  public:
    explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

  private:
    rlimit before_{};
    void (*handler_)(int);
};

// Numbers that differ everywhere, more than a pipe holds at once.
std::vector<double> sample_numbers() {
    std::vector<double> numbers(300000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) + 0.5;
    return numbers;
}

void write_numbers(const std::string& file) {
    hdf5::OutputFile output(file, hdf5::Existing::refuse, hdf5::Compression::none, {});
    output.root().write("x", sample_numbers());
    output.commit();
}

// Gives `content` in pieces of odd sizes.
hdf5::InputFile::Receive in_pieces(const std::string& content, std::size_t& at) {
    return [&content, &at](char* bytes, std::size_t most) {
        const std::size_t piece = 1 + Random(3, "pieces").below(70000, at);
        const std::size_t given = std::min({most, piece, content.size() - at});
        std::memcpy(bytes, content.data() + at, given);
        at += given;
        return given;
    };
}

hdf5::StreamSettings settings_in(const Folder& folder, std::int64_t memory_bytes) {
    return {folder.folder("memory"), folder.folder("disk"), memory_bytes};
}

bool nothing_is_left(const Folder& folder) {
    return fs::is_empty(folder.path / "memory") && fs::is_empty(folder.path / "disk");
}

} // namespace

TEST_CASE("a stream that comes in pieces is read whole, kept in memory or on disk", "[hdf5]") {
    const Folder folder;
    write_numbers(folder.file("x.h5"));
    const std::string content = bytes_of(folder.file("x.h5"));
    for (const std::int64_t memory :
         {std::int64_t{1} << 30, std::int64_t{100000}, std::int64_t{0}}) {
        std::size_t at = 0;
        const hdf5::StreamSettings settings = settings_in(folder, memory);
        const hdf5::InputFile input(in_pieces(content, at), "stdin", settings);
        CHECK(at == content.size());
        CHECK(nothing_is_left(folder)); // it has no name any more
        CHECK(input.root().dataset("x").read<double>() == sample_numbers());
        CHECK(input.digest() == hdf5::InputFile({folder.file("x.h5"), ""}, settings).digest());
    }
}

TEST_CASE("where a stream cannot be kept it is an error, and nothing is left", "[hdf5]") {
    const Folder folder;
    write_numbers(folder.file("x.h5"));
    const std::string content = bytes_of(folder.file("x.h5"));
    const auto receive = [&](const hdf5::StreamSettings& settings) {
        std::size_t at = 0;
        const hdf5::InputFile input(in_pieces(content, at), "stdin", settings);
    };
    const auto small = settings_in(folder, 100000), large = settings_in(folder, 1 << 30);
    hdf5::StreamSettings nowhere = small;
    nowhere.spill_directory = folder.file("none");
    CHECK_THROWS_WITH(receive(nowhere), Catch::Contains("no temporary file can be made there"));
    {
        const FullDisk full(500000);
        CHECK_THROWS_WITH(receive(large), Catch::Contains("stdin: cannot be stored"));
        CHECK_THROWS_WITH(receive(small), Catch::Contains("stdin: cannot be stored"));
    }
    {
        const FullDisk full(50000); // not even what came so far
        CHECK_THROWS_WITH(receive(small), Catch::Contains("stdin: cannot be stored"));
        CHECK_THROWS_WITH(hdf5::InputFile(content, "x.h5 in a.zip", large),
                          Catch::Contains("x.h5 in a.zip: cannot be stored"));
    }
    CHECK(nothing_is_left(folder));
    // The source fails in the middle.
    std::size_t at = 0;
    const auto pieces = in_pieces(content, at);
    const auto breaks = [&](char* bytes, std::size_t most) {
        if (at > 400000) throw Error("stdin: cannot be read (broken)");
        return pieces(bytes, most);
    };
    CHECK_THROWS_WITH(hdf5::InputFile(breaks, "stdin", small),
                      Catch::Contains("cannot be read (broken)"));
    CHECK(nothing_is_left(folder));
}

TEST_CASE("streams that are no HDF5 files are refused by what they are", "[hdf5]") {
    const Folder folder;
    write_numbers(folder.file("x.h5"));
    const std::string content = bytes_of(folder.file("x.h5"));
    const auto settings = settings_in(folder, 1 << 30);
    const auto receive = [&](const std::string& bytes) {
        std::size_t at = 0;
        const hdf5::InputFile input(in_pieces(bytes, at), "stdin", settings);
    };
    CHECK_THROWS_WITH(receive(""), Catch::Contains("stdin: empty stream"));
    CHECK_THROWS_WITH(receive("Trace"), Catch::Contains("not an HDF5 stream (starts with \"Trace"));
    CHECK_THROWS_WITH(receive("Traceback (most recent"), Catch::Contains("\"Tracebac\""));
    CHECK_THROWS_WITH(receive(content.substr(0, 5)), Catch::Contains("not an HDF5 stream"));
    for (std::size_t part = 1; part < 16; ++part)
        CHECK_THROWS_WITH(receive(content.substr(0, content.size() * part / 16)),
                          Catch::Contains("stdin"));
    // 512 bytes of MATLAB's stand before a file of its own.
    std::string matlab = "MATLAB 7.3 MAT-file";
    matlab.resize(512, ' ');
    CHECK_NOTHROW(receive(matlab + content));
    CHECK_THROWS_WITH(hdf5::InputFile(std::string("no file"), "x in a.zip", settings),
                      Catch::Contains("x in a.zip: is not an HDF5 file"));
    CHECK(nothing_is_left(folder));
}

TEST_CASE("named pipes are streams, both ways", "[hdf5]") {
    const Folder folder;
    write_numbers(folder.file("x.h5"));
    const std::string content = bytes_of(folder.file("x.h5")), pipe = folder.file("pipe");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    auto writing = std::async(std::launch::async, [&] { write_bytes(pipe, content); });
    const hdf5::InputFile input({pipe, ""}, settings_in(folder, 1 << 30));
    writing.get();
    CHECK(input.root().dataset("x").read<double>() == sample_numbers());
    auto reading = std::async(std::launch::async, [&] { return bytes_of(pipe); });
    hdf5::OutputFile output(pipe, hdf5::Existing::refuse, hdf5::Compression::none, {});
    output.root().write("x", sample_numbers());
    output.commit();
    CHECK(reading.get() == content);
    auto text = std::async(std::launch::async, [&] { return bytes_of(pipe); });
    hdf5::write_file_atomically(pipe, "words", hdf5::Existing::refuse);
    CHECK(text.get() == "words");
}

TEST_CASE("a request to stop ends a wait for a stream", "[hdf5]") {
    const Folder folder;
    const std::string pipe = folder.file("pipe");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    const hdf5::Descriptor held(open(pipe.c_str(), O_RDWR | O_CLOEXEC)); // writes nothing
    const InterruptionGuard guard;
    REQUIRE(std::raise(SIGTERM) == 0);
    CHECK_THROWS_AS(hdf5::InputFile({pipe, ""}, settings_in(folder, 1 << 30)), Interrupted);
    CHECK(nothing_is_left(folder));
    const InterruptionGuard forgets; // the request, for the tests that follow
}

TEST_CASE("inputs that are no files of numbers are refused by what they are", "[hdf5]") {
    const Folder folder;
    const auto opens = [&](const std::string& name) {
        const hdf5::InputFile input({folder.file(name), ""}, {});
    };
    fs::create_directories(folder.path / "folder");
    write_bytes(folder.file("empty"), "");
    write_bytes(folder.file("text"), "time,unit\n1,2\n");
    write_bytes(folder.file("short"), "x");
    CHECK_THROWS_WITH(opens("folder"), Catch::Contains("folder: is a directory"));
    CHECK_THROWS_WITH(opens("none"), Catch::Contains("none: cannot be opened (No such file"));
    CHECK_THROWS_WITH(opens("empty"), Catch::Contains("empty: is empty"));
    CHECK_THROWS_WITH(opens("text"), Catch::Contains("starts with \"time,uni\""));
    CHECK_THROWS_WITH(opens("short"), Catch::Contains("starts with \"x\""));
    {
        hdf5::OutputFile output(folder.file("later"), hdf5::Existing::refuse,
                                hdf5::Compression::none, {});
        output.root().set_attribute("format", "assay/9");
        output.commit();
    }
    CHECK_THROWS_WITH(opens("later"),
                      Catch::Contains("has the format assay/9; assay/1 is expected"));
}

TEST_CASE("a disk that fills up leaves no output, and what stood there before", "[hdf5]") {
    const Folder folder;
    const std::string file = folder.file("x.h5");
    const auto write = [&](const std::string& target, hdf5::Existing existing) {
        hdf5::OutputFile output(target, existing, hdf5::Compression::none, {});
        output.root().write("x", sample_numbers());
        output.commit();
    };
    for (const rlim_t bytes : {rlim_t{0}, rlim_t{100}, rlim_t{3000}, rlim_t{1000000},
                               rlim_t{sample_numbers().size() * sizeof(double)}}) {
        const FullDisk full(bytes);
        CHECK_THROWS_WITH(write(file, hdf5::Existing::refuse), Catch::Contains("x.h5"));
        CHECK(fs::is_empty(folder.path));
    }
    write_bytes(file, "before");
    write_bytes(folder.file("note"), "before");
    {
        const FullDisk full(1000000);
        CHECK_THROWS_AS(write(file, hdf5::Existing::replace), Error);
        CHECK_THROWS_WITH(hdf5::write_file_atomically(folder.file("note"),
                                                      std::string(2000000, 'x'),
                                                      hdf5::Existing::replace),
                          Catch::Contains("note: cannot be written (File too large)"));
        CHECK_THROWS_WITH(write("/dev/full", hdf5::Existing::replace),
                          Catch::Contains("/dev/full"));
    }
    CHECK_THROWS_WITH(hdf5::write_file_atomically("/dev/full", "words", hdf5::Existing::replace),
                      Catch::Contains("/dev/full: cannot be written (No space left on device)"));
    CHECK(bytes_of(file) == "before");
    CHECK(bytes_of(folder.file("note")) == "before");
    CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 2);
    write(file, hdf5::Existing::replace);
    CHECK(hdf5::File::open(file, file).root().dataset("x").read<double>() == sample_numbers());
}

TEST_CASE("a target that came to be meanwhile is not replaced unasked", "[hdf5]") {
    const Folder folder;
    const std::string file = folder.file("x.h5");
    hdf5::OutputFile output(file, hdf5::Existing::refuse, hdf5::Compression::none, {});
    output.root().write("x", sample_numbers());
    write_bytes(file, "another's");
    CHECK_THROWS_WITH(output.commit(), Catch::Contains("cannot take its name (File exists)"));
    CHECK(bytes_of(file) == "another's");
}

TEST_CASE("an output through a symbolic link goes to where it leads", "[hdf5]") {
    const Folder folder;
    fs::create_directories(folder.path / "there");
    write_bytes(folder.file("there/x.h5"), "before");
    fs::create_symlink("there/x.h5", folder.path / "link.h5");
    hdf5::OutputFile output(folder.file("link.h5"), hdf5::Existing::replace,
                            hdf5::Compression::none, {});
    output.root().write("x", sample_numbers());
    output.commit();
    CHECK(fs::is_symlink(folder.path / "link.h5"));
    CHECK(hdf5::File::open(folder.file("there/x.h5"), "x").root().dataset("x").size() == 300000);
}

TEST_CASE("the digest of a file is that of its bytes; of a large one that of a sample", "[hdf5]") {
    const Folder folder;
    const auto digest = [&](const std::string& name) {
        const hdf5::Descriptor opened(open(folder.file(name).c_str(), O_RDONLY | O_CLOEXEC));
        return digest_of_file(opened.get());
    };
    std::string bytes(3000000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 % 251);
    write_bytes(folder.file("small"), bytes);
    CHECK(digest("small") == digest_of(bytes));
    const off_t large = (off_t{1} << 30) + 5; // sparse
    const auto make = [&](const std::string& name, off_t size, off_t place) {
        const hdf5::Descriptor made(
            open(folder.file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(ftruncate(made.get(), size) == 0);
        REQUIRE(pwrite(made.get(), "x", 1, place) == 1);
    };
    make("one", large, 3);
    make("same", large, 3);
    make("other", large, 4);
    make("end", large, large - 1);
    make("longer", large + 1, 3);
    CHECK(digest("one").substr(0, 8) == "sampled-");
    CHECK(digest("one") == digest("same"));
    CHECK(digest("one") != digest("other"));
    CHECK(digest("one") != digest("end"));
    CHECK(digest("one") != digest("longer"));
}
