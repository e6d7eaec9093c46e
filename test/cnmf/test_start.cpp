// Starts from windows of the data, against their definitions.
#include <assay/cnmf/start.hpp>
#include <assay/core/random.hpp>

#include <catch2/catch.hpp>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace assay;
using namespace assay::cnmf;

namespace {

Matrix drawn_data(Index units, Index bins, std::uint64_t seed) {
    const Random random(seed, "test/start");
    Matrix x(units, bins);
    for (Index t = 0; t < bins; ++t)
        for (Index n = 0; n < units; ++n)
            x(n, t) = std::pow(random.uniform(static_cast<std::uint64_t>(t * units + n)), 4);
    return x;
}

struct Started {
    Model model;
    Matrix seen; // the data with zeros where they are not
};

Started started(StartKind kind, DenseRecording& recording, const Mask& held_out, Index components,
                Index lags, std::uint64_t restart = 0) {
    const Execution run;
    const Data data(recording, {Engine::gemm, Precision::float64, 0}, run);
    const Unseen unseen(recording, {}, held_out);
    const auto products = data.products(components, lags, run);
    StartSpec spec;
    spec.kind = kind;
    return {start_model(data, *products, unseen, spec, components, lags, {3, restart}, run),
            MaskedRecording(recording, held_out).read(0, recording.bins())};
}

// First bins of the windows inside segments.
std::vector<Index> windows(const DenseRecording& recording, Index lags) {
    std::vector<Index> first;
    const TimeAxis axis(recording.bins(), recording.segment_start, 1);
    for (const Segment& s : axis.segments())
        for (Index t = 0; t + lags <= s.bins; ++t) first.push_back(s.first_bin + t);
    return first;
}

// The first bins of the windows that the motifs are, -1 for one that is none.
std::vector<Index> places(const Started& start, const std::vector<Index>& allowed) {
    std::vector<Index> found;
    for (Index k = 0; k < start.model.components; ++k) {
        const Matrix image = motif_image(start.model, k);
        const auto at = std::find_if(allowed.begin(), allowed.end(), [&](Index t) {
            return start.seen.middleCols(t, start.model.lags) == image;
        });
        found.push_back(at == allowed.end() ? -1 : *at);
    }
    return found;
}

bool overlaps(const std::vector<Index>& chosen, Index t, Index lags) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](Index c) { return std::abs(c - t) < lags; });
}

} // namespace

TEST_CASE("a start from the data takes windows that do not overlap", "[cnmf]") {
    constexpr Index kLags = 6;
    DenseRecording recording(drawn_data(5, 80, 1));
    recording.segment_start = {0, 20, 23, 50};
    const Mask held_out =
        GENERATE(Mask(), Mask(5, 80, [](Index n, Index t) { return (2 * n + t) % 6 != 0; }));
    const auto kind = GENERATE(StartKind::data, StartKind::spa);
    for (std::uint64_t restart = 0; restart < 20; ++restart) {
        const Started start = started(kind, recording, held_out, 5, kLags, restart);
        std::vector<Index> chosen;
        for (const Index t : places(start, windows(recording, kLags))) {
            REQUIRE(t >= 0);
            CHECK_FALSE(overlaps(chosen, t, kLags));
            chosen.push_back(t);
        }
        CHECK(start.model.activations.minCoeff() >= 0);
        CHECK(start.model.activations.maxCoeff() < 1);
    }
}

TEST_CASE("windows are drawn with probability proportional to their energy", "[cnmf]") {
    constexpr Index kLags = 3;
    constexpr int kDraws = 3000;
    DenseRecording recording(drawn_data(4, 14, 2));
    recording.segment_start = {0, 6};
    const auto allowed = windows(recording, kLags);
    std::vector<int> drawn(14);
    Matrix seen;
    for (int i = 0; i < kDraws; ++i) {
        const Started start =
            started(StartKind::data, recording, {}, 1, kLags, static_cast<std::uint64_t>(i));
        seen = start.seen;
        const Index place = places(start, allowed).front();
        REQUIRE(place >= 0);
        ++drawn[static_cast<std::size_t>(place)];
    }
    double total = 0, chi_squared = 0;
    for (const Index t : allowed) total += seen.middleCols(t, kLags).squaredNorm();
    for (const Index t : allowed) {
        const double expected = kDraws * seen.middleCols(t, kLags).squaredNorm() / total;
        REQUIRE(expected > 5);
        chi_squared += std::pow(drawn[static_cast<std::size_t>(t)] - expected, 2) / expected;
    }
    REQUIRE(allowed.size() == 10);
    CHECK(chi_squared < 27.9); // 9 degrees of freedom, p = 0.001
}

TEST_CASE("spa takes the window farthest from the span of those before", "[cnmf]") {
    constexpr Index kLags = 4, kUnits = 6;
    DenseRecording recording(drawn_data(kUnits, 60, GENERATE(3, 4)));
    recording.segment_start = {0, 25};
    const Mask held_out =
        GENERATE(Mask(), Mask(kUnits, 60, [](Index n, Index t) { return (n + 2 * t) % 5 != 0; }));
    const Started start = started(StartKind::spa, recording, held_out, 5, kLags);
    const auto allowed = windows(recording, kLags);
    const auto flat = [&](Index t) {
        const Matrix window = start.seen.middleCols(t, kLags);
        return Vector(Eigen::Map<const Vector>(window.data(), window.size()));
    };
    std::vector<Index> expected;
    Matrix span(kUnits * kLags, 0);
    for (int k = 0; k < 5; ++k) {
        Index best = -1;
        double farthest = -1;
        for (const Index t : allowed) {
            if (overlaps(expected, t, kLags)) continue;
            Vector rest = flat(t);
            if (span.cols() > 0) rest -= span * span.colPivHouseholderQr().solve(flat(t));
            if (rest.squaredNorm() > farthest) {
                farthest = rest.squaredNorm();
                best = t;
            }
        }
        expected.push_back(best);
        span.conservativeResize(Eigen::NoChange, span.cols() + 1);
        span.rightCols(1) = flat(best);
    }
    CHECK(places(start, allowed) == expected);
}
