// The small matrices in which convolutive NMF lives once the data products are done (Gram space):
// A = U U^T from the activations, the correlation tables C of the motifs, and the gradient field P
// in H.
#pragma once

#include <assay/cnmf/time_axis.hpp>
#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>

#include <functional>
#include <vector>

namespace assay::cnmf {

// A (K L x K L, lag-descending): sums over the bins of every segment. First block row by one
// product, the rest by A[(l+1,k),(l'+1,k')] = A[(l,k),(l',k')] - H[k,T-1-l] H[k',T-1-l'].
[[nodiscard]] ASSAY_API Matrix activation_gram(const TimeMatrix& activations, const TimeAxis& axis,
                                               const Execution& run);

// C[k,k',d] = sum_l M[(l,k),(l-d,k')], M = W^T W, |d| < L: what a unit of H[k,t] adds to the
// gradient at H[k',t+d]. In the last L-1 bins of a segment the sum stops at l <= m = T-1-t: one
// table per m.
class ASSAY_API MotifCorrelation {
  public:
    MotifCorrelation(const Matrix& motifs, Index components);

    [[nodiscard]] Index components() const { return components_; }
    [[nodiscard]] Index lags() const { return lags_; }
    // Row k, column (d + L-1) K + k'. `bins_left` = T-1-t of the bin the row belongs to.
    [[nodiscard]] const RowMatrix& table(Index bins_left) const {
        return bins_left >= lags_ - 1 ? full_ : tails_[static_cast<std::size_t>(bins_left)];
    }
    [[nodiscard]] const RowMatrix& full() const { return full_; }

    // The matrix edits of section 4: l2 on the diagonal at lag 0, `events` between different
    // components at all lags.
    void add_penalties(double l2, double events);
    // C[k,k,0] of every component, away from the end of a segment.
    [[nodiscard]] Vector diagonal() const;

  private:
    Index components_;
    Index lags_;
    RowMatrix full_;
    std::vector<RowMatrix> tails_;
};

// C * H on the padded axis (rows x K); the padding of the result is zero.
[[nodiscard]] ASSAY_API TimeMatrix correlate(const MotifCorrelation& correlation,
                                             const TimeMatrix& activations, const TimeAxis& axis,
                                             const Execution& run);

// Chunks of the time axis for coordinate descent: longer than 2L-2, so that chunks of one colour
// (even, odd) touch disjoint rows and may run in parallel with the same bits for every number of
// threads.
[[nodiscard]] ASSAY_API std::vector<TimeAxis::Piece> chunks(const TimeAxis& axis);
// Runs `body` on all even chunks, then on all odd ones.
ASSAY_API void for_each_colour(const std::vector<TimeAxis::Piece>& pieces, int threads,
                               const std::function<void(Index chunk)>& body);

// Bins between a row of `piece`'s segment and the segment's end, for each piece of `pieces`.
[[nodiscard]] ASSAY_API std::vector<Index> segment_ends(const std::vector<TimeAxis::Piece>& pieces,
                                                        const TimeAxis& axis);

// Sum over all entries of the product of two arrays, blocks in fixed order.
[[nodiscard]] ASSAY_API double inner_product(const TimeMatrix& a, const TimeMatrix& b);

} // namespace assay::cnmf
