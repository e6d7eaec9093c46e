// Internal to lib/formats: parts of a recording in its session's time.
#pragma once

#include <assay/core/recording_facts.hpp>
#include <assay/formats/spike_trains.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace assay::formats {

// Bins first .. first + bins - 1 of one segment.
struct Stretch {
    Index first, bins;
};

// The bins of a recording of `bins` that start inside one of the intervals (start <= t < stop),
// interval by interval. Precondition: bin_seconds is known. Throws Error where an interval holds
// none.
[[nodiscard]] std::vector<Stretch> stretches_within(const RecordingFacts& facts, Index bins,
                                                    const std::vector<Interval>& intervals);
// Those stretches one after the other, each a segment.
[[nodiscard]] std::unique_ptr<Recording> excerpt(std::unique_ptr<Recording> recording,
                                                 const std::vector<Stretch>& stretches);
// The parts of the intervals between `start` and `stop`, where given. Throws Error where nothing is
// left.
[[nodiscard]] std::vector<Interval> intervals_between(const std::vector<Interval>& intervals,
                                                      const std::optional<double>& start,
                                                      const std::optional<double>& stop);
// Those that end where the next starts made one.
[[nodiscard]] std::vector<Interval> joined(const std::vector<Interval>& intervals);

} // namespace assay::formats
