// A start from parts of a long recording. Motifs recur, so a few evenly spread stretches show most
// of what the whole does, at a fraction of its cost: the descent runs on them first, each level on
// four times the bins of the one before, and then begins on the whole with the motifs found there
// and activations fitted to them.
#pragma once

#include <assay/cnmf/fit.hpp>

#include <vector>

namespace assay::cnmf {

// Evenly spread stretches of `length` bins, `bins` in all but for one stretch, ascending and
// disjoint; each lies in one segment (a shorter one is taken whole). Empty where that would be more
// than half of the recording. Preconditions: length, bins >= 1.
[[nodiscard]] ASSAY_API std::vector<TimeAxis::Piece> spread_stretches(const TimeAxis& axis,
                                                                      Index length, Index bins);

// Stretches of a recording as a recording of its own, every stretch a segment, and what is masked
// there.
struct Part {
    DenseRecording recording;
    Mask masked;
};
// Precondition: `stretches` is not empty. Entries in `masked` are read as 0.
[[nodiscard]] ASSAY_API Part part_of(const Recording& whole, const Mask& masked,
                                     const std::vector<TimeAxis::Piece>& stretches);

// Motifs and activations to begin the descent on the whole recording with, in scale; nothing, and
// a warning, where it is too short or too silent for a level or memory too small. The first level
// starts at random, as `index` says; restarts, stopping rules but for time, x-ortho and centring of
// `options` do not reach the levels, and penalties on motifs weigh in proportion to their bins.
// What is unseen stays unseen. A level takes at most a quarter of the memory that `data` may use.
// Throws Interrupted.
[[nodiscard]] ASSAY_API std::optional<Model> coarse_start(const Data& data, DataProducts& products,
                                                          const Unseen& unseen,
                                                          const FitOptions& options,
                                                          StartIndex index, const Execution& run);

} // namespace assay::cnmf
