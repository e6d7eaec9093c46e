// Starts from parts of a recording: which parts, what they read, and what the start is worth.
#include <assay/cnmf/coarse_start.hpp>
#include <assay/cnmf/synth.hpp>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace assay;
using namespace assay::cnmf;

namespace {

// Number b of unit n is 1000 n + b: every entry says where it comes from.
class NumberedRecording : public Recording {
  public:
    NumberedRecording(Index units, Index bins) : units_(units), bins_(bins) {}
    [[nodiscard]] Index units() const override { return units_; }
    [[nodiscard]] Index bins() const override { return bins_; }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        return Matrix::NullaryExpr(units_, count, [&](Index n, Index t) {
            return static_cast<double>(1000 * n + first_bin + t);
        });
    }

  private:
    Index units_, bins_;
};

Synthetic planted(Index bins, double noise) {
    SynthOptions o;
    o.units = 40;
    o.bins = bins;
    o.components = 3;
    o.lags = 8;
    o.noise = noise;
    o.seed = 4;
    return synth_paper(o);
}

FitOptions options_of(Index components, Index lags) {
    FitOptions o;
    o.components = components;
    o.lags = lags;
    o.start.kind = StartKind::coarse;
    o.tolerance = 0;
    return o;
}

FitResult fitted(const Recording& recording, const FitOptions& options, const Mask& excluded = {},
                 const Execution& run = {}) {
    const MaskedRecording seen(recording, excluded);
    const Data data(seen, {}, run);
    return fit(data, Unseen(seen, excluded, {}), options, run);
}

} // namespace

TEST_CASE("stretches are disjoint, evenly spread, and lie inside segments", "[cnmf]") {
    const std::vector<Index> starts =
        GENERATE(std::vector<Index>{0}, std::vector<Index>{0, 35, 900, 4000, 4070});
    const Index bins = 10000, length = 50;
    const Index wanted = GENERATE(Index{1}, Index{400}, Index{2500}, Index{5000});
    const TimeAxis axis(bins, starts, 10);
    const auto stretches = spread_stretches(axis, length, wanted);
    REQUIRE(!stretches.empty());
    Index total = 0, end = 0, widest_gap = 0;
    for (const auto& stretch : stretches) {
        CHECK(stretch.first_bin >= end);
        widest_gap = std::max(widest_gap, stretch.first_bin - end);
        end = stretch.first_bin + stretch.bins;
        total += stretch.bins;
        CHECK(stretch.bins <= length);
        const auto border = std::upper_bound(starts.begin(), starts.end(), stretch.first_bin);
        CHECK(end <= (border == starts.end() ? bins : *border));
    }
    CHECK(total >= wanted - length);
    CHECK(total < wanted + length);
    // Whole and even: no gap is wider than twice the mean distance of the stretches.
    CHECK(static_cast<double>(std::max(widest_gap, bins - end)) <=
          2.0 * static_cast<double>(bins) / static_cast<double>(stretches.size()));
    CHECK(spread_stretches(axis, length, bins / 2 + 1).empty());
}

TEST_CASE("a part reads the bins of its stretches", "[cnmf]") {
    NumberedRecording whole(3, 2000);
    whole.segment_start = {0, 700};
    const auto stretches = spread_stretches(TimeAxis(2000, whole.segment_start, 5), 30, 400);
    const auto used = [](Index unit, Index t) { return (unit + t) % 7 != 0; };
    const Part part = part_of(whole, Mask(3, 2000, used), stretches);
    const Matrix values = part.recording.read(0, part.recording.bins());
    REQUIRE(part.recording.segment_start.size() == stretches.size());
    Index bin = 0;
    for (std::size_t s = 0; s < stretches.size(); ++s) {
        CHECK(part.recording.segment_start[s] == bin);
        for (Index t = 0; t < stretches[s].bins; ++t, ++bin) {
            const Index whole_bin = stretches[s].first_bin + t;
            const Mask::Units masked = part.masked.units_of(bin);
            for (Index n = 0; n < 3; ++n) {
                const bool seen = used(n, whole_bin);
                CHECK(values(n, bin) == (seen ? static_cast<double>(1000 * n + whole_bin) : 0.0));
                CHECK(std::binary_search(masked.begin(), masked.end(),
                                         static_cast<std::int32_t>(n)) != seen);
            }
        }
    }
    CHECK(bin == part.recording.bins());
    CHECK(part_of(whole, {}, stretches).masked.empty());
}

TEST_CASE("a coarse start explains what was planted before the first iteration", "[cnmf]") {
    const Synthetic data = planted(8000, 0.05);
    FitOptions o = options_of(3, 8);
    o.algorithm = GENERATE(Algorithm::hals, Algorithm::mult, Algorithm::anls);
    o.max_iterations = 5;
    const FitResult coarse = fitted(*data.recording, o);
    o.start.kind = StartKind::random;
    const FitResult random = fitted(*data.recording, o);
    // Five iterations from a random start explain less than none from the coarse one.
    CHECK(coarse.history.loss.front() < random.history.loss.back());
    CHECK(coarse.history.loss.back() <= coarse.history.loss.front());
    const FitResult threads = [&] {
        o.start.kind = StartKind::coarse;
        return fitted(*data.recording, o, {}, {5, &silent_monitor()});
    }();
    CHECK(threads.history.loss == coarse.history.loss);
    CHECK(threads.model.motifs == coarse.model.motifs);
}

