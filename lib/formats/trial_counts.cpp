#include <assay/formats/trial_counts.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/excerpt.hpp>
#include <assay/formats/interval_index.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace assay::formats {
namespace {

Index bins_of(const TrialWindow& window) {
    const double bins = (window.around.stop - window.around.start) / window.dt;
    if (!(bins > 0.5) || std::abs(bins - std::round(bins)) > 1e-6 ||
        !(bins <= static_cast<double>(kMostBins)))
        throw Error(concat("a window from ", window.around.start, " to ", window.around.stop,
                           " s holds ", shortest(bins), " bins of ", window.dt,
                           " s; a whole number, at most ", kMostBins, ", is expected"));
    return static_cast<Index>(std::lround(bins));
}

// Nothing for a trial without the event.
using TrialWindows = std::vector<std::optional<Interval>>;

TrialWindows windows_about(const hdf5::Dataset& events, const TrialWindow& window) {
    const auto times = events.expect_numeric().expect_rank(1).read<double>();
    if (times.empty()) throw Error(events.where() + ": holds no trial; one or more are expected");
    const double length = static_cast<double>(bins_of(window)) * window.dt;
    TrialWindows windows(times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
        if (!std::isfinite(times[i])) {
            if (window.gaps) continue;
            throw Error(concat(events.where(), ": trial ", i, " has no time (", times[i],
                               "); --missing nan takes such trials as unobserved"));
        }
        const double start = times[i] + window.around.start;
        windows[i] = Interval{start, start + length};
    }
    if (std::none_of(windows.begin(), windows.end(), [](const auto& w) { return w.has_value(); }))
        throw Error(events.where() + ": no trial has a time");
    return windows;
}

// The bins of one unit about all trials, time x trial.
class UnitCounts {
  public:
    UnitCounts(const TrialWindow& window, const TrialWindows& windows)
        : dt_(window.dt), bins_(bins_of(window)), trials_(static_cast<Index>(windows.size())) {
        for (std::size_t trial = 0; trial < windows.size(); ++trial) {
            if (!windows[trial]) continue;
            trial_of_.push_back(static_cast<Index>(trial));
            windows_.push_back(*windows[trial]);
        }
    }

    [[nodiscard]] Index bins() const { return bins_; }
    [[nodiscard]] Index trials() const { return trials_; }

    // 0 where the unit was observed (always, where `observed` is null), else NaN.
    void clear(const std::vector<Interval>* observed, std::vector<double>& block) const {
        block.assign(static_cast<std::size_t>(bins_ * trials_),
                     std::numeric_limits<double>::quiet_NaN());
        const double rounding = 1e-9 * dt_;
        for (std::size_t w = 0; w < windows_.size(); ++w)
            for (Index bin = 0; bin < bins_; ++bin) {
                const double start = windows_[w].start + static_cast<double>(bin) * dt_;
                if (observed == nullptr ||
                    within(*observed, start + rounding, start + dt_ - rounding))
                    block[place(bin, w)] = 0;
            }
    }

    [[nodiscard]] IntervalIndex index() const { return IntervalIndex(windows_); }

    void add(const std::vector<double>& times, std::int64_t unit, const IntervalIndex& index,
             std::vector<double>& block) const {
        for (const double s : times) {
            expect_time(s, unit);
            index.containing(s, [&](std::size_t w) {
                const Index bin = bin_of(s, windows_[w].start, dt_);
                if (bin < bins_) ++block[place(bin, w)];
            });
        }
    }

  private:
    [[nodiscard]] std::size_t place(Index bin, std::size_t w) const {
        return static_cast<std::size_t>(bin * trials_ + trial_of_[w]);
    }
    // Whether one of the disjoint, ascending stretches holds all of it.
    [[nodiscard]] static bool within(const std::vector<Interval>& stretches, double start,
                                     double stop) {
        const auto later =
            std::upper_bound(stretches.begin(), stretches.end(), start,
                             [](double s, const Interval& stretch) { return s < stretch.start; });
        return later != stretches.begin() && std::prev(later)->stop >= stop;
    }

    double dt_;
    Index bins_, trials_;
    std::vector<Interval> windows_;
    std::vector<Index> trial_of_; // each window's
};

} // namespace

DenseFile trial_counts(const hdf5::Address& address, const TrialWindow& window,
                       const Opener& opener) {
    if (file_kind(address) != FileKind::hdf5)
        throw Error(address.name() + ": is no NWB file; spike times and trials are expected");
    const hdf5::Group root = opener.hdf5(address).root();
    const std::string path = address.path.empty() ? "/units" : address.path;
    const std::string name = address.file + ":" + path;
    if (!root.has_group(path) || !root.has_group("/intervals/trials"))
        throw Error(name + ": spike times of NWB beside /intervals/trials are expected");
    const hdf5::Group group = root.group(path);
    const UnitCounts counts(
        window, windows_about(root.group("/intervals/trials").dataset(window.event), window));
    const NwbUnits units(group);
    auto observed = read_nwb_observation_of_units(group);
    for (auto& stretches : observed) stretches = joined(stretches);
    const Index block_size = counts.bins() * counts.trials();
    StoredArray array{{units.count(), counts.bins(), counts.trials()}, 0, {}};
    array.bytes = sizeof(double) *
                  static_cast<double>(units.spikes_together() + units.most_spikes() + block_size);
    array.read = [=](const NumberBlock& take) {
        const IntervalIndex index = counts.index();
        std::vector<double> block;
        units.for_each([&](Index unit, const std::vector<double>& times) {
            const auto at = static_cast<std::size_t>(unit);
            counts.clear(observed.empty() ? nullptr : &observed[at], block);
            at_place(name, [&] { counts.add(times, units.ids()[at], index, block); });
            take(unit * block_size, block.data(), block_size);
        });
    };
    return {name, std::move(array)};
}

} // namespace assay::formats
