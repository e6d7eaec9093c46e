// All fixed points of state evolution at rank 1 from one curve. At a fixed point with
// P = prod_a q_a / Delta > 0 every mode has q_a h_a = P / n_a, q_a = q_a(h_a), which has one root;
// so
//     Delta(P) = prod_a q_a(P) / P,   Phi(P) = sum_a n_a psi_a(h_a) - (p - 1) P / 2,
// and with the elasticities s_a = d log q_a / d log h_a
//     d log Delta / d log P = sum_a s_a / (1 + s_a) - 1.
// Where this falls the fixed point is stable, where it rises unstable; at a fold it is 0.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/ensemble.hpp>
#include <assay/tensor_amp/scalar_response.hpp>

#include <memory>
#include <vector>

namespace assay::tensor_amp {

class ASSAY_API PhaseCurve {
  public:
    using Responses = std::vector<std::shared_ptr<const ScalarResponse>>; // one a mode

    // Throws Error for rank above 1 and what check_ensemble refuses. Equal priors are tabulated
    // once.
    explicit PhaseCurve(const Ensemble& ensemble, const Execution& run = {});
    // With responses at hand, for diagrams over shapes.
    PhaseCurve(VectorXd aspect, Responses responses);

    [[nodiscard]] Index order() const { return aspect_.size(); }
    [[nodiscard]] const VectorXd& aspect() const { return aspect_; }
    [[nodiscard]] const ScalarResponse& response(Index mode) const {
        return *responses_[static_cast<std::size_t>(mode)];
    }
    // Modes of zero mean: with at least two, P = 0 is a fixed point at every Delta.
    [[nodiscard]] Index zero_means() const { return zero_means_; }

    struct Point {
        double log_p = 0;
        double log_delta = 0;
        double slope = 0; // d log Delta / d log P
    };
    [[nodiscard]] Point at(double log_p) const;
    [[nodiscard]] VectorXd overlaps(double log_p) const; // q_a
    [[nodiscard]] double free_entropy(double log_p) const;

    // Extremes of Delta, in rising P. Found on a grid of step 1/80 in log P, between whose points
    // also extremes of the slope are looked at, so that no pair of folds is missed; then by
    // bisection to the last bit.
    struct Fold {
        double log_p = 0;
        double delta = 0;
        bool maximum = false;
    };
    [[nodiscard]] const std::vector<Fold>& folds() const { return folds_; }

    // A stretch of the curve between folds (or the ends of what can be resolved), in rising P.
    struct Branch {
        double low = 0, high = 0;                     // log P
        double log_delta_low = 0, log_delta_high = 0; // at these
        [[nodiscard]] bool stable() const { return log_delta_low > log_delta_high; }
    };
    [[nodiscard]] const std::vector<Branch>& branches() const { return branches_; }
    // log P on a branch that holds log Delta.
    [[nodiscard]] double solve(const Branch& branch, double log_delta) const;

  private:
    void find_range();
    void find_folds();
    void add_fold(double low, double high);
    void make_branches();

    VectorXd aspect_;
    Responses responses_;
    Index zero_means_ = 0;
    double lowest_ = 0, highest_ = 0; // log P
    std::vector<Fold> folds_;
    std::vector<Branch> branches_;
};

// Responses of all modes; equal priors share one.
[[nodiscard]] ASSAY_API PhaseCurve::Responses responses_of(const Ensemble& ensemble,
                                                           const Execution& run = {});

} // namespace assay::tensor_amp
