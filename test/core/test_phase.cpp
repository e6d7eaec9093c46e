#include <assay/core/phase.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace assay;

namespace {

class Heard : public Monitor {
  public:
    void message(Level level, const std::string& text) override {
        lines.push_back((level == Level::debug ? "debug " : "other ") + text);
    }
    void progress(const Progress& progress) override { lines.push_back(progress.what); }
    [[nodiscard]] bool interrupted() const override { return stops; }
    std::vector<std::string> lines;
    bool stops = false;
};

} // namespace

TEST_CASE("a phase is told once it is over, with its times", "[core]") {
    Heard heard;
    {
        const Phase phase(heard, "read");
        CHECK(heard.lines.empty());
    }
    REQUIRE(heard.lines.size() == 1);
    CHECK_THAT(heard.lines[0], Catch::Matches("debug read: [0-9.e-]+ s \\(cpu [0-9.e-]+ s\\)"));
    CHECK(timed(heard, "sum", [&] {
              CHECK(heard.lines.size() == 1);
              return 7;
          }) == 7);
    CHECK_THAT(heard.lines.back(), Catch::Contains("debug sum: "));
    // Also of work that fails.
    CHECK_THROWS(timed(heard, "fails", []() -> int { throw std::string("no"); }));
    CHECK_THAT(heard.lines.back(), Catch::Contains("debug fails: "));
}

TEST_CASE("one of many pieces of work tells all but its phases", "[core]") {
    Heard heard;
    WithoutPhases quieter(heard);
    { const Phase phase(quieter, "inner"); }
    CHECK(heard.lines.empty());
    quieter.warn("odd");
    quieter.info("so");
    quieter.detail("thus");
    quieter.progress({1, 2, "fits", ""});
    CHECK(heard.lines == std::vector<std::string>{"other odd", "other so", "other thus", "fits"});
    CHECK_FALSE(quieter.interrupted());
    heard.stops = true;
    CHECK(quieter.interrupted());
}
