// Sealed files: equal bytes, no silent damage, nothing under a name before it is whole.
#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>
#include <assay/core/random.hpp>
#include <assay/hdf5/library_errors.hpp>
#include <assay/hdf5/provenance.hpp>
#include <assay/hdf5/stream.hpp>

#include <catch2/catch.hpp>
#include <hdf5/scratch.hpp>

#include <array>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <future>
#include <sys/stat.h>
#include <unistd.h>

using namespace assay;
using namespace hdf5_test;
namespace fs = std::filesystem;

namespace {

void write_sample(const std::string& file) {
    hdf5::OutputFile output(file, hdf5::Existing::refuse, hdf5::Compression::automatic, {});
    hdf5::Group group = output.root().create_group("/cnmf/fit");
    group.write("small", std::vector<double>{1, 2, 3}, {"component", "s", "three numbers"});
    Matrix noise(30, 40), zeros = Matrix::Zero(80, 100);
    for (Index i = 0; i < noise.size(); ++i)
        noise.data()[i] = Random(1, "noise").normal(static_cast<std::uint64_t>(i));
    group.write("noise", noise, {"unit,time", "", "incompressible"});
    group.write("zeros", zeros, {"unit,time", "", "compressible"});
    group.set_attribute("algorithm", "hals");
    group.set_attribute("seed", 7);
    group.write_text("config", std::string(70000, 'x'));
    output.commit();
}

// Everything a file says, as one text.
std::string contents(const std::string& file) {
    std::string all;
    const std::function<void(const hdf5::Group&)> walk = [&](const hdf5::Group& group) {
        const auto attributes = [&](const hdf5::Object& object) {
            for (const auto& name : object.attribute_names()) {
                all += name + "=" + object.text_attribute(name).value_or("") + ";";
                for (const double v : object.numbers_attribute(name))
                    all += std::to_string(v) + ",";
            }
        };
        attributes(group);
        for (const auto& name : group.names()) {
            all += "/" + name;
            if (group.has_group(name))
                walk(group.group(name));
            else {
                const auto dataset = group.dataset(name);
                attributes(dataset);
                for (const double v : dataset.read<double>()) all += std::to_string(v) + " ";
            }
        }
    };
    walk(hdf5::File::open(file, file).root());
    return all;
}

} // namespace

TEST_CASE("equal content gives equal bytes", "[hdf5]") {
    const Folder folder;
    write_sample(folder.file("a.h5"));
    write_sample(folder.file("b.h5"));
    CHECK(bytes_of(folder.file("a.h5")) == bytes_of(folder.file("b.h5")));
    const hdf5::Group root = hdf5::File::open(folder.file("a.h5"), "a").root();
    CHECK(root.text_attribute("format") == "assay/1");
    CHECK(root.group("cnmf/fit").dataset("zeros").axes() == "unit,time");
    CHECK(root.group("cnmf/fit").read_text("config")->size() == 70000);
    CHECK(root.group("/cnmf/fit").dataset("small").read<float>() == std::vector<float>{1, 2, 3});
}

TEST_CASE("flipped bits are errors or harmless, never silently different", "[hdf5]") {
    const Folder folder;
    write_sample(folder.file("whole.h5"));
    const std::string whole = bytes_of(folder.file("whole.h5")),
                      expected = contents(folder.file("whole.h5"));
    const Random random(5, "flip");
    int errors = 0;
    for (std::uint64_t i = 0; i < 1500; ++i) {
        std::string damaged = whole;
        const auto bit = random.below(8 * whole.size(), i);
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        write_bytes(folder.file("damaged.h5"), damaged);
        try {
            if (contents(folder.file("damaged.h5")) != expected)
                FAIL("bit " << bit << " changed the content silently");
        } catch (const Error&) {
            ++errors;
        }
    }
    CHECK(errors > 1000);
}

TEST_CASE("a truncated file is an error wherever it is cut", "[hdf5]") {
    const Folder folder;
    write_sample(folder.file("whole.h5"));
    const std::string whole = bytes_of(folder.file("whole.h5"));
    for (std::size_t i = 0; i < 64; ++i) {
        write_bytes(folder.file("cut.h5"), whole.substr(0, whole.size() * i / 64));
        CHECK_THROWS_AS(contents(folder.file("cut.h5")), Error);
    }
}

