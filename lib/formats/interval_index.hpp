// Internal to lib/formats: which of many intervals, that may overlap, hold a time.
#pragma once

#include <assay/formats/spike_trains.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace assay::formats {

class IntervalIndex {
  public:
    // Keeps the intervals, which must outlive it.
    explicit IntervalIndex(const std::vector<Interval>& intervals)
        : intervals_(intervals), by_start_(intervals.size()) {
        std::iota(by_start_.begin(), by_start_.end(), std::size_t{0});
        std::sort(by_start_.begin(), by_start_.end(), [&](std::size_t a, std::size_t b) {
            return intervals[a].start < intervals[b].start;
        });
        for (const std::size_t i : by_start_)
            latest_stop_.push_back(latest_stop_.empty()
                                       ? intervals[i].stop
                                       : std::max(latest_stop_.back(), intervals[i].stop));
    }

    // Calls body(i) for the intervals i with start <= seconds < stop. In log(intervals) and as many
    // steps as intervals that started before still reach beyond `seconds`.
    template <class Body>
    void containing(double seconds, const Body& body) const {
        const auto later =
            std::upper_bound(by_start_.begin(), by_start_.end(), seconds,
                             [&](double s, std::size_t i) { return s < intervals_[i].start; });
        for (auto place = static_cast<std::size_t>(later - by_start_.begin()); place-- > 0;) {
            if (!(seconds < latest_stop_[place])) return;
            if (seconds < intervals_[by_start_[place]].stop) body(by_start_[place]);
        }
    }

  private:
    const std::vector<Interval>& intervals_;
    std::vector<std::size_t> by_start_;
    std::vector<double> latest_stop_; // of those up to a place
};

} // namespace assay::formats
