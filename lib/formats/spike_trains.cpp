#include <assay/formats/spike_trains.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/interval_index.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace assay::formats {

SpikeTrains group_spikes(const std::vector<double>& times, const std::vector<std::int64_t>& ids) {
    if (times.size() != ids.size())
        throw Error(concat(times.size(), " spike times and ", ids.size(),
                           " unit numbers; as many of both are expected"));
    SpikeTrains trains;
    if (ids.empty()) return trains;
    std::set<std::int64_t> distinct(ids.begin(), ids.end());
    const std::int64_t least = *distinct.begin(), greatest = *distinct.rbegin();
    // Silent units stand between those that fire; identifiers that are no counts do not make empty
    // units.
    const auto range = static_cast<double>(greatest) - static_cast<double>(least) + 1;
    if (range <= 100.0 * static_cast<double>(distinct.size()))
        for (std::int64_t id = least; id <= greatest; ++id) distinct.insert(id);
    std::map<std::int64_t, std::size_t> position;
    for (const std::int64_t id : distinct) {
        position[id] = trains.ids.size();
        trains.ids.push_back(id);
    }
    trains.times.resize(trains.ids.size());
    for (std::size_t i = 0; i < times.size(); ++i)
        trains.times[position[ids[i]]].push_back(times[i]);
    return trains;
}

Interval extent_of(const SpikeTrains& trains, double dt) {
    Interval interval;
    for (const auto& train : trains.times)
        for (const double s : train) {
            interval.start = std::min(interval.start, s);
            interval.stop = std::max(interval.stop, s);
        }
    interval.stop =
        interval.start + (std::floor((interval.stop - interval.start) / dt + 1e-9) + 1) * dt;
    return interval;
}

Index bin_of(double seconds, double start, double dt) {
    return static_cast<Index>(std::floor((seconds - start) / dt + 1e-9));
}

void expect_time(double seconds, std::int64_t unit) {
    if (!std::isfinite(seconds))
        throw Error(
            concat("unit ", unit, " has a spike at ", seconds, " s; finite times are expected"));
}

BinnedSpikes bin_spikes(const SpikeTrains& trains, double dt,
                        const std::vector<Interval>& intervals) {
    if (!(dt > 0) || !std::isfinite(dt))
        throw Error("a bin of " + shortest(dt) + " s; a positive width is expected");
    BinnedSpikes binned;
    Index bins = 0;
    std::vector<Index> counts;
    for (const auto& interval : intervals) {
        const double width = std::ceil((interval.stop - interval.start) / dt - 1e-9);
        if (!(width >= 1))
            throw Error(concat("the interval from ", interval.start, " to ", interval.stop,
                               " s holds no bin"));
        if (!(width + static_cast<double>(bins) <= static_cast<double>(kMostBins)))
            throw Error("dt = " + shortest(dt) + " s makes " +
                        significant(width + static_cast<double>(bins), 6) +
                        " bins; at most 10^9 are expected (a larger --dt)");
        binned.segment_start.push_back(bins);
        counts.push_back(static_cast<Index>(width));
        bins += counts.back();
    }
    const IntervalIndex index(intervals);
    std::vector<SparseEntry> entries;
    for (std::size_t n = 0; n < trains.times.size(); ++n)
        for (const double s : trains.times[n]) {
            expect_time(s, trains.ids[n]);
            bool inside = false;
            index.containing(s, [&](std::size_t i) {
                const Index bin = bin_of(s, intervals[i].start, dt);
                if (bin >= counts[i]) return;
                entries.emplace_back(static_cast<std::int64_t>(n), binned.segment_start[i] + bin,
                                     1.0);
                inside = true;
            });
            if (!inside) ++binned.outside;
        }
    // Swapped, since Eigen 3.4 copies on assignment, and there may be 10^9 column pointers.
    summed_entries(std::move(entries), static_cast<Index>(trains.times.size()), bins)
        .swap(binned.counts);
    return binned;
}

} // namespace assay::formats
