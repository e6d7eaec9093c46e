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
        for (const std::int32_t unit : mask.units_of(t)) spoiled(unit, t) = 1e6;
    FitOptions o = options_of(3, 8);
    o.max_iterations = 2;
    const FitResult honest = fitted(*data.recording, o, mask);
    CHECK(fitted(DenseRecording(spoiled), o, mask).model.motifs == honest.model.motifs);
    // Held out rather than excluded: the same start, up to the rounding of products that are
    // corrected for what the data hold.
    const Data all(*data.recording, {}, {});
    const FitResult held = fit(all, Unseen(*data.recording, {}, mask), o, {});
    CHECK(held.history.loss.front() == Approx(honest.history.loss.front()).epsilon(1e-9));
}

TEST_CASE("recordings too short or too silent for parts start at random", "[cnmf]") {
    const Synthetic data = planted(200, 0.1);
    FitOptions o = options_of(3, 8);
    o.max_iterations = 3;
    const FitResult coarse = fitted(*data.recording, o);
    o.start.kind = StartKind::random;
    CHECK(coarse.model.motifs == fitted(*data.recording, o).model.motifs);
    // All events at the end, where no stretch of the first levels lies.
    Matrix late = Matrix::Zero(40, 20000);
    late.rightCols(200) = data.recording->read(0, 200);
    o.start.kind = StartKind::coarse;
    CHECK(std::isfinite(fitted(DenseRecording(late), o).history.loss.back()));
}
