#include <assay/formats/excerpt.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::formats {
namespace {

class Excerpt : public Recording {
  public:
    Excerpt(std::unique_ptr<Recording> recording, const std::vector<Stretch>& stretches)
        : recording_(std::move(recording)) {
        bin_seconds = recording_->bin_seconds;
        unit_ids = recording_->unit_ids;
        segment_start.clear();
        for (const Stretch& stretch : stretches) {
            parts_.push_back({stretch.first, stretch.bins, bins_});
            segment_start.push_back(bins_);
            bins_ += stretch.bins;
        }
    }
    [[nodiscard]] Index units() const override { return recording_->units(); }
    [[nodiscard]] Index bins() const override { return bins_; }
    [[nodiscard]] bool in_memory() const override { return recording_->in_memory(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        Matrix block(units(), count);
        for_each_piece(first_bin, count, [&](Index source, Index bins, Index here) {
            block.middleCols(here, bins) = recording_->read(source, bins);
        });
        return block;
    }
    [[nodiscard]] SparseMatrix read_sparse(Index first_bin, Index count) const override {
        SparseMatrix block(units(), count);
        for_each_piece(first_bin, count, [&](Index source, Index bins, Index here) {
            const SparseMatrix piece = recording_->read_sparse(source, bins);
            for (Index t = 0; t < bins; ++t) {
                block.startVec(here + t);
                for (SparseMatrix::InnerIterator it(piece, t); it; ++it)
                    block.insertBackByOuterInner(here + t, it.row()) = it.value();
            }
        });
        block.finalize();
        return block;
    }

  private:
    struct Part {
        Index source, bins, first;
    };
    // body(bin in the source, bins, place in the block) in ascending order.
    template <class Body>
    void for_each_piece(Index first_bin, Index count, const Body& body) const {
        for (const Part& part : parts_) {
            const Index begin = std::max(first_bin, part.first),
                        end = std::min(first_bin + count, part.first + part.bins);
            if (begin < end) body(part.source + begin - part.first, end - begin, begin - first_bin);
        }
    }
    std::unique_ptr<Recording> recording_;
    std::vector<Part> parts_;
    Index bins_ = 0;
};

// The first bin of a segment, of `bins`, that starts at `seconds` after it or later.
Index first_from(double seconds, double bin_seconds, Index bins) {
    const double bin = std::ceil(seconds / bin_seconds - 1e-9);
    return static_cast<Index>(std::clamp(bin, 0.0, static_cast<double>(bins)));
}

} // namespace

std::vector<Stretch> stretches_within(const RecordingFacts& facts, Index bins,
                                      const std::vector<Interval>& intervals) {
    const std::vector<Index>& starts = facts.segment_start;
    const double dt = *facts.bin_seconds;
    std::vector<Stretch> stretches;
    for (const Interval& interval : intervals) {
        const std::size_t before = stretches.size();
        for (std::size_t s = 0; s < starts.size(); ++s) {
            const Index length = (s + 1 < starts.size() ? starts[s + 1] : bins) - starts[s];
            const double time = facts.seconds_of(starts[s]);
            const Index first = first_from(interval.start - time, dt, length),
                        end = first_from(interval.stop - time, dt, length);
            if (first < end) stretches.push_back({starts[s] + first, end - first});
        }
        if (stretches.size() == before)
            throw Error(concat("no bin starts between ", interval.start, " and ", interval.stop,
                               " s; the recording runs from ", facts.seconds_of(0), " to ",
                               facts.seconds_of(bins - 1) + dt, " s"));
    }
    return stretches;
}

std::unique_ptr<Recording> excerpt(std::unique_ptr<Recording> recording,
                                   const std::vector<Stretch>& stretches) {
    return std::make_unique<Excerpt>(std::move(recording), stretches);
}

std::vector<Interval> intervals_between(const std::vector<Interval>& intervals,
                                        const std::optional<double>& start,
                                        const std::optional<double>& stop) {
    constexpr double kEver = std::numeric_limits<double>::infinity();
    const double from = start.value_or(-kEver), to = stop.value_or(kEver);
    std::vector<Interval> left;
    for (const Interval& interval : intervals) {
        const Interval part{std::max(interval.start, from), std::min(interval.stop, to)};
        if (part.start < part.stop) left.push_back(part);
    }
    if (left.empty())
        throw Error(concat("its ", intervals.size(), " intervals hold no time from ", from, " to ",
                           to, " s (--start and --stop)"));
    return left;
}

std::vector<Interval> joined(const std::vector<Interval>& intervals) {
    std::vector<Interval> result;
    for (const Interval& interval : intervals)
        if (!result.empty() && result.back().stop == interval.start)
            result.back().stop = interval.stop;
        else
            result.push_back(interval);
    return result;
}

} // namespace assay::formats
