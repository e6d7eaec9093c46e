// Spike times of units, and their counts in time bins.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace assay::formats {

struct SpikeTrains {
    std::vector<std::int64_t> ids;          // of each unit
    std::vector<std::vector<double>> times; // seconds, in any order
};

// Spikes given as one list of times and one of unit numbers. Every unit number from the least to
// the greatest becomes a unit, silent ones too, unless that would be more than 100 times the units
// that fire.
[[nodiscard]] ASSAY_API SpikeTrains group_spikes(const std::vector<double>& times,
                                                 const std::vector<std::int64_t>& ids);

// A stretch of time in seconds; spikes with start <= s < stop are counted.
struct Interval {
    double start = 0;
    double stop = 0;
};

struct BinnedSpikes {
    SparseMatrix counts;              // units x bins
    std::vector<Index> segment_start; // one segment an interval
    std::int64_t outside = 0;         // spikes in no interval
};

// A bin costs a column pointer even where it is empty: beyond this, a width or a shape is a
// mistake.
inline constexpr Index kMostBins = 1000000000;

// floor((seconds - start) / dt + 1e-9), so that 0.3 / 0.01 is bin 30.
[[nodiscard]] Index bin_of(double seconds, double start, double dt);
// Throws Error for a spike of a unit whose time is not finite.
void expect_time(double seconds, std::int64_t unit);

// Spikes in their bins (bin_of); an interval has ceil((stop - start) / dt) bins, and what rounding
// puts behind the last counts as outside. Throws Error for dt <= 0, an empty interval, or more than
// kMostBins bins.
[[nodiscard]] ASSAY_API BinnedSpikes bin_spikes(const SpikeTrains& trains, double dt,
                                                const std::vector<Interval>& intervals);
// From 0 (or the first spike where that is negative) to just behind the last spike.
[[nodiscard]] ASSAY_API Interval extent_of(const SpikeTrains& trains, double dt);

} // namespace assay::formats
