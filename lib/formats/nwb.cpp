// NWB 2: ragged spike times, time series, trials.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#include <algorithm>
#include <cmath>

namespace assay::formats {
namespace {

// Cumulative ends of a ragged column, checked to ascend and stay inside `size`.
std::vector<std::int64_t> read_ends(const hdf5::Dataset& index, Index size) {
    const auto ends = index.expect_numeric().read<std::int64_t>();
    std::int64_t previous = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i] < previous)
            throw Error(concat(index.where(), ": descends from ", previous, " to ", ends[i],
                               " at entry ", i, "; ascending ends are expected"));
        if (ends[i] > size)
            throw Error(concat(index.where(), ": ends at ", ends[i], " at entry ", i,
                               " but there are ", size, " values"));
        previous = ends[i];
    }
    return ends;
}

} // namespace

SpikeTrains read_nwb_units(const hdf5::Group& units) {
    const auto times = units.dataset("spike_times").expect_numeric().read<double>();
    const auto ends =
        read_ends(units.dataset("spike_times_index"), static_cast<Index>(times.size()));
    SpikeTrains trains;
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
        trains.ids.push_back(static_cast<std::int64_t>(trains.ids.size()));
        trains.times.emplace_back(times.begin() + begin, times.begin() + end);
        begin = end;
    }
    if (units.has_dataset("id")) {
        const auto ids = units.dataset("id").read<std::int64_t>();
        if (ids.size() == trains.ids.size()) trains.ids = ids;
    }
    return trains;
}

std::vector<Interval> read_nwb_trials(const hdf5::Group& root) {
    const hdf5::Group trials = root.group("/intervals/trials");
    const auto starts = trials.dataset("start_time").expect_numeric().read<double>();
    const auto stops = trials.dataset("stop_time").expect_numeric().read<double>();
    if (starts.size() != stops.size())
        throw Error(trials.where() + ": has different numbers of starts and stops");
    std::vector<Interval> intervals;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        if (!(stops[i] > starts[i]))
            throw Error(concat(trials.where(), ": trial ", i, " ends at ", stops[i],
                               " s, before it starts"));
        intervals.push_back({starts[i], stops[i]});
    }
    return intervals;
}

std::vector<Interval> read_nwb_observation(const hdf5::Group& units) {
    if (!units.has_dataset("obs_intervals") || !units.has_dataset("obs_intervals_index")) return {};
    const hdf5::Dataset dataset = units.dataset("obs_intervals");
    const RowMatrix all = dataset.read_matrix();
    if (all.cols() != 2)
        throw Error(dataset.where() + ": has the shape " + hdf5::shape_text(dataset.shape()) +
                    "; n x 2 is expected");
    const auto ends = read_ends(units.dataset("obs_intervals_index"), all.rows());
    // Common to all units: intersect the units' lists.
    std::vector<Interval> common;
    std::int64_t begin = 0;
    for (std::size_t unit = 0; unit < ends.size(); ++unit) {
        std::vector<Interval> own;
        for (std::int64_t i = begin; i < ends[unit]; ++i) own.push_back({all(i, 0), all(i, 1)});
        begin = ends[unit];
        if (unit == 0) {
            common = own;
            continue;
        }
        std::vector<Interval> both;
        for (const auto& a : common)
            for (const auto& b : own)
                if (std::min(a.stop, b.stop) > std::max(a.start, b.start))
                    both.push_back({std::max(a.start, b.start), std::min(a.stop, b.stop)});
        common = both;
    }
    return common;
}

double nwb_sample_interval(const hdf5::Group& series) {
    if (series.has_dataset("starting_time")) {
        const auto rate = series.dataset("starting_time").number_attribute("rate");
        if (!rate || !(*rate > 0))
            throw Error(series.where() + "/starting_time: has no positive attribute 'rate'");
        return 1 / *rate;
    }
    const auto stamps = series.dataset("timestamps").expect_numeric().read<double>();
    if (stamps.size() < 2) throw Error(series.where() + "/timestamps: has fewer than two entries");
    const double step = (stamps.back() - stamps.front()) / static_cast<double>(stamps.size() - 1);
    for (std::size_t i = 1; i < stamps.size(); ++i)
        if (!(std::abs(stamps[i] - stamps[i - 1] - step) <= 0.01 * step))
            throw Error(concat(series.where(), "/timestamps: uneven, the step at entry ", i, " is ",
                               significant(stamps[i] - stamps[i - 1], 5), " s where ",
                               significant(step, 5),
                               " s is the mean; even sampling within 1% is expected"));
    return step;
}

} // namespace assay::formats
