// What noise does to the modes of a data set: singular values of a low-rank matrix plus noise
// (Benaych-Georges and Nadakuditi 2012), and how to undo it (Gavish and Donoho 2014, arXiv
// 1305.5870, and 2017). Singular values in units in which the noise has std 1/sqrt(N1) an entry;
// aspect A = N3/N1. A teacher's value s above A^{1/4} shows as shat = sqrt((1+s^2)(A+s^2))/s; the
// rest fill the Marchenko-Pastur bulk [|1 - sqrt A|, 1 + sqrt A].
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <vector>

namespace assay::lindyn {

// Where a teacher's singular value appears in the data; 1 + sqrt A below threshold.
[[nodiscard]] ASSAY_API double observed_value(double teacher, double aspect);
// Its inverse; 0 for values within the bulk.
[[nodiscard]] ASSAY_API double teacher_value(double observed, double aspect);
// Squared overlaps of the data's singular vectors with the teacher's; 0 below threshold.
struct Overlaps {
    double output = 0, input = 0;
};
[[nodiscard]] ASSAY_API Overlaps squared_overlaps(double teacher, double aspect);
// What is to be least of the difference of a matrix to the one without noise: its Frobenius norm,
// its largest singular value, or the sum of these (Gavish and Donoho 2017; the largest one of
// matrices that are not square: Leeb 2022, arXiv 2005.11807).
enum class ShrinkageLoss { frobenius, operator_norm, nuclear };
// The singular value to put in place of an observed one.
[[nodiscard]] ASSAY_API double shrunk_value(double observed, double aspect,
                                            ShrinkageLoss loss = ShrinkageLoss::frobenius);
// The largest singular value that noise of N3 x N1 alone shows in 99 of 100 draws (Tracy-Widom).
[[nodiscard]] ASSAY_API double detection_edge(Index inputs, Index outputs);
// Median of the bulk of singular values (those above 0), to 1e-6.
[[nodiscard]] ASSAY_API double bulk_median(double aspect);
// Noise unit from the median of all min(N1, N3) singular values, most of which are noise.
[[nodiscard]] ASSAY_API double noise_unit(const Vector& singular_values, Index inputs,
                                          Index outputs);
// The same from the first singular values and `power`, the sum of the squares of all: K modes that
// stand out of the noise leave (N1 - K)(N3 - K)/N1 squared units of it. K is the largest, up to
// half of all modes, that agrees with its unit. 0 where all that are given stand out, so that more
// are needed.
[[nodiscard]] ASSAY_API double noise_unit_of_rest(const Vector& singular_values, double power,
                                                  Index inputs, Index outputs);

// What all modes but the first (descending `singular_values`, all of them signals) leave beyond the
// noise, of the sum of squares `power`: signals that are missing. 0 where `power` is not known.
[[nodiscard]] ASSAY_API double missing_power(const Vector& singular_values, double power,
                                             Index inputs, Index outputs, double unit);

// One row of these a mode; all NaN without a noise unit.
struct NoiseReport {
    double unit = 0;
    Vector snr, overlap_output, overlap_input, shrunk;
    std::vector<std::uint8_t> detected;
    [[nodiscard]] ASSAY_API Index detections() const;
};
// unit <= 0: nothing is known of the noise; every mode counts as detected.
[[nodiscard]] ASSAY_API NoiseReport judge_modes(const Vector& singular_values, Index inputs,
                                                Index outputs, double unit);

} // namespace assay::lindyn
