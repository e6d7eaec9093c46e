// Gradient descent with finite steps on aligned modes (arXiv 1810.10531, section 1): the scalar of
// layer l of mode a obeys
//   w_l <- w_l + rate [(s - d prod w) prod_{k != l} w_k - decay w_l]
// (with momentum m: v_l <- m v_l + bracket, w_l <- w_l + rate v_l), which is what the full matrices
// do, mode by mode, to rounding. O(K D) a step. The rate may be another at every step.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <functional>
#include <vector>

namespace assay::lindyn {

struct StepSettings {
    double rate = 0.01; // in units where the flow is dW/dt = -gradient: tau = 1/rate steps
    double momentum = 0;
    double decay = 0; // gamma of (gamma/2) sum |W_l|^2
};

// Steps that differ from these.
struct StepVariant {
    bool nesterov = false; // w_l <- w_l + rate (bracket + m v_l)
    // The bracket has no decay; before it w_l <- (1 - rate decay/(1 - m)) w_l, which is the same
    // flow.
    bool decoupled = false;
};

class ASSAY_API DiscreteModes {
  public:
    // s, d, start: K numbers; every layer starts at start^{1/depth} (start >= 0).
    DiscreteModes(Vector s, Vector d, const Vector& start, int depth, StepSettings settings,
                  StepVariant variant = {});
    // With `share` of the rate.
    void step(double share = 1);
    [[nodiscard]] Vector strengths() const; // K products

  private:
    Vector s_, d_;
    Matrix layers_, velocity_; // K x depth
    StepSettings settings_;
    StepVariant variant_;
};

// Strengths at `steps` (ascending): T x K. `share(k)`: of the rate at step k from 0; none: all of
// it. Throws Interrupted when the monitor says so.
[[nodiscard]] ASSAY_API Matrix discrete_curves(DiscreteModes modes, const std::vector<Index>& steps,
                                               const Monitor& monitor = silent_monitor(),
                                               const std::function<double(Index)>& share = {});

} // namespace assay::lindyn