TEST_CASE("restarts begin from different coarse starts", "[cnmf]") {
    const Synthetic data = planted(6000, 0.1);
    FitOptions o = options_of(3, 8);
    o.max_iterations = 1;
    o.restarts = 3;
    const FitResult r = fitted(*data.recording, o);
    CHECK(r.restart_loss[0] != r.restart_loss[1]);
    CHECK(r.restart_loss[1] != r.restart_loss[2]);
}

TEST_CASE("a coarse start never sees what is masked", "[cnmf]") {
    const Synthetic data = planted(6000, 0.1);
    const Mask mask = Mask::held_out(40, 6000, {0.1, 5, 3, 0});
    Matrix spoiled = data.recording->read(0, 6000);
    for (Index t = 0; t < 6000; ++t)
        for (const std::int32_t unit : mask.units_of(t)) spoiled(unit, t) = 10;
    FitOptions o = options_of(3, 8);
    o.max_iterations = 1;
    // Held out, the values stay in the data of the whole and are taken out of its products.
    const auto held_out = [&](const Recording& recording) {
        return fit(Data(recording, {}, {}), Unseen(recording, {}, mask), o, {})
            .history.loss.front();
    };
    const double honest = held_out(*data.recording);
    CHECK(std::abs(held_out(DenseRecording(spoiled)) / honest - 1) < 1e-9);
    CHECK(std::abs(fitted(*data.recording, o, mask).history.loss.front() / honest - 1) < 1e-9);
}

TEST_CASE("levels without an event are passed over", "[cnmf]") {
    const Synthetic data = planted(200, 0.02);
    const FitOptions o = options_of(3, 8);
    const Index bins = 40000, length = 80;
    const TimeAxis axis(bins, {0}, 8);
    // Events in the stretches that the second level has and the first has not.
    const auto covers = [&](const std::vector<TimeAxis::Piece>& stretches, Index bin) {
        return std::any_of(stretches.begin(), stretches.end(),
                           [&](const TimeAxis::Piece& s) { return s.first_bin == bin; });
    };
    const auto first = spread_stretches(axis, length, 1200);
    Matrix x = Matrix::Zero(40, bins);
    for (const auto& stretch : spread_stretches(axis, length, 4800))
        if (!covers(first, stretch.first_bin))
            x.middleCols(stretch.first_bin, length) = data.recording->read(0, length);
    FitOptions few = o;
    few.max_iterations = 3;
    const FitResult coarse = fitted(DenseRecording(x), few);
    few.start.kind = StartKind::random;
    CHECK(coarse.history.loss.front() < fitted(DenseRecording(x), few).history.loss.back());
}

TEST_CASE("multiplicative steps from a coarse start reach units that were silent in it", "[cnmf]") {
    // Three units fire in bins that no stretch has: their weights must grow all the same.
    const Synthetic data = planted(20000, 0.02);
    Matrix x = data.recording->read(0, 20000);
    const TimeAxis axis(20000, {0}, 8);
    for (const auto& stretch : spread_stretches(axis, 80, 4800))
        x.block(0, stretch.first_bin, 3, stretch.bins).setZero();
    for (const auto& stretch : spread_stretches(axis, 80, 1200))
        x.block(0, stretch.first_bin, 3, stretch.bins).setZero();
    FitOptions o = options_of(3, 8);
    o.algorithm = Algorithm::mult;
    o.max_iterations = 40;
    const FitResult r = fitted(DenseRecording(x), o);
    const Vector error = r.evaluation.unit_error, norm = r.evaluation.unit_norm;
    for (Index unit = 0; unit < 3; ++unit) CHECK(error(unit) < 0.6 * norm(unit));
}

TEST_CASE("without room for a level the start is random, and why is told", "[cnmf]") {
    class Warnings : public Monitor {
      public:
        void message(Level level, const std::string& text) override {
            if (level == Level::warning) told += text;
        }
        std::string told;
    };
    const Index bins = GENERATE(as<Index>(), 200, 6000);
    const Synthetic data = planted(bins, 0.1);
    FitOptions o = options_of(3, 8);
    o.max_iterations = 3;
    Warnings monitor;
    const Execution run{1, &monitor};
    const Data all(*data.recording, {Engine::gemm, Precision::float64, 300000}, run);
    const FitResult coarse = fit(all, Unseen(), o, run);
    CHECK_THAT(monitor.told, Catch::Matchers::Contains(bins == 200 ? "too short" : "--memory"));
    o.start.kind = StartKind::random;
    CHECK(coarse.model.motifs == fit(all, Unseen(), o, run).model.motifs);
}

TEST_CASE("a coarse start can be interrupted", "[cnmf]") {
    class Stopping : public Monitor {
      public:
        [[nodiscard]] bool interrupted() const override { return ++asked > 20; }
        mutable int asked = 0;
    };
    const Synthetic data = planted(6000, 0.1);
    FitOptions o = options_of(3, 8);
    o.max_iterations = 1;
    Stopping monitor;
    CHECK_THROWS_AS(fitted(*data.recording, o, {}, {1, &monitor}), Interrupted);
}
