// NWB 2: ragged spike times, time series, trials.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace assay::formats {
namespace {

// Cumulative ends of a ragged column, checked to ascend to `size`.
std::vector<std::int64_t> read_ends(const hdf5::Dataset& index, Index size) {
    const auto ends = whole_numbers(index);
    std::int64_t previous = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i] < previous)
            throw Error(concat(index.where(), ": descends from ", previous, " to ", ends[i],
                               " at entry ", i, "; ascending ends are expected"));
        previous = ends[i];
    }
    if (previous != size)
        throw Error(concat(index.where(), ": ends at ", previous, "; the number of values, ", size,
                           ", is expected"));
    return ends;
}

// Sorted, those that overlap made one; intervals that only touch stay two.
std::vector<Interval> disjoint(std::vector<Interval> intervals, const std::string& where) {
    for (const auto& interval : intervals)
        if (!(interval.stop > interval.start))
            throw Error(concat(where, ": an interval ends at ", interval.stop, " s and starts at ",
                               interval.start, " s; a later end is expected"));
    std::sort(intervals.begin(), intervals.end(),
              [](const auto& a, const auto& b) { return a.start < b.start; });
    std::vector<Interval> merged;
    for (const auto& interval : intervals) {
        if (!merged.empty() && interval.start < merged.back().stop)
            merged.back().stop = std::max(merged.back().stop, interval.stop);
        else
            merged.push_back(interval);
    }
    return merged;
}

// Of two lists as `disjoint` returns them.
std::vector<Interval> intersection(const std::vector<Interval>& a, const std::vector<Interval>& b) {
    std::vector<Interval> common;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        const Interval both{std::max(a[i].start, b[j].start), std::min(a[i].stop, b[j].stop)};
        if (both.stop > both.start) common.push_back(both);
        if (a[i].stop < b[j].stop)
            ++i;
        else
            ++j;
    }
    return common;
}

double even_step(const std::vector<double>& stamps, const std::string& where) {
    if (stamps.size() < 2) throw Error(where + ": has fewer than two entries");
    const double step = (stamps.back() - stamps.front()) / static_cast<double>(stamps.size() - 1);
    for (std::size_t i = 1; i < stamps.size(); ++i) {
        if (!(stamps[i] > stamps[i - 1]))
            throw Error(concat(where, ": goes from ", stamps[i - 1], " to ", stamps[i],
                               " at entry ", i, "; ascending times are expected"));
        if (!(std::abs(stamps[i] - stamps[i - 1] - step) <= 0.01 * step))
            throw Error(concat(where, ": uneven, the step at entry ", i, " is ",
                               significant(stamps[i] - stamps[i - 1], 5), " s where ",
                               significant(step, 5),
                               " s is the mean; even sampling within 1% is expected"));
    }
    return positive_number(step, where + ": the step");
}

} // namespace

NwbUnits::NwbUnits(const hdf5::Group& units)
    : times_(units.dataset("spike_times").expect_numeric().expect_rank(1)),
      ends_(read_ends(units.dataset("spike_times_index"), times_.size())) {
    if (!units.has_dataset("id")) {
        ids_.resize(ends_.size());
        std::iota(ids_.begin(), ids_.end(), 0);
        return;
    }
    ids_ = whole_numbers(units.dataset("id"));
    if (ids_.size() != ends_.size())
        throw Error(concat(units.where(), "/id: has ", ids_.size(), " entries; one a unit, ",
                           ends_.size(), ", is expected"));
}

Index NwbUnits::begin(Index unit) const {
    return unit == 0 ? 0 : ends_[static_cast<std::size_t>(unit - 1)];
}

Index NwbUnits::most_spikes() const {
    Index most = 0;
    for (Index unit = 0; unit < count(); ++unit)
        most = std::max(most, ends_[static_cast<std::size_t>(unit)] - begin(unit));
    return most;
}

Index NwbUnits::spikes_together() const {
    constexpr Index together = Index{1} << 22U; // a chunk is inflated whenever it is read from
    return std::min(times_.size(), std::max(together, most_spikes()));
}

