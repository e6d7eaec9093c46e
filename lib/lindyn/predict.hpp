// What the theory says of a training run: strengths, loss, maps and Gram matrices over time, by the
// method that fits the problem, with measures of how far the problem is from the method's
// assumptions.
//   aligned  closed forms of single modes (mode_curve.hpp): aligned starts, balanced or of two
//            layers, inputs that the modes diagonalise
//   exact    two layers, white inputs, any balanced start (exact_solution.hpp); without weights
//            that of modes of the initial strengths, whatever these are
//   flow     all weights, integrated: anything
//   discrete aligned modes with the steps of gradient descent (discrete.hpp)
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::lindyn {

enum class Method { automatic, aligned, exact, flow, discrete };
[[nodiscard]] ASSAY_API std::string method_name(Method method);

struct PredictSettings {
    Method method = Method::automatic;
    int depth = 2;
    std::vector<double> initial_strength{1e-3}; // one for all modes, or one a mode
    // In its place, what the first and the second of two layers have along every mode, of any
    // signs.
    std::optional<std::pair<double, double>> initial_layers;
    std::optional<Layers> weights; // a given start, in the problem's coordinates
    Index hidden = 0;              // smallest hidden width; 0: no limit
    double tau = 1;                // time units per unit of the flow's time
    StepSettings step;             // discrete; decay everywhere
    StepVariant variant;           // discrete
    // Discrete: where the learning rate varies, how the flow's time passes, and how much of it has
    // passed when the prediction starts. None: the rate stays.
    std::shared_ptr<const StepClock> clock;
    double passed = 0;
    bool shallow = false, maps = false, grams = false;
    bool allow_unbalanced = false;
};

// What was assumed, and how well it holds.
struct Conditions {
    double whiteness = 0, commutation = 0; // of the inputs as they are given
    Index whitened = 0;        // directions of the whitened inputs that are learned; 0: none are
    double imbalance = 0;      // of the given start, relative_imbalance
    double misalignment = 0;   // of the given start
    double expected_error = 0; // relative, of the map; NaN where nothing is known of it
    double stable_rate = 0;    // the largest learning rate that converges, 1/tau of the flow;
                               // NaN: not known
    double first_step = 0;     // learning rate times the first singular value; NaN: no rate
    double conservation = 0;   // of an integrated flow, Flow::conservation_error; else NaN
};

struct Prediction {
    Method method = Method::aligned;
    Vector time;                                           // T
    Matrix strength, shallow;                              // T x K; shallow empty unless asked for
    Vector initial_strength, end;                          // K; where modes that are learned end
    Vector half_time, time_10, time_90, shallow_half_time; // K
    Vector loss, shallow_loss;                             // T
    std::vector<Matrix> map, hidden_gram, output_gram;     // T each, where asked for
    Conditions conditions;
};

// The largest rate at which gradient descent converges: 2 over the largest curvature at the aligned
// balanced solution, max over pairs of modes k, b of d_b sum_l q_k^{2(D-l)/D} q_b^{2(l-1)/D}, with
// the largest eigenvalue of Sx for an input direction that no mode has. For white inputs this is
// 2 / (D d q_1^{2-2/D}). NaN where that eigenvalue is not known. Whether modes that were not found
// may ask for less, and the cost: find_stable_rate of stable_rate.hpp.
[[nodiscard]] ASSAY_API double stable_rate(const Problem& problem, int depth);
// Strengths at the end of learning with weight decay gamma: (s - gamma)/d for two layers, the upper
// root of (s - d a) a^{1-2/D} = gamma for more, 0 where the decay wins.
[[nodiscard]] ASSAY_API Vector mode_ends(const Modes& modes, int depth, double decay);

// Times for `time` = "auto": `count` points from 0 to 1.5 times the latest half time among modes
// above 1e-3 of the first.
[[nodiscard]] ASSAY_API Vector usual_times(const Problem& problem, const PredictSettings& settings,
                                           Index count = 500);

// Without a method: weights that are aligned and balanced, and strengths, have closed forms; other
// weights of two layers on white inputs the exact solution, where its expected error is below 1e-2;
// the rest is integrated.
// Throws Error where the method does not fit: strengths that are not below q, inputs that are not
// white, starts that are not balanced (expected error above 0.1), starts that are missing.
// `times` rise from 0.
[[nodiscard]] ASSAY_API Prediction predict(const Problem& problem, const PredictSettings& settings,
                                           const Vector& times, const Execution& run);

// All times of a prediction in tau, told in another unit.
ASSAY_API void tell_times(Prediction& prediction, const TimeScale& scale);

} // namespace assay::lindyn
