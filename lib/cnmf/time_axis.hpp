// Convolutive model on a padded time axis. Each segment of the recording is followed (and the first
// preceded) by L-1 rows that stay zero, so that convolution never crosses a border and a row of the
// unfolded activations, U[t,:] = (H[t-L+1,:], ..., H[t,:]), is a contiguous stretch of the
// time-major array: nothing is ever unfolded. Columns of the unfolding run lag-descending: column q
// K + k is lag l = L-1-q of component k.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::cnmf {

// Time-major arrays on the padded axis: rows x components.
using TimeMatrix = RowMatrix;
using UnfoldedView = Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>;

// Bins of a block, and into how many lanes sums over blocks are split at most: fixed numbers, so
// that bits do not depend on the number of threads.
inline constexpr Index kBlockBins = 4096, kMostLanes = 16;

struct Segment {
    Index first_bin; // in the recording
    Index bins;
    Index first_row; // on the padded axis
};

class ASSAY_API TimeAxis {
  public:
    // Precondition: segment_start ascends from 0 and lies below `bins`; lags >= 1.
    TimeAxis(Index bins, const std::vector<Index>& segment_start, Index lags);

    [[nodiscard]] Index bins() const { return bins_; }
    [[nodiscard]] Index lags() const { return lags_; }
    [[nodiscard]] Index rows() const { return rows_; }
    [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }

    // (K x bins) to (rows x K) with zero padding, and back.
    [[nodiscard]] TimeMatrix padded(const Matrix& activations) const;
    [[nodiscard]] Matrix unpadded(const TimeMatrix& rows) const;
    // Sets the padding of a time-major array to zero.
    void clear_padding(TimeMatrix& rows) const;

    // The row of a bin.
    [[nodiscard]] Index row_of(Index bin) const;

    // A stretch of bins inside one segment.
    struct Piece {
        Index first_bin;
        Index bins;
        Index first_row;
    };
    // All segments cut into pieces of at most `length` bins. Where `shortest` > 0, a last piece
    // shorter than that is merged into the one before.
    [[nodiscard]] std::vector<Piece> pieces(Index length, Index shortest = 0) const;

  private:
    Index bins_;
    Index lags_;
    Index rows_;
    std::vector<Segment> segments_;
};

// Rows first_row .. first_row + count - 1 of U^T (count x K L) as a view into `activations`.
template <class Scalar>
[[nodiscard]] auto
unfolded(const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>& activations,
         Index lags, Index first_row, Index count) {
    using Rows = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using View = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;
    const Index components = activations.cols();
    return View(activations.data() + (first_row - lags + 1) * components, count, components * lags,
                Eigen::OuterStride<>(components));
}

// W (K x N x L, C order) to the motif matrix (N x K L, lag-descending columns), and back.
[[nodiscard]] ASSAY_API Matrix motif_matrix(const std::vector<double>& tensor, Index components,
                                            Index units, Index lags);
[[nodiscard]] ASSAY_API std::vector<double> motif_tensor(const Matrix& motifs, Index components);
// The column of lag l of component k.
[[nodiscard]] inline Index motif_column(Index component, Index lag, Index components, Index lags) {
    return (lags - 1 - lag) * components + component;
}

// Sums over |t - t'| < lags inside each segment: column k of the result is (row k of the array) S.
// No subtraction, so nonnegative input gives nonnegative output. Cost O(rows K).
[[nodiscard]] ASSAY_API TimeMatrix window_sums(const TimeMatrix& rows, const TimeAxis& axis);

} // namespace assay::cnmf
