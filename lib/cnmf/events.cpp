#include <assay/cnmf/events.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::cnmf {
namespace {

std::vector<Index> bins_of(const Events& events, std::int64_t component) {
    std::vector<Index> bins;
    for (std::size_t i = 0; i < events.bin.size(); ++i)
        if (events.component[i] == component) bins.push_back(events.bin[i]);
    return bins;
}

// Pairs (found, true) whose difference from `offset` is at most `tolerance`, nearest first, each
// used once.
std::vector<Index> matched_differences(const std::vector<Index>& found,
                                       const std::vector<Index>& truth, Index offset,
                                       Index tolerance) {
    struct Pair {
        Index distance;
        std::size_t f, t;
    };
    std::vector<Pair> pairs;
    for (std::size_t f = 0; f < found.size(); ++f)
        for (auto t = static_cast<std::size_t>(
                 std::lower_bound(truth.begin(), truth.end(), found[f] - offset - tolerance) -
                 truth.begin());
             t < truth.size() && truth[t] <= found[f] - offset + tolerance; ++t)
            pairs.push_back({std::abs(found[f] - truth[t] - offset), f, t});
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Pair& a, const Pair& b) { return a.distance < b.distance; });
    std::vector<bool> found_used(found.size()), truth_used(truth.size());
    std::vector<Index> differences;
    for (const Pair& pair : pairs) {
        if (found_used[pair.f] || truth_used[pair.t]) continue;
        found_used[pair.f] = truth_used[pair.t] = true;
        differences.push_back(found[pair.f] - truth[pair.t]);
    }
    return differences;
}

} // namespace

Events find_events(const Matrix& activations, const std::vector<Index>& segment_start,
                   const EventRule& rule) {
    struct Peak {
        Index component, bin;
        double amplitude;
    };
    std::vector<Peak> kept;
    Events events;
    events.threshold.resize(activations.rows());
    const TimeAxis axis(activations.cols(), segment_start, 1);
    for (Index k = 0; k < activations.rows(); ++k) {
        const Eigen::RowVectorXd h = activations.row(k);
        const double mean = h.mean(), sd = std::sqrt((h.array() - mean).square().mean());
        const double threshold = rule.threshold.value_or(mean + rule.deviations * sd);
        events.threshold(k) = threshold;
        for (const auto& segment : axis.segments()) {
            std::vector<Peak> peaks;
            for (Index t = segment.first_bin; t < segment.first_bin + segment.bins; ++t) {
                constexpr double kOutside = -std::numeric_limits<double>::infinity();
                const double before = t > segment.first_bin ? h(t - 1) : kOutside;
                const double after = t + 1 < segment.first_bin + segment.bins ? h(t + 1) : kOutside;
                if (h(t) > threshold && h(t) > before && h(t) >= after)
                    peaks.push_back({k, t, h(t)});
            }
            std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) {
                return a.amplitude > b.amplitude;
            });
            std::vector<Index> taken; // ascending
            for (const Peak& peak : peaks) {
                const auto next = std::lower_bound(taken.begin(), taken.end(), peak.bin);
                const bool near_next = next != taken.end() && *next - peak.bin < rule.refractory;
                const bool near_previous =
                    next != taken.begin() && peak.bin - *(next - 1) < rule.refractory;
                if (near_next || near_previous) continue;
                taken.insert(next, peak.bin);
                kept.push_back(peak);
            }
        }
    }
    std::sort(kept.begin(), kept.end(), [](const Peak& a, const Peak& b) {
        return std::make_pair(a.bin, a.component) < std::make_pair(b.bin, b.component);
    });
    for (const Peak& peak : kept) {
        events.component.push_back(peak.component);
        events.bin.push_back(peak.bin);
        events.amplitude.push_back(peak.amplitude);
    }
    return events;
}

EventScore score_events(const Events& found, const Events& truth,
                        const std::vector<std::int64_t>& match, Index tolerance) {
    EventScore score;
    std::size_t hits = 0;
    std::vector<double> residuals;
    for (std::size_t k = 0; k < match.size(); ++k) {
        score.offset.push_back(0);
        if (match[k] < 0) continue;
        const auto mine = bins_of(found, static_cast<std::int64_t>(k)),
                   theirs = bins_of(truth, match[k]);
        // The offset that most pairs share: the mode of all differences within a generous window.
        Index best_offset = 0;
        std::size_t most = 0;
        for (Index offset = -4 * tolerance; offset <= 4 * tolerance; ++offset) {
            const std::size_t count = matched_differences(mine, theirs, offset, 0).size();
            if (count > most || (count == most && std::abs(offset) < std::abs(best_offset))) {
                most = count;
                best_offset = offset;
            }
        }
        const auto differences = matched_differences(mine, theirs, best_offset, tolerance);
        hits += differences.size();
        for (const Index d : differences) residuals.push_back(static_cast<double>(d - best_offset));
        score.offset.back() = best_offset;
    }
    if (!found.bin.empty())
        score.precision = static_cast<double>(hits) / static_cast<double>(found.bin.size());
    if (!truth.bin.empty())
        score.recall = static_cast<double>(hits) / static_cast<double>(truth.bin.size());
    // A copy is aligned: sums over other memory would depend on where it stands.
    const Vector r =
        Eigen::Map<const Vector>(residuals.data(), static_cast<Index>(residuals.size()));
    if (r.size() > 0) score.jitter = std::sqrt((r.array() - r.mean()).square().mean());
    return score;
}

} // namespace assay::cnmf
