// What inputs do at the points of a line attractor (arXiv:1906.10720, section 4.3): J_inp (x - x*)
// moves the state, its part along the slowest mode is kept. The input projection of word x at point
// p is l_p^T K_p (x - x*_p), K = dF/dx.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/attractor.hpp>
#include <assay/fixedpoints/bag_of_words.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/points.hpp>
#include <assay/fixedpoints/statistics.hpp>

namespace assay::fixedpoints {

// Rows l_p^T K_p (P x inputs) of every point with left vectors `left` (P x S). One K (S x inputs)
// at a time. Throws Error for shapes that do not fit.
[[nodiscard]] ASSAY_API RowMatrix input_gains(const Dynamics& dynamics, const Points& points,
                                              const RowMatrix& left, const Execution& run);

// Projections (P x V) of words (V x inputs, as the first cell sees them) from gains (P x inputs)
// and the points' own inputs x* (P x inputs): one product, nothing of size P S V.
[[nodiscard]] ASSAY_API RowMatrix input_projections(const RowMatrix& gains, const RowMatrix& words,
                                                    const RowMatrix& point_inputs,
                                                    const Execution& run);

// The effects J_inp (x - x*) of all words at one point, in the plane where they vary most.
struct InputPlane {
    Matrix directions;        // S x 2: first principal directions of the effects (centred)
    Vector ratios;            // of the effects' variance along all principal directions (S)
    RowMatrix coordinates;    // V x 2: the effects along `directions`; an input x* is at the origin
    Eigen::RowVector2d left;  // l along `directions`
    Eigen::RowVector2d right; // r along `directions`
};
// `modes` are those of all points, `point` the one looked at. Forms V x S once. Throws Error for
// S < 2 and a point that is not there.
[[nodiscard]] ASSAY_API InputPlane input_plane(const Dynamics& dynamics, const Points& points,
                                               Index point, const RowMatrix& words,
                                               const RealModes& modes, const Execution& run);

// Means over words of a class of values (rows x V), such as projections: rows x 3, columns
// positive, negative, neutral. NaN for a class without words.
[[nodiscard]] ASSAY_API RowMatrix class_means(const RowMatrix& values, const WordClasses& classes);
// How the class means (P x 3) spread over points: one group a class.
[[nodiscard]] ASSAY_API Histogram class_histogram(const RowMatrix& means, Index bins);

// Pearson's correlation of each row of `projections` (P x V) with one value a word (V), such as
// bag-of-words coefficients or true valences, over the words chosen.
[[nodiscard]] ASSAY_API Vector projection_correlations(const RowMatrix& projections,
                                                       const Vector& values,
                                                       const std::vector<Index>& words);

} // namespace assay::fixedpoints