TEST_CASE("an output has its name only once it is whole", "[hdf5]") {
    const Folder folder;
    {
        hdf5::OutputFile output(folder.file("x.h5"), hdf5::Existing::refuse,
                                hdf5::Compression::none, {});
        output.root().write("x", std::vector<double>(100000, 1.0));
        CHECK_FALSE(fs::exists(folder.file("x.h5")));
    }
    CHECK(fs::is_empty(folder.path)); // destroyed without commit: nothing is left
    write_sample(folder.file("x.h5"));
    CHECK_THROWS_WITH(
        hdf5::OutputFile(folder.file("x.h5"), hdf5::Existing::refuse, hdf5::Compression::none, {}),
        Catch::Contains("--force"));
    CHECK_THROWS_WITH(hdf5::OutputFile(folder.file("no/x.h5"), hdf5::Existing::refuse,
                                       hdf5::Compression::none, {}),
                      Catch::Contains("does not exist"));
    // What a killed run of this machine left behind goes with the next one; another machine's
    // stays.
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    const std::string left = ".y.h5.999999999-" + digest_of(host.data()).substr(0, 8) + ".tmp";
    write_bytes(folder.file(left), "left behind");
    write_bytes(folder.file(".y.h5.999999999-elsewher.tmp"), "at work");
    hdf5::OutputFile(folder.file("y.h5"), hdf5::Existing::refuse, hdf5::Compression::none, {})
        .commit();
    CHECK_FALSE(fs::exists(folder.file(left)));
    CHECK(fs::exists(folder.file(".y.h5.999999999-elsewher.tmp")));
}

TEST_CASE("addresses split at :/ unless a file has that name", "[hdf5]") {
    CHECK(hdf5::Address::parse("rec.h5:/data/X").path == "/data/X");
    CHECK(hdf5::Address::parse("rec.h5").path.empty());
    CHECK(hdf5::Address::parse("-:/data/X").is_stream());
    CHECK(hdf5::Address::parse("C:/x").file == "C");
    CHECK(hdf5::Address::parse(":/x").file == ":/x");
}

TEST_CASE("steps chain and carry forward what later ones need", "[hdf5]") {
    const Folder folder;
    {
        hdf5::OutputFile first(folder.file("1.h5"), hdf5::Existing::refuse, hdf5::Compression::none,
                               {});
        first.root().create_group("/data").write("X", std::vector<double>{1});
        first.root().create_group("/truth").write("W", std::vector<double>{2});
        first.root().create_group("/cnmf/fit").write("W", std::vector<double>{3});
        hdf5::write_provenance(first.root(), {},
                               {"a b", "a", "1", "{}", {}, 0, true, 1, "t0", 1, 1});
        first.commit();
    }
    const hdf5::File input = hdf5::File::open(folder.file("1.h5"), "1.h5");
    hdf5::OutputFile second(folder.file("2.h5"), hdf5::Existing::refuse, hdf5::Compression::none,
                            {});
    second.root().create_group("/cnmf/events").write("bin", std::vector<double>{4});
    hdf5::carry_forward(second.root(), input.root(), {});
    hdf5::write_provenance(second.root(), {input.root(), input.root()},
                           {"c d", "c", "1", "{}", {"x"}, 0, false, 1, "t1", 1, 1});
    CHECK_FALSE(second.root().has("/data/X"));
    CHECK(second.root().dataset("/truth/W").read<double>().front() == 2);
    CHECK(second.root().dataset("/cnmf/fit/W").read<double>().front() == 3);
    CHECK(second.root().group("/provenance").names().size() == 2);
    CHECK(second.root().group("/provenance/0").text_attribute("command") == "a b");
}

TEST_CASE("shell quoting", "[hdf5]") {
    CHECK(hdf5::shell_quoted("plain-1.h5:/x") == "plain-1.h5:/x");
    CHECK(hdf5::shell_quoted("it's") == "'it'\\''s'");
    CHECK(hdf5::shell_quoted("") == "''");
}

TEST_CASE("control characters are quoted so that a command stays one line", "[hdf5]") {
    CHECK(hdf5::shell_quoted("a\nb'c\\") == "$'a\\x0ab\\'c\\\\'");
}