void NwbUnits::for_each(const std::function<void(Index, std::vector<double>)>& take) const {
    std::vector<double> ahead;
    Index first = 0; // of those that are read ahead
    for (Index unit = 0; unit < count(); ++unit) {
        const Index start = begin(unit), end = ends_[static_cast<std::size_t>(unit)];
        if (end > first + static_cast<Index>(ahead.size())) {
            first = start;
            ahead.resize(
                static_cast<std::size_t>(std::min(spikes_together(), times_.size() - start)));
            times_.read_box({first}, {static_cast<Index>(ahead.size())}, ahead.data());
        }
        take(unit, {ahead.begin() + (start - first), ahead.begin() + (end - first)});
    }
}

SpikeTrains read_nwb_units(const hdf5::Group& units) {
    const NwbUnits all(units);
    SpikeTrains trains;
    trains.ids = all.ids();
    all.for_each(
        [&](Index, std::vector<double> times) { trains.times.push_back(std::move(times)); });
    return trains;
}

std::vector<Interval> read_nwb_trials(const hdf5::Group& root) {
    const hdf5::Group trials = root.group("/intervals/trials");
    const auto starts = trials.dataset("start_time").expect_numeric().read<double>();
    const auto stops = trials.dataset("stop_time").expect_numeric().read<double>();
    if (starts.size() != stops.size())
        throw Error(trials.where() + ": has different numbers of starts and stops");
    if (starts.empty()) throw Error(trials.where() + ": holds no trial; one or more are expected");
    std::vector<Interval> intervals;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        if (!(stops[i] > starts[i]))
            throw Error(concat(trials.where(), ": trial ", i, " ends at ", stops[i],
                               " s, before it starts"));
        intervals.push_back({starts[i], stops[i]});
    }
    return intervals;
}

std::vector<std::vector<Interval>> read_nwb_observation_of_units(const hdf5::Group& units) {
    if (!units.has_dataset("obs_intervals")) return {};
    const hdf5::Dataset dataset = units.dataset("obs_intervals");
    const RowMatrix all = dataset.read_matrix();
    if (all.cols() != 2)
        throw Error(dataset.where() + ": has the shape " + hdf5::shape_text(dataset.shape()) +
                    "; n x 2 is expected");
    const auto ends = read_ends(units.dataset("obs_intervals_index"), all.rows());
    const Index count = units.dataset("spike_times_index").size();
    if (static_cast<Index>(ends.size()) != count)
        throw Error(concat(dataset.where(), "_index: has ", ends.size(), " entries; one a unit, ",
                           count, ", is expected"));
    std::vector<std::vector<Interval>> observed;
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
        std::vector<Interval> own;
        for (std::int64_t i = begin; i < end; ++i) own.push_back({all(i, 0), all(i, 1)});
        begin = end;
        observed.push_back(disjoint(std::move(own), dataset.where()));
    }
    return observed;
}

std::vector<Interval> read_nwb_observation(const hdf5::Group& units) {
    const auto observed = read_nwb_observation_of_units(units);
    std::vector<Interval> common;
    for (std::size_t unit = 0; unit < observed.size(); ++unit) {
        common = unit == 0 ? observed[unit] : intersection(common, observed[unit]);
        if (common.empty())
            throw Error(concat(units.where(), "/obs_intervals: there is no time in which all ",
                               "units up to unit ", unit,
                               " were observed; common intervals are expected"));
    }
    return common;
}

Sampling nwb_sampling(const hdf5::Group& series, Index samples) {
    if (series.has_dataset("starting_time")) {
        const auto start = series.dataset("starting_time").expect_numeric();
        const auto rate = positive_attribute(start, "rate");
        if (!rate)
            throw Error(start.where() + ": has no attribute 'rate'; samples a second are expected");
        const auto seconds = start.read<double>();
        if (seconds.size() != 1 || !std::isfinite(seconds.front()))
            throw Error(start.where() + ": one finite time is expected");
        return {seconds.front(), 1 / *rate};
    }
    const auto dataset = series.dataset("timestamps").expect_numeric();
    if (dataset.size() != samples)
        throw Error(concat(dataset.where(), ": has ", dataset.size(),
                           " entries; one a sample of the data, ", samples, ", is expected"));
    const auto stamps = dataset.read<double>();
    const double step = even_step(stamps, dataset.where());
    return {stamps.front(), step};
}

} // namespace assay::formats
