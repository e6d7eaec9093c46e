// Training and test error over time of linear networks that learn a low-rank teacher from noisy
// targets (Lampinen and Ganguli 2019, arXiv 1809.10374). Targets y = W* x + z, noise entries of
// variance 1/N1, so that the teacher's singular values are signal-to-noise ratios; inputs of P
// samples with X X^T = (P/N1) I, or, for P < N1, orthonormal samples. Statistics are sums over
// samples; times are in tau. The student starts with all modes equally strong in the singular
// vectors of the data (one that starts in random directions comes to the same optimum, later;
// students.hpp simulates it).
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/error_model.hpp>
#include <assay/lindyn/quadrature.hpp>
#include <assay/lindyn/spiked.hpp>

#include <limits>

namespace assay::lindyn {

struct Setting {
    Index inputs = 100, outputs = 50;
    Index samples = 0; // 0: as many as inputs
    Vector teacher;    // singular values of W*, descending, at least one
    Student student;
    bool randomized = false; // the entries of the targets are permuted: nothing is left to learn

    [[nodiscard]] Index sample_count() const { return samples > 0 ? samples : inputs; }
};
// Throws Error that names what does not fit: sizes below 1, more singular values than modes, values
// that are not positive and descending, a start that is not positive.
ASSAY_API void check_setting(const Setting& setting);

struct Theory {
    ErrorModel model;
    Vector observed; // where the teacher's modes stand in the data, singular values of Syx
    Vector overlap;  // u^T U* times v^T V* of each
};

// For large matrices (Benaych-Georges and Nadakuditi 2012) of this setting; P = N1 is the paper's
// case, others scale: with delta = P/N1 >= 1, modes are sqrt(delta) times those of a teacher of
// sqrt(delta) s* at aspect N3/N1; below, those of s* at aspect N3/P, times sqrt(delta).
[[nodiscard]] ASSAY_API Theory theory_of(const Setting& setting, Index nodes = kUsualNodes);

// What is known of a data set with Sx = d I.
struct DataModes {
    Vector s; // singular values of Syx, descending: all min(N1, N3), or the first
    NoiseReport noise;
    Index inputs = 0, outputs = 0; // N1, N3
    double d = 1;
    double target_power = 1; // |Y|^2
    // The share of the input directions that the samples span, and so of a teacher's |W*|^2 on
    // average; the rest cannot be learned.
    double seen = 1;
    // |Syx|^2, of all modes; NaN: not known. Where all modes in `s` stand out, it tells how much of
    // a teacher is in the others.
    double power = std::numeric_limits<double>::quiet_NaN();
};
// The same of a data set: modes that stand out of the noise count as signals with the teacher that
// theory gives them, the others as they are; where only the first are known, as the bulk of noise
// beside so many signals, at `nodes` of it. Throws Error where no mode stands out.
[[nodiscard]] ASSAY_API Theory theory_of_data(const DataModes& data, const Student& student,
                                              Index nodes = kUsualNodes);

// A data set whose teacher is known, exactly: overlap_i = u_i^T W* v_i of every mode, and
// square_i the share of |u_i|^2 that counts in the error (1 but in joint problems).
struct KnownTeacher {
    Vector s, overlap, square;
    double d = 1, teacher_power = 1, target_power = 1;
};
[[nodiscard]] ASSAY_API ErrorModel known_model(const KnownTeacher& known, const Student& student);

} // namespace assay::lindyn
