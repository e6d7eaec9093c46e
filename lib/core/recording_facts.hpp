// What stands beside the numbers of a recording in a file: its segments and when in the session
// they lie, the width of its bins, the numbers of its units.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay {

struct ASSAY_API RecordingFacts {
    // As in Recording.
    std::vector<Index> segment_start{0};
    std::optional<double> bin_seconds;
    std::vector<std::int64_t> unit_ids; // empty where unknown
    // Session time at which each segment starts, seconds; empty: bin 0 starts at 0 and the segments
    // follow one another without pauses. Means nothing without bin_seconds.
    std::vector<double> segment_seconds;

    // Session time at which a bin starts; its number where no width is known.
    [[nodiscard]] double seconds_of(Index bin) const;
    // The bin in which a session time lies, of `bins`: the next segment's first for a time between
    // two, 0 before all, `bins` after all.
    [[nodiscard]] Index bin_at(double seconds, Index bins) const;
};

// Those of a recording that starts with its session.
[[nodiscard]] ASSAY_API RecordingFacts facts_of(const Recording& recording);

} // namespace assay
