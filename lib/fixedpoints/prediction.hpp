// How well the dynamics linearised around the nearest point predict the network
// (arXiv:1906.10720, section 4.2): h' = c + J (h - h*) + K (x - x*), one step ahead or in a closed
// loop that chooses the point anew at every step.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/points.hpp>
#include <assay/fixedpoints/statistics.hpp>
#include <assay/network/model.hpp>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

// What stands for c: the point h* itself, or its image F(h*, x*), which differs at slow points.
enum class LinearCenter { point, image };

// The network as one linear map a point.
class ASSAY_API LocalLinear {
  public:
    // Refers to `dynamics` and `run`, which must outlive it. The Jacobians of all points are held
    // where they take at most `memory` bytes (8 P S (S + inputs)), else made when needed. Throws
    // Error for no points and for shapes that do not fit.
    LocalLinear(const Dynamics& dynamics, const Points& points, LinearCenter center,
                const Execution& run, double memory = 512e6);

    [[nodiscard]] Index count() const { return states_.rows(); }
    // The Euclidean nearest point of every state (B x S); the first of equals. O(B P S) in blocks.
    [[nodiscard]] std::vector<Index> nearest(const RowMatrix& states) const;
    // The linearised step of states (B x S) under inputs (B x inputs) around the point chosen for
    // each; states of the same point share one product.
    [[nodiscard]] RowMatrix step(const RowMatrix& x, const RowMatrix& h,
                                 const std::vector<Index>& around) const;

  private:
    struct Map {
        RowMatrix state, input; // J, K
    };
    [[nodiscard]] Map linearised(Index point) const;

    const Dynamics& dynamics_;
    const Execution& run_;
    RowMatrix states_, inputs_, centers_;
    RowMatrix shifted_; // points less their mean, so that distances lose no digits
    Eigen::RowVectorXd mean_;
    Vector half_squares_;   // |shifted|^2 / 2
    std::vector<Map> maps_; // of all points, or empty
};

struct PredictionOptions {
    Index steps = 1; // ahead, in a closed loop
    Vector levels = (Vector(5) << 0.05, 0.25, 0.5, 0.75, 0.95).finished();
    Index bins = 50;
    Index shown = 3; // first trials whose predicted states are kept
};

struct Prediction {
    std::vector<Index> trial, time; // the states predicted, in this order
    std::vector<Index> point;       // the nearest point of the state that the prediction starts at
    Vector error;                   // |h - prediction| / |h|
    Vector levels, quantiles;       // of error
    Histogram histogram;            // of error, one group
    RowMatrix shown, shown_states;  // predictions of the first rows, and the states themselves
};

// Predicts every valid state of trajectories (simulated without noise) from the state `steps`
// steps before; the first from the network's initial state. The error of a state of zeros is
// infinite unless it is predicted exactly. Throws Error for steps < 1.
[[nodiscard]] ASSAY_API Prediction predict(const Dynamics& dynamics, const LocalLinear& linear,
                                           const Trajectories& trajectories,
                                           const PredictionOptions& options, const Execution& run);

struct ClosedLoop {
    RowMatrix end_states; // trials x S: of the linearised network after a trial's last valid step
    RowMatrix error;      // trials x steps: |h - prediction| / |h|; NaN beyond a trial's length
};

// The linearised network on its own from the initial state, under the trajectories' inputs.
[[nodiscard]] ASSAY_API ClosedLoop closed_loop(const Dynamics& dynamics, const LocalLinear& linear,
                                               const Trajectories& trajectories);

// Quantiles of the error over the trials that are so long (steps x levels); NaN where none is.
[[nodiscard]] ASSAY_API RowMatrix closed_loop_quantiles(const ClosedLoop& loop,
                                                        const Vector& levels);

// The class that each row of outputs names: the largest entry (the first of equals), or of a single
// output whether it is above `threshold` (0 of a logit, 0.5 of a probability). -1 where outputs are
// not finite.
[[nodiscard]] ASSAY_API std::vector<std::int32_t> decide(const RowMatrix& outputs,
                                                         double threshold);

// Share of entries that are equal: accuracy of decisions against labels. Throws Error where there
// are none, or their numbers differ.
[[nodiscard]] ASSAY_API double agreement(const std::vector<std::int32_t>& a,
                                         const std::vector<std::int32_t>& b);

struct Decisions {
    double full = 0, linear = 0; // accuracy of the network and of the linearised network
    double agreement = 0;        // share of trials they decide alike
};

// The state after the last valid step of every trial (trials x S); the initial state of empty ones.
[[nodiscard]] ASSAY_API RowMatrix end_states(const Dynamics& dynamics,
                                             const Trajectories& trajectories);

// Where a single output decides for class 1: 0.5 where the last layer is a sigmoid, else 0.
[[nodiscard]] ASSAY_API double decision_threshold(const network::Model& model);

// Decisions at the end of every trial against labels (one a trial). Throws Error where there are no
// trials or another number of labels.
[[nodiscard]] ASSAY_API Decisions compare_decisions(const Dynamics& dynamics,
                                                    const Trajectories& trajectories,
                                                    const RowMatrix& linear_end_states,
                                                    const std::vector<std::int32_t>& labels,
                                                    double threshold);

} // namespace assay::fixedpoints
