#include <assay/formats/spike_recording.hpp>

#include <assay/core/error.hpp>
#include <assay/formats/excerpt.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

namespace assay::formats {
namespace {

// From --start or the extent of the spikes to --stop or the last spike.
Interval whole_extent(const SpikeTrains& trains, const RecordingOptions& o) {
    Interval whole = extent_of(trains, *o.dt);
    if (o.start) whole.start = *o.start;
    if (o.stop)
        whole.stop = *o.stop;
    else if (o.start)
        whole.stop = whole.start + std::ceil((whole.stop - whole.start) / *o.dt - 1e-9) * *o.dt;
    return whole;
}

// Units that fire, where the others are to be left out; how many those are.
Index drop_silent(SpikeTrains& trains, BinnedSpikes& binned, SilentUnits silent_units) {
    std::vector<Index> row(trains.ids.size(), -1);
    for (Index i = 0; i < binned.counts.nonZeros(); ++i)
        row[static_cast<std::size_t>(binned.counts.innerIndexPtr()[i])] = 0;
    const Index silent = std::count(row.begin(), row.end(), Index{-1});
    if (silent == 0 || silent_units == SilentUnits::keep) return silent;
    std::vector<std::int64_t> ids;
    for (std::size_t n = 0; n < row.size(); ++n) {
        if (row[n] < 0) continue;
        row[n] = static_cast<Index>(ids.size());
        ids.push_back(trains.ids[n]);
    }
    trains.ids = ids;
    SparseMatrix kept(static_cast<Index>(ids.size()), binned.counts.cols());
    kept.reserve(binned.counts.nonZeros());
    for (Index t = 0; t < binned.counts.outerSize(); ++t) {
        kept.startVec(t);
        for (SparseMatrix::InnerIterator it(binned.counts, t); it; ++it)
            kept.insertBackByOuterInner(t, row[static_cast<std::size_t>(it.row())]) = it.value();
    }
    kept.finalize();
    kept.swap(binned.counts);
    return silent;
}

} // namespace

void take_spikes(OpenedRecording& opened, SpikeTrains trains,
                 const std::vector<Interval>& intervals, const RecordingOptions& o) {
    opened.counts = true;
    if (!o.dt)
        throw Error(opened.name + ": holds spike times; --dt SECONDS is expected to bin them");
    at_place(opened.name, [&] {
        const std::vector<Interval> counted = intervals.empty()
                                                  ? std::vector<Interval>{whole_extent(trains, o)}
                                                  : intervals_between(intervals, o.start, o.stop);
        BinnedSpikes binned = bin_spikes(trains, *o.dt, counted);
        opened.outside = binned.outside;
        opened.silent = drop_silent(trains, binned, o.silent_units);
        auto recording = std::make_unique<SparseRecording>(std::move(binned.counts));
        recording->segment_start = binned.segment_start;
        for (const Interval& interval : counted) opened.segment_seconds.push_back(interval.start);
        recording->bin_seconds = o.dt;
        recording->unit_ids = trains.ids;
        opened.recording = std::move(recording);
    });
}

} // namespace assay::formats
