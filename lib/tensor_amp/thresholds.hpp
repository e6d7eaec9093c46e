// Where inference is easy, hard and impossible (Kadmon, Ganguli 2018, arXiv 1810.10065; Lesieur,
// Miolane, Lelarge, Krzakala, Zdeborova 2017, arXiv 1701.08010), from the folds of phase_curve.hpp.
// Noise is Delta in model units. At rank above 1, where components separate.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/ensemble.hpp>
#include <assay/tensor_amp/phase_curve.hpp>

#include <optional>
#include <vector>

namespace assay::tensor_amp {

struct Thresholds {
    // Below it the prior-mean start finds what can be found: minima of Delta(P), and the onset
    // where it is a jump. In rising P.
    std::vector<double> algorithmic;
    // Where an informative solution ceases to exist: maxima of Delta(P).
    std::vector<double> dynamic;
    // Where the solution of largest free entropy changes by a jump.
    std::vector<double> information;
    // Continuous onset, with exactly two zero means.
    std::optional<double> bbp;
};
[[nodiscard]] ASSAY_API Thresholds thresholds(const PhaseCurve& curve);

// prod of squared means (of the others) * var_b var_c / sqrt(n_b n_c) of the two modes of zero
// mean; empty unless there are two.
[[nodiscard]] ASSAY_API std::optional<double> bbp_threshold(const PhaseCurve& curve);

// N^{1 - p/2} prod_a E x_a^2: below it the leading singular vectors of unfoldings know the factors,
// at rank 1 with zero means.
[[nodiscard]] ASSAY_API double unfolding_threshold(double mean_dimension, const Ensemble& ensemble);
// Squared overlap of that vector with the truth: 1 - (Delta / threshold)^2, 0 above.
[[nodiscard]] ASSAY_API double unfolding_overlap(double noise_var, double threshold);

// Fixed points at one noise, and what they mean.
enum class Regime {
    easy,       // the prior-mean start reaches the best solution
    hard,       // a better one exists
    impossible, // the uninformed solution is the best
};
struct Accuracy {
    VectorXd reached; // overlaps q_a from the prior mean (with any perturbation)
    VectorXd best;    // of the largest free entropy
    double best_free_entropy = 0;
    Regime regime = Regime::easy;
};
[[nodiscard]] ASSAY_API Accuracy accuracy_at(const PhaseCurve& curve, double noise_var);

// The noise below which components of equal prior means separate (rank > 1): until then only their
// sum is learned. Closed form for equal dimensions and one Gaussian prior of covariance var I, else
// where the largest eigenvalue of the state evolution's Jacobian, on perturbations that leave the
// sum alone, is 1. Empty where the means are 0. Throws Error at rank 1 and where means differ.
[[nodiscard]] ASSAY_API std::optional<double> specialisation_threshold(const Ensemble& ensemble,
                                                                       const Execution& run = {});
// That eigenvalue at one noise, at the fixed point reached from the prior mean.
[[nodiscard]] ASSAY_API double specialisation_eigenvalue(const Ensemble& ensemble, double noise_var,
                                                         const Execution& run = {});

} // namespace assay::tensor_amp
