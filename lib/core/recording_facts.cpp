#include <assay/core/recording_facts.hpp>

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

constexpr double kRounding = 1e-9; // of a bin: 0.3 / 0.01 is bin 30

} // namespace

double RecordingFacts::seconds_of(Index bin) const {
    if (!bin_seconds) return static_cast<double>(bin);
    if (segment_seconds.empty()) return static_cast<double>(bin) * *bin_seconds;
    const auto after = std::upper_bound(segment_start.begin(), segment_start.end(), bin);
    const auto segment = static_cast<std::size_t>(after - segment_start.begin() - 1);
    return segment_seconds[segment] +
           static_cast<double>(bin - segment_start[segment]) * *bin_seconds;
}

Index RecordingFacts::bin_at(double seconds, Index bins) const {
    for (std::size_t s = 0; s < segment_start.size(); ++s) {
        const Index end = s + 1 < segment_start.size() ? segment_start[s + 1] : bins;
        const double inside =
            (seconds - seconds_of(segment_start[s])) / bin_seconds.value_or(1.0) + kRounding;
        if (inside < static_cast<double>(end - segment_start[s]))
            return segment_start[s] + static_cast<Index>(std::max(0.0, std::floor(inside)));
    }
    return bins;
}

RecordingFacts facts_of(const Recording& recording) {
    return {recording.segment_start, recording.bin_seconds, recording.unit_ids, {}};
}

} // namespace assay
