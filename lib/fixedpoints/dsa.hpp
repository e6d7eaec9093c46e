// Dynamical similarity analysis (Ostrow et al. 2023, arXiv 2306.10168): each network's dynamics as
// a linear operator on delay-embedded activations of low rank (dynamic mode decomposition), and the
// distance of two operators up to an orthogonal change of coordinates.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/dynamics.hpp>

#include <cstdint>

namespace assay::fixedpoints {

// The operator A (r x r) that best predicts v_{t+1} = A v_t within trials, where v are the first r
// left singular vectors of the centred delay-embedded states [h_t, h_{t-1}, ..., h_{t-delays+1}];
// r = `rank`, or fewer where the data have fewer directions (share 1 - 1e-12 of the variance). Pass
// principal coordinates of wide states: O(T (delays S)^2) time, O(T delays S) memory. Throws Error
// where no trial has more than `delays` steps or there are too few steps for the rank.
[[nodiscard]] ASSAY_API Matrix dmd_operator(const Trajectories& trajectories, Index delays,
                                            Index rank);

struct AlignmentOptions {
    // Identity, the permutation of graph matching, the eigenvectors of the symmetric parts with
    // signs from the skew parts, then random orthogonal matrices; each in both components of O(r).
    Index starts = 4;
    Index iterations = 1000;
    double tolerance = 1e-9; // of the gradient, operators scaled to norm 1
    std::uint64_t seed = 0;
};

struct OperatorAlignment {
    double angle = 0; // between A and C B C', radians
    Matrix rotation;  // C, orthogonal
};

// min over C in O(r) of the angle between A and C B C' (the inner product of Frobenius), by
// gradient ascent along Cayley curves (Wen and Yin 2013, Math. Program. 142) from several starts: a
// local search, whose result is an upper bound. The smaller operator is padded with zeros. O(starts
// iterations r^3). Throws Error on operators that are zero, not square or not finite.
[[nodiscard]] ASSAY_API OperatorAlignment align_operators(const Matrix& a, const Matrix& b,
                                                          const AlignmentOptions& options = {});

// The 2-Wasserstein distance of the operators' eigenvalues, the cheap lower cousin of the angle.
[[nodiscard]] ASSAY_API double operator_spectrum_distance(const Matrix& a, const Matrix& b);

} // namespace assay::fixedpoints