TEST_CASE("trees are copied without timings, and digests do not see clocks", "[hdf5]") {
    const Folder folder;
    const auto write = [&](const std::string& name, double seconds, double value) {
        hdf5::OutputFile output(folder.file(name), hdf5::Existing::refuse, hdf5::Compression::none,
                                {});
        hdf5::Group fit = output.root().create_group("/cnmf/fit");
        fit.write("W", std::vector<double>{value, 2});
        fit.set_attribute("seed", std::int64_t{1} << 60);
        fit.create_group("timing").write("seconds", std::vector<double>{seconds});
        hdf5::write_provenance(output.root(), {},
                               {"a", "a", "1", "{}", {}, 7, true, 1, "t", seconds, 1});
        output.commit();
    };
    write("a.h5", 1, 1);
    write("b.h5", 2, 1);
    write("c.h5", 1, 3);
    const auto digest = [&](const std::string& name) {
        return hdf5::InputFile({folder.file(name), ""}, {}).digest();
    };
    CHECK(digest("a.h5") == digest("b.h5"));
    CHECK(digest("a.h5") != digest("c.h5"));

    const hdf5::File source = hdf5::File::open(folder.file("a.h5"), "a.h5");
    hdf5::OutputFile copy(folder.file("copy.h5"), hdf5::Existing::refuse, hdf5::Compression::none,
                          {});
    CHECK(hdf5::carry_forward(copy.root(), source.root(), {}, hdf5::Timings::leave_out).empty());
    hdf5::write_provenance(copy.root(), {source.root()},
                           {"b", "b", "1", std::string(70000, 'x'), {}, 0, false, 1, "t", 1, 1});
    CHECK_FALSE(copy.root().has("/cnmf/fit/timing"));
    CHECK(copy.root().group("/cnmf/fit").number_attribute("seed") == std::pow(2.0, 60));
    CHECK(copy.root().group("/provenance/0").number_attribute("seed") == 7);
    CHECK(copy.root().group("/provenance/1").read_text("config")->size() == 70000);
}

TEST_CASE("a later format is refused", "[hdf5]") {
    const Folder folder;
    {
        hdf5::OutputFile output(folder.file("x.h5"), hdf5::Existing::refuse,
                                hdf5::Compression::none, {});
        hdf5::Group root = output.root();
        root.set_attribute("format", "assay/2");
        output.commit();
    }
    CHECK_THROWS_WITH(hdf5::InputFile({folder.file("x.h5"), ""}, {}),
                      Catch::Contains("assay/1 is expected"));
    CHECK_THROWS_WITH(hdf5::InputFile(bytes_of(folder.file("x.h5")), "inner", {}),
                      Catch::Contains("inner") && Catch::Contains("assay/1 is expected"));
}

namespace {

constexpr Index kNumbers = 20000;

// Bytes that a file of these numbers takes; written whole, or in two boxes.
std::size_t bytes_taken(const std::string& target, const std::vector<double>& numbers,
                        hdf5::Compression compression, bool whole) {
    hdf5::OutputFile output(target, hdf5::Existing::replace, compression, {});
    if (whole) {
        output.root().write("x", numbers);
    } else {
        constexpr Index kHalf = kNumbers / 2;
        auto dataset =
            output.root().create<double>("x", {kNumbers}, {}, {kHalf}, numbers.data(), kHalf);
        dataset.write_box({0}, {kHalf}, numbers.data());
        dataset.write_box({kHalf}, {kHalf}, numbers.data() + kHalf);
    }
    output.commit();
    return bytes_of(target).size();
}

// The same through a pipe.
std::size_t bytes_streamed(const std::string& pipe, const std::vector<double>& numbers,
                           hdf5::Compression compression) {
    auto reading = std::async(std::launch::async, [&] { return bytes_of(pipe).size(); });
    hdf5::OutputFile output(pipe, hdf5::Existing::replace, compression, {});
    output.root().write("x", numbers);
    output.commit();
    return reading.get();
}

} // namespace

