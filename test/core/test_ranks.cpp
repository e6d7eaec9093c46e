#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>

#include <catch2/catch.hpp>

#include <string>
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
