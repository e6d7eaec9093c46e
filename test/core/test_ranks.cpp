#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using namespace assay;

TEST_CASE("one process is one rank, and joins with itself", "[core]") {
    CHECK(ranks::rank() == 0);
    CHECK(ranks::count() == 1);
    CHECK(ranks::first());
    CHECK(ranks::gather("mine") == std::vector<std::string>{"mine"});
    CHECK(ranks::broadcast("mine") == "mine");
    CHECK(ranks::from_first([] { return std::string("made"); }) == "made");
    CHECK_THROWS_AS(ranks::from_first([]() -> std::string { throw Error("no"); }), Error);
    CHECK(ranks::meet(0));
    const ranks::Together together;
    CHECK(ranks::owner(6, 7) == 0);
    CHECK(ranks::mine(6, 7));
    double number = 0.5;
    ranks::exchange({{&number, sizeof number, 0}});
    CHECK(number == 0.5);
    CHECK(ranks::gather_all("mine") == std::vector<std::string>{"mine"});
    {
        const ranks::Apart apart;
        CHECK(ranks::team() == 1);
    }
    CHECK(ranks::team() == 1);
    struct Asked : Monitor {
        bool stop = false;
        [[nodiscard]] bool interrupted() const override { return stop; }
    } asked;
    const ranks::AgreedMonitor agreed(asked);
    CHECK_NOTHROW(agreed.stop_if_interrupted());
    asked.stop = true;
    CHECK_THROWS_AS(agreed.stop_if_interrupted(), Interrupted);
    CHECK(ranks::any(true));
    CHECK_FALSE(ranks::any(false));
}

TEST_CASE("how a rank's work went is told with its kind", "[core]") {
    using ranks::Outcome;
    const auto outcome = [](const auto& error) {
        const ranks::Report report = ranks::report_of([&] { throw error; });
        CHECK(report.text == error.what());
        CHECK_THROWS_AS(ranks::raise_any(report), std::decay_t<decltype(error)>);
        return report.outcome;
    };
    CHECK(outcome(UsageError("a mistake")) == Outcome::wrong_usage);
    CHECK(outcome(Interrupted("a signal")) == Outcome::interrupted);
    CHECK(outcome(Error("a failure")) == Outcome::failed);
    CHECK_THROWS_AS(ranks::raise(ranks::report_of([] { throw std::bad_alloc(); })), std::bad_alloc);
    CHECK_THROWS_AS(ranks::raise(ranks::report_of([] { throw std::runtime_error("x"); })), Error);
    CHECK_NOTHROW(ranks::raise(ranks::report_of([] {})));
}

TEST_CASE("a stream of rank 0 comes in blocks, to its end", "[core]") {
    std::string source = "some bytes";
    ranks::FirstStream stream([&](char* bytes, std::size_t most) {
        const std::size_t given = std::min({most, source.size(), std::size_t{4}});
        std::copy_n(source.data(), given, bytes);
        source.erase(0, given);
        return given;
    });
    std::string got;
    char block[3];
    while (const std::size_t given = stream.read(block, sizeof block)) got.append(block, given);
    CHECK(got == "some bytes");
    CHECK(stream.read(block, sizeof block) == 0);
    ranks::FirstStream broken([](char*, std::size_t) -> std::size_t { throw UsageError("none"); });
    CHECK_THROWS_AS(broken.read(block, sizeof block), UsageError);
    ranks::FirstStream unread([](char*, std::size_t) -> std::size_t { return 1; });
    unread.pass_over();
    CHECK(unread.read(block, sizeof block) == 0);
}

TEST_CASE("a phase tells its name and how long it took, as detail for -vv", "[core]") {
    struct Listener : Monitor {
        std::vector<std::string> said;
        void message(Level level, const std::string& text) override {
            CHECK(level == Level::debug);
            said.push_back(text);
        }
    } listener;
    {
        const Phase outer(listener, "outer");
        const Phase inner(listener, "inner");
    }
    REQUIRE(listener.said.size() == 2);
    CHECK(listener.said[0].rfind("inner: ", 0) == 0);
    CHECK(listener.said[1].rfind("outer: ", 0) == 0);
    CHECK(listener.said[1].find(" s (cpu ") != std::string::npos);
}
