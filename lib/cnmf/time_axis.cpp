#include <assay/cnmf/time_axis.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <utility>

namespace assay::cnmf {

TimeAxis::TimeAxis(Index bins, const std::vector<Index>& segment_start, Index lags)
    : bins_(bins), lags_(lags), rows_(lags - 1) {
    ASSAY_ASSERT(!segment_start.empty() && segment_start.front() == 0,
                 "segments must start at bin 0");
    for (std::size_t i = 0; i < segment_start.size(); ++i) {
        const Index end = i + 1 < segment_start.size() ? segment_start[i + 1] : bins;
        segments_.push_back({segment_start[i], end - segment_start[i], rows_});
        rows_ += segments_.back().bins + lags - 1;
    }
}

TimeMatrix TimeAxis::padded(const Matrix& activations) const {
    TimeMatrix rows = TimeMatrix::Zero(rows_, activations.rows());
    for (const auto& segment : segments_)
        rows.middleRows(segment.first_row, segment.bins) =
            activations.middleCols(segment.first_bin, segment.bins).transpose();
    return rows;
}

Matrix TimeAxis::unpadded(const TimeMatrix& rows) const {
    Matrix activations(rows.cols(), bins_);
    for (const auto& segment : segments_)
        activations.middleCols(segment.first_bin, segment.bins) =
            rows.middleRows(segment.first_row, segment.bins).transpose();
    return activations;
}

void TimeAxis::clear_padding(TimeMatrix& rows) const {
    rows.topRows(lags_ - 1).setZero();
    for (const auto& segment : segments_)
        rows.middleRows(segment.first_row + segment.bins, lags_ - 1).setZero();
}

Index TimeAxis::row_of(Index bin) const {
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), bin,
                                        [](Index b, const Segment& s) { return b < s.first_bin; });
    const Segment& segment = *(after - 1);
    return segment.first_row + bin - segment.first_bin;
}

std::vector<TimeAxis::Piece> TimeAxis::pieces(Index length, Index shortest) const {
    std::vector<Piece> cut;
    for (const auto& segment : segments_) {
        for (Index done = 0; done < segment.bins;) {
            Index extent = std::min(length, segment.bins - done);
            const Index left = segment.bins - done - extent;
            if (left < shortest) extent += left;
            cut.push_back({segment.first_bin + done, extent, segment.first_row + done});
            done += extent;
        }
    }
    return cut;
}

Matrix motif_matrix(const std::vector<double>& tensor, Index components, Index units, Index lags) {
    Matrix motifs(units, components * lags);
    for (Index k = 0; k < components; ++k)
        for (Index n = 0; n < units; ++n)
            for (Index l = 0; l < lags; ++l)
                motifs(n, motif_column(k, l, components, lags)) =
                    tensor[static_cast<std::size_t>((k * units + n) * lags + l)];
    return motifs;
}

std::vector<double> motif_tensor(const Matrix& motifs, Index components) {
    const Index lags = motifs.cols() / components;
    std::vector<double> tensor(static_cast<std::size_t>(motifs.size()));
    for (Index k = 0; k < components; ++k)
        for (Index n = 0; n < motifs.rows(); ++n)
            for (Index l = 0; l < lags; ++l)
                tensor[static_cast<std::size_t>((k * motifs.rows() + n) * lags + l)] =
                    motifs(n, motif_column(k, l, components, lags));
    return tensor;
}

namespace {

// Sums over the first 1, 2, ... rows.
TimeMatrix sums_from_front(const Eigen::Ref<const TimeMatrix>& rows) {
    TimeMatrix sums = rows;
    for (Index t = 1; t < sums.rows(); ++t) sums.row(t) += sums.row(t - 1);
    return sums;
}

// Sums over the last ..., 2, 1 rows.
TimeMatrix sums_to_back(const Eigen::Ref<const TimeMatrix>& rows) {
    TimeMatrix sums = rows;
    for (Index t = sums.rows() - 2; t >= 0; --t) sums.row(t) += sums.row(t + 1);
    return sums;
}

} // namespace

// Blocks as long as the window: a window is the end of one block and the front of the next (van
// Herk 1992), or, where the segment's border cuts it off, one of the two.
TimeMatrix window_sums(const TimeMatrix& rows, const TimeAxis& axis) {
    const Index reach = axis.lags() - 1, width = 2 * reach + 1;
    TimeMatrix sums = TimeMatrix::Zero(rows.rows(), rows.cols());
    for (const auto& segment : axis.segments()) {
        const auto block = [&](Index first) {
            return rows.middleRows(segment.first_row + first,
                                   std::clamp<Index>(segment.bins - first, 0, width));
        };
        TimeMatrix front, next = sums_from_front(block(0));
        for (Index begin = 0; begin < segment.bins; begin += width) {
            const Index end = std::min(begin + width, segment.bins);
            front = std::move(next);
            next = sums_from_front(block(end));
            const TimeMatrix back = sums_to_back(block(begin));
            // Windows whose first bin lies in this block.
            for (Index t = begin == 0 ? 0 : begin + reach;
                 t < std::min(begin + width + reach, segment.bins); ++t) {
                const Index first = std::max<Index>(0, t - reach),
                            last = std::min(segment.bins - 1, t + reach);
                auto sum = sums.row(segment.first_row + t);
                if (last >= end)
                    sum = back.row(first - begin) + next.row(last - end);
                else if (first == begin)
                    sum = front.row(last - begin);
                else
                    sum = back.row(first - begin);
            }
        }
    }
    return sums;
}

} // namespace assay::cnmf
