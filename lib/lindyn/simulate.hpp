// Training of a deep linear network with the full matrices, step by step: what the theory's curves
// are compared with. Gradient descent on the statistics of the whole data set or of random batches,
// or gradient flow by integration. Any step is a function of the weights, what moves them and the
// step's number, so that a resumed run has the bits of an undisturbed one.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/discrete.hpp>
#include <assay/lindyn/flow.hpp>
#include <assay/lindyn/modes.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace assay::lindyn {

// A network that learns.
class ASSAY_API Learner {
  public:
    virtual ~Learner() = default;
    // Update `number` (from 0).
    virtual void step(Index number) = 0;
    [[nodiscard]] virtual Layers layers() const = 0;
    // The state that is kept: the layers, or what stands for them, and what moves them.
    [[nodiscard]] virtual const Layers& state() const = 0;
    [[nodiscard]] virtual Layers velocities() const = 0; // empty: nothing does
    // Goes on from a state that was kept.
    virtual void restore(Layers state, Layers velocities) = 0;
};

// W_l <- W_l + rate V_l, V_l <- momentum V_l - dL/dW_l - decay W_l.
class ASSAY_API GradientDescent : public Learner {
  public:
    // `statistics` must outlive this.
    GradientDescent(const Statistics& statistics, Layers start, StepSettings settings);
    void step(Index number) override;
    [[nodiscard]] Layers layers() const override { return layers_; }
    [[nodiscard]] const Layers& state() const override { return layers_; }
    [[nodiscard]] Layers velocities() const override { return velocities_; }
    void restore(Layers state, Layers velocities) override;

  private:
    StepSettings settings_;
    Layers layers_, direction_, velocities_;
    Descent descent_;
};

// Gradient descent with all samples in the fewest dimensions that are exact. A step moves the
// columns of W_D within those of Syx and W_D, and for white inputs the rows of W_1 within those of
// Syx and W_1: where N1 + N_{D-1} < N3 (or N3 + N_1 < N1), the last (first) layer is trained in an
// orthonormal basis of that span, which changes nothing but rounding.
class ASSAY_API ReducedDescent : public Learner {
  public:
    // `statistics` must outlive this; two layers or more.
    ReducedDescent(const Statistics& statistics, Layers start, StepSettings settings);
    // Whether there is something to be gained.
    [[nodiscard]] static bool pays(const Statistics& statistics, const Layers& start);
    void step(Index number) override;
    [[nodiscard]] Layers layers() const override;
    [[nodiscard]] const Layers& state() const override { return descent_->state(); }
    [[nodiscard]] Layers velocities() const override { return descent_->velocities(); }
    void restore(Layers state, Layers velocities) override;

  private:
    Layers start_;          // as it was given, until the first step
    Matrix inputs_;         // N1 x n1, orthonormal; empty: all inputs
    Matrix outputs_;        // N3 x n3, orthonormal; empty: all outputs
    Statistics statistics_; // in these bases
    std::unique_ptr<GradientDescent> descent_;
};
// The cheaper of the two.
[[nodiscard]] ASSAY_API std::unique_ptr<Learner>
gradient_descent(const Statistics& statistics, Layers start, const StepSettings& settings);

// Random batches of samples (rows of inputs P x N1 and targets P x N3): every epoch runs through
// all samples in an order of its own, addressed by (seed, repeat, epoch); what does not fill a
// batch is left out.
struct BatchSettings {
    Index size = 32;
    std::uint64_t seed = 0;
    Index repeat = 0;
};
// Gradient descent on them. Statistics of a batch are in the normalisation of the whole, so that
// their mean over batches is that of the whole. Throws Error on a batch larger than the data.
class ASSAY_API BatchDescent : public Learner {
  public:
    // `inputs` and `targets` must outlive this.
    BatchDescent(const RowMatrix& inputs, const RowMatrix& targets, Normalisation normalisation,
                 Layers start, StepSettings settings, const BatchSettings& batches);
    void step(Index number) override;
    [[nodiscard]] Layers layers() const override { return descent_->layers(); }
    [[nodiscard]] const Layers& state() const override { return descent_->state(); }
    [[nodiscard]] Layers velocities() const override { return descent_->velocities(); }
    void restore(Layers state, Layers velocities) override;

  private:
    void load_batch(Index number);
    const RowMatrix &inputs_, &targets_;
    BatchSettings batches_;
    double scale_; // of the sum over a batch
    Index epoch_ = -1;
    std::vector<std::int64_t> order_; // of the samples in this epoch
    RowMatrix batch_inputs_, batch_targets_;
    Statistics statistics_; // of the batch
    std::unique_ptr<GradientDescent> descent_;
};

// Gradient flow at the times of the steps, number x rate.
class ASSAY_API FlowLearner : public Learner {
  public:
    // `statistics` must outlive this.
    FlowLearner(const Statistics& statistics, Layers start, const StepSettings& settings);
    void step(Index number) override;
    [[nodiscard]] Layers layers() const override { return layers_; }
    [[nodiscard]] const Layers& state() const override { return layers_; }
    // The integrator's columns, and its three numbers.
    [[nodiscard]] Layers velocities() const override;
    void restore(Layers state, Layers velocities) override;

  private:
    StepSettings settings_;
    Layers layers_;
    Flow flow_;
};

struct SimulationSettings {
    std::vector<Index> recorded;    // ascending steps, the first is where the run stands
    const Matrix* target = nullptr; // W*, of the original inputs
    // N1 x rank: what learns sees root^T x of the original inputs x (see Whitened). Kept layers and
    // the map beside the target act on x. None: they are the same.
    const Matrix* root = nullptr;
    bool keep_layers = false; // at every recorded step
};

struct SimulationRecord {
    std::vector<Index> steps;
    Vector loss;       // T
    Matrix strength;   // T x K
    Vector test_error; // T: |W - W*|^2 / |W*|^2; empty without W*
};

// Where a run stands; all that resuming needs.
struct SimulationState {
    Index done = 0;            // updates made
    Index recorded = 0;        // steps of the record that are filled
    Layers layers, velocities; // of the learner's state
    SimulationRecord record;
    std::vector<Layers> kept; // at recorded steps, where asked for
};

// A run from one recorded step to the next.
class ASSAY_API Simulation {
  public:
    // `statistics` and `modes` (of what learns sees), target and root must outlive this.
    Simulation(const Statistics& statistics, const Modes& modes, std::unique_ptr<Learner> learner,
               SimulationSettings settings);
    [[nodiscard]] bool finished() const;
    // To the next recorded step. Throws Error where the loss there is not finite, and Interrupted
    // between two steps, whose state can be kept and restored.
    void advance(const Monitor& monitor);
    [[nodiscard]] SimulationState state() const;
    // Throws Error on a state of other recorded steps or sizes.
    void restore(SimulationState state);
    [[nodiscard]] const SimulationRecord& record() const { return state_.record; }
    [[nodiscard]] const std::vector<Layers>& kept() const { return state_.kept; }

  private:
    void look();
    const Statistics& statistics_;
    const Modes& modes_;
    std::unique_ptr<Learner> learner_;
    SimulationSettings settings_;
    SimulationState state_; // layers and velocities: those of the learner
};

} // namespace assay::lindyn
