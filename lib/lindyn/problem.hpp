// A learning problem as the theory sees it: statistics, their modes, and how far the inputs are
// from what closed forms assume.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/modes.hpp>
#include <assay/lindyn/statistics.hpp>

namespace assay::lindyn {

struct Problem {
    Statistics statistics;  // in r coordinates of the whitened inputs where `basis` is not empty
    Modes modes;            // in the same coordinates
    bool whole = true;      // all modes are there
    bool has_inputs = true; // Sx is known; else only what the modes say of it
    double whiteness = 0, commutation = 0; // of the inputs as they are given
    Matrix basis, root;                    // of whitening (see Whitened); empty without

    [[nodiscard]] bool whitened() const { return basis.size() > 0; }
    // How far the modes are from diagonalising the inputs that are learned: 0 where these are
    // whitened, else the commutation.
    [[nodiscard]] double mode_coupling() const { return whitened() ? 0 : commutation; }
    // N1 of the inputs as they are given.
    [[nodiscard]] Index inputs() const { return whitened() ? basis.rows() : statistics.inputs(); }
    // Input singular vectors in the inputs' own coordinates (whitened: those of Sx^{-1/2} x).
    [[nodiscard]] Matrix input_vectors() const {
        return whitened() ? Matrix(basis * modes.v) : modes.v;
    }
    // A map of the problem's coordinates in the original inputs.
    [[nodiscard]] Matrix original_map(const Matrix& map) const {
        return whitened() ? Matrix(map * root.transpose()) : map;
    }
    // Share of tr Syy that no linear map can learn, 1 - sum s_a q_a / tr Syy.
    [[nodiscard]] ASSAY_API double unlearnable() const;
};

[[nodiscard]] ASSAY_API Problem make_problem(Statistics statistics, bool whitened,
                                             const ModeOptions& options);

// The first modes of samples whose correlations are not formed. Whiteness and commutation are not
// known (NaN) unless inputs are one-hot.
[[nodiscard]] ASSAY_API Problem make_problem(const SampleSource& source,
                                             Normalisation normalisation,
                                             const ModeOptions& options, BlockPrecision precision,
                                             const Execution& run);

// The input variance d of Sx = d I. Throws Error where there is none.
[[nodiscard]] ASSAY_API double need_white(const Problem& problem);

// The noise unit (spiked.hpp) that the data themselves tell, where inputs are white: of the median
// where all modes are there, else of what the first modes leave. 0: it is not known.
[[nodiscard]] ASSAY_API double usual_noise_unit(const Problem& problem);
// The second of these alone.
[[nodiscard]] ASSAY_API double rest_noise_unit(const Problem& problem);

} // namespace assay::lindyn
