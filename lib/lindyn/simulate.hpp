// Gradient descent with the full matrices of a deep linear network, on the statistics of the whole
// data set: what the theory's curves are compared with. Any step is a function of the weights and
// velocities alone, so that a resumed run has the bits of an undisturbed one.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/modes.hpp>

#include <functional>
#include <vector>

namespace assay::lindyn {

// W_l <- W_l + rate V_l, V_l <- momentum V_l - dL/dW_l - decay W_l.
class ASSAY_API GradientDescent {
  public:
    // `statistics` must outlive this.
    GradientDescent(const Statistics& statistics, Layers start, StepSettings settings);
    void step();
    [[nodiscard]] const Layers& layers() const { return layers_; }
    [[nodiscard]] const Layers& velocities() const { return velocities_; } // empty: no momentum
    // Goes on from a state that was kept.
    void restore(Layers layers, Layers velocities);

  private:
    StepSettings settings_;
    Layers layers_, direction_, velocities_;
    Descent descent_;
};

struct SimulationRecord {
    std::vector<Index> steps;
    Vector loss;       // T
    Matrix strength;   // T x K
    Vector test_error; // T: |W - W*|^2 / |W*|^2; empty without W*
    Layers last, velocities;
};

struct SimulationSettings {
    StepSettings step;
    std::vector<Index> recorded;    // ascending
    const Matrix* target = nullptr; // W*
};

// Called at every recorded step.
using StepSink = std::function<void(Index step, const GradientDescent& state, double loss)>;

// Runs from the first recorded step (`descent` stands there) to the last. Throws Error at the first
// recorded step where the loss is not finite.
[[nodiscard]] ASSAY_API SimulationRecord simulate(const Statistics& statistics, const Modes& modes,
                                                  GradientDescent descent,
                                                  const SimulationSettings& settings,
                                                  const StepSink& sink, const Execution& run);

} // namespace assay::lindyn