TEST_CASE("arrays are compressed where it pays, everywhere, or nowhere; streams when asked",
          "[hdf5]") {
    using hdf5::Compression;
    const Folder folder;
    constexpr std::size_t kRaw = kNumbers * sizeof(double);
    std::vector<double> noise(kNumbers), counts(kNumbers);
    for (std::size_t i = 0; i < noise.size(); ++i) {
        noise[i] = Random(1, "noise").normal(i);
        counts[i] = static_cast<double>(i % 7);
    }
    for (const bool whole : {true, false}) {
        const auto taken = [&](const std::vector<double>& numbers, Compression compression) {
            return bytes_taken(folder.file("x.h5"), numbers, compression, whole);
        };
        CHECK(taken(noise, Compression::none) >= kRaw);
        CHECK(taken(counts, Compression::none) >= kRaw);
        CHECK(taken(noise, Compression::automatic) >= kRaw);
        CHECK(taken(counts, Compression::automatic) < kRaw / 4);
        CHECK(taken(noise, Compression::always) < kRaw);
        CHECK(taken(counts, Compression::always) < kRaw / 4);
    }
    const std::string pipe = folder.file("pipe");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(bytes_streamed(pipe, counts, Compression::automatic) >= kRaw);
    CHECK(bytes_streamed(pipe, counts, Compression::always) < kRaw / 4);
}

TEST_CASE("the HDF5 library's own errors belong to the failure that reports them", "[hdf5]") {
    std::string message;
    try {
        static_cast<void>(hdf5::File::open("/dev/null", "null.h5"));
    } catch (const Error& e) {
        message = e.what();
    }
    REQUIRE_FALSE(message.empty());
    const auto errors = hdf5::library_errors(message);
    REQUIRE_FALSE(errors.empty());
    CHECK_THAT(errors.front(), Catch::Contains("HDF5: H5Fopen"));
    CHECK(hdf5::library_errors("a place: " + message) == errors);
    CHECK(hdf5::library_errors("another failure").empty());
}

TEST_CASE("a request to stop that came before the wait ends it: nobody reads the pipe", "[hdf5]") {
    const Folder folder;
    const std::string pipe = folder.file("pipe");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    const hdf5::Descriptor held(open(pipe.c_str(), O_RDWR | O_CLOEXEC)); // so that it opens
    const InterruptionGuard guard;
    hdf5::OutputFile output(pipe, hdf5::Existing::replace, hdf5::Compression::none, {});
    output.root().write("x", std::vector<double>(1000000, 1.0)); // more than a pipe holds
    REQUIRE(std::raise(SIGTERM) == 0);
    CHECK_THROWS_AS(output.commit(), Interrupted);
    CHECK_THROWS_AS(
        hdf5::write_file_atomically(pipe, std::string(1 << 20, 'x'), hdf5::Existing::replace),
        Interrupted);
    // What can be written is: a summary says that work was interrupted.
    hdf5::write_file_atomically(folder.file("summary"), "{}", hdf5::Existing::replace);
    CHECK(bytes_of(folder.file("summary")) == "{}");
    const InterruptionGuard forgets; // the request, for the tests that follow
}

TEST_CASE("the commands of a chain make a script", "[hdf5]") {
    const Folder folder;
    const std::vector<std::string> commands{"cnmf synth --seed 3", // a stream: no output is named
                                            "cnmf fit --init 'a -o b' -o -",
                                            "cnmf align -o x.h5",
                                            "cnmf events - -o 'my -o - file.h5'",
                                            "cnmf score a.h5 --output=b.h5",
                                            "cnmf score $'a\\' -o \\x0a' -ob.h5",
                                            "cnmf synth --output=-",
                                            "cnmf events -o-",
                                            "cnmf events"};
    hdf5::File file = hdf5::File::create(folder.file("x.h5"), "x.h5", hdf5::Compression::none);
    CHECK_THROWS_WITH(hdf5::script_of(file.root()), Catch::Contains("x.h5:/: has no /provenance"));
    for (std::size_t i = 0; i < commands.size(); ++i) {
        hdf5::Group step = file.root().create_group("/provenance/" + std::to_string(i));
        step.set_attribute("command", commands[i]);
        step.set_attribute("tool", commands[i].substr(0, commands[i].find(' ', 5)));
        step.set_attribute("version", "1.2+native");
    }
    std::string script = hdf5::script_of(file.root());
    CHECK(script.substr(0, 18) == "#!/bin/sh\nset -eu\n");
    CHECK_THAT(script,
               Catch::Contains("\n# cnmf synth 1.2+native\ncnmf synth --seed 3 |\n# cnmf fit"));
    for (const std::size_t i : {0, 1, 6, 7})
        CHECK_THAT(script, Catch::Contains(commands[i] + " |\n"));
    for (const std::size_t i : {2, 3, 4, 5})
        CHECK_THAT(script, Catch::Contains(commands[i] + "\n"));
    CHECK_THAT(script, Catch::EndsWith("cnmf events >output.h5\n"));
}
