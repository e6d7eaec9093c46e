// Which component of one decomposition is which of another, and how near they are. The CP model
// fixes components up to their order and, in pairs, their signs; scales between modes are fixed by
// priors alone. Overlaps are those of arXiv 1810.10065: M_a = Xhat_a^T X_a / N_a with the truth,
// Q_a = Xhat_a^T Xhat_a / N_a.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/fit_result.hpp>
#include <assay/tensor_amp/model.hpp>

#include <vector>

namespace assay::tensor_amp {

// How the cosines of a pair's columns make one number: their product over modes, or their mean.
enum class SimilarityScore { product, mean };

struct Alignment {
    MatrixXd similarity;        // of component j of the reference with l of the other, 0 to 1
    std::vector<Index> partner; // of each reference component: one of the other, or -1
    MatrixXd cosines;           // mode x reference component, after the flips; 0 without partner
    MatrixXd signs;             // mode x reference component: +-1, by which the partner is flipped
    VectorXd score;             // similarity of each pair, 0 without partner
    // Of the pairs; 1 for equal decompositions.
    [[nodiscard]] ASSAY_API double mean_similarity() const;
    // Components of the other one that are nobody's partner.
    [[nodiscard]] ASSAY_API std::vector<Index> unmatched() const;
};

// Which signs of a component a model leaves open: those of `modes`, in pairs; or, where all modes
// have one factor, all of them `together`.
struct FreeSigns {
    std::vector<Index> modes; // ascending
    bool together = false;
};
// All modes, in pairs.
[[nodiscard]] ASSAY_API FreeSigns all_signs(Index order);
// None of a nonnegative mode, of one that least squares kept as given, or whose prior has a mean
// that was not learned; with one factor for all modes none of an odd order.
[[nodiscard]] ASSAY_API FreeSigns free_signs(const FitResult& fit);
// What both leave open.
[[nodiscard]] ASSAY_API FreeSigns common_signs(const FreeSigns& a, const FreeSigns& b);

// The pairing of largest total similarity (Hungarian assignment). Signs that are free are flipped,
// so that the product over modes stays and as many cosines as can be are positive. Columns of norm
// 0 have cosine 0. Throws Error where modes or their lengths differ.
[[nodiscard]] ASSAY_API Alignment align(const Factors& reference, const Factors& other,
                                        SimilarityScore score, const FreeSigns& free);
[[nodiscard]] ASSAY_API Alignment align(const Factors& reference, const Factors& other,
                                        SimilarityScore score);

// Component k of the new factors is column source(k), times multiplier(a, k) in mode a.
struct ComponentMap {
    std::vector<Index> source;
    MatrixXd multiplier; // mode x component
};
[[nodiscard]] ASSAY_API MatrixXd mapped_factor(const MatrixXd& factor, const ComponentMap& map,
                                               Index mode);
// Rows of r^2 numbers, one or many.
[[nodiscard]] ASSAY_API MatrixXd mapped_covariances(const MatrixXd& rows, const ComponentMap& map,
                                                    Index mode);

// The order in which results are written: descending weight; the entry of largest magnitude is
// positive in every mode whose sign is free but the last, which takes the remaining sign. The order
// stays where a prior that is not Gaussian tells components apart, and where it was given.
[[nodiscard]] ASSAY_API ComponentMap canonical_order(const FitResult& fit);
// The fit with its components in that order: factors, covariances, fields, priors.
[[nodiscard]] ASSAY_API FitResult in_canonical_order(const FitResult& fit);

// Whether the columns of an estimate are rescaled between modes, their product left as it is, to
// the reference's relative norms: for estimates whose scales no prior fixes.
enum class ScaleGauge { keep, match };
// Match where priors were learned or there are none.
[[nodiscard]] ASSAY_API ScaleGauge gauge_of(const FitResult& fit);

// How the claimed posterior variance compares with the squared error; pairs only.
struct ModeCalibration {
    double claimed = 0;       // mean posterior variance of an entry
    double squared_error = 0; // mean
    double coverage_50 = 0, coverage_90 = 0;
    VectorXd histogram; // of (xhat - x) / sd, kHistogramBins from -kHistogramReach; ends hold tails
    [[nodiscard]] double ratio() const { return claimed / squared_error; }
};
inline constexpr Index kHistogramBins = 40;
inline constexpr double kHistogramReach = 4;

// Of an estimate's components in the order and signs of a reference, r x r of the reference in each
// mode: 0 where one has no partner.
struct PairedOverlaps {
    std::vector<MatrixXd> with_reference; // M_a = Xhat_a^T X_a / N_a: rows are partners
    std::vector<MatrixXd> own;            // Q_a = Xhat_a^T Xhat_a / N_a
};
[[nodiscard]] ASSAY_API PairedOverlaps paired_overlaps(const Factors& reference,
                                                       const Factors& estimate,
                                                       const Alignment& alignment,
                                                       ScaleGauge gauge);

struct TruthComparison {
    Alignment alignment; // the truth is the reference
    PairedOverlaps overlaps;
    VectorXd mse;                             // of each mode: mean over rows of |xhat - x|^2
    double signal_error = 0;                  // |What - W|^2 / |W|^2, of all components
    std::vector<ModeCalibration> calibration; // of each mode; empty without covariances
};

// Throws Error where the shapes differ.
[[nodiscard]] ASSAY_API TruthComparison compare_with_truth(const FitResult& fit,
                                                           const Factors& truth,
                                                           SimilarityScore score, ScaleGauge gauge);

// |A - B|^2 / |B|^2 of two tensors given by their factors, from Gram matrices.
[[nodiscard]] ASSAY_API double signal_error(const Factors& estimate, const Factors& truth);

// Overlaps of every sweep in the order and signs of the truth, as the final factors are paired with
// it: M (r_true x r_true) and Q of the partners, 0 without one.
ASSAY_API void align_trace(FitResult& fit, const Factors& truth);

} // namespace assay::tensor_amp
