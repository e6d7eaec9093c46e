// One training run: batches, (pseudo-)gradients, updates, metrics, checkpoints; the order of one
// step is that of the specification. Any step is a function of (configuration, weights, optimiser
// state, step) alone, so a resumed run has the bits of an undisturbed one.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/network/loss.hpp>
#include <assay/network/network.hpp>
#include <assay/network/sample_source.hpp>
#include <assay/training/config.hpp>
#include <assay/training/optimizer.hpp>
#include <assay/training/preprocessing.hpp>
#include <assay/training/task.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace assay::training {

// What a run learns from: a training split and others, or an online task.
struct TrainingData {
    std::shared_ptr<const network::SampleSource> train;
    std::shared_ptr<const network::SampleSource> held_out; // for evaluation; may be null
    std::shared_ptr<const Task> task;                      // online: batches are made fresh
    // By prepare: of `train` as it was read, and what is done to it since.
    Survey survey;
    Preprocessing preprocessing;
};

// One logged step. NaN: not measured then.
struct MetricRow {
    Index step = 0;
    double loss = 0, accuracy = 0, eval_loss = 0, eval_accuracy = 0, learning_rate = 0;
    double rate_penalty = 0;  // of the batch, not part of its loss
    double l2_penalty = 0;    // of the weights before the update, likewise
    double update_cosine = 0; // between the change of all weights and that of the step before
    std::vector<double> weight_norm, gradient_norm, update_norm; // of each layer with parameters
    std::vector<double>
        silent; // of each rectifying layer: share of units silent on the held-out split
};

// A network at one step. Numbers stand where training has them and change with the next step,
// unless `numbers` holds them.
struct RunCheckpoint {
    Index step = 0;
    double epoch = 0, loss = 0, learning_rate = 0;
    std::shared_ptr<const network::Layout> layout;
    network::NumbersView trained, statistics;
    std::optional<network::NumbersView> gradient; // that of the step which led here
    bool clipped = false;                         // it was given to the run's clipping
    std::shared_ptr<const void> numbers;
};

// The same, holding its numbers.
[[nodiscard]] ASSAY_API RunCheckpoint with_numbers(const RunCheckpoint& checkpoint);

// The arrays of a run, in its precision.
template <class S>
struct RunArrays {
    network::Weights<S> weights;
    OptimizerState<S> optimizer;
    network::Column<S> last_update; // of the trained, where the next step's metrics need it
};

// All that a run goes on with.
struct RunState {
    Index step = 0;
    double rate_factor = 1; // halved by --on-nonfinite halve
    Index halvings = 0;
    std::variant<std::monostate, RunArrays<float>, RunArrays<double>> arrays;
    std::vector<MetricRow> metrics;
    std::vector<Index> checkpoints; // steps kept so far
    double best = 0;                // for plateaus
    Index since_best = 0;
    bool measured = false;
};

// Where a run puts what must not be lost. What it is given changes afterwards.
class RunSink {
  public:
    virtual ~RunSink() = default;
    virtual void checkpoint(const RunCheckpoint& checkpoint) = 0;
    virtual void state(const RunState& state) = 0;
};

struct RunLimits {
    double save_every = 300; // seconds between states
    double most_seconds = 0; // 0: none
};

struct RunResult {
    RunState state;
    bool finished = true;
    std::string stop_reason;             // "steps", "metric", "plateau", "seconds", "diverged"
    std::vector<std::string> layers;     // of the per-layer metrics
    std::vector<std::string> rectifying; // the layers of `silent`
    Index parameters = 0, steps = 0, steps_per_epoch = 0;
    Index last_kept = 0; // step of the last checkpoint
    double seconds = 0, samples_per_second = 0;
    std::shared_ptr<const network::Layout> layout;
    double last_loss = 0;
    std::optional<double> eval_loss, eval_accuracy;
    std::optional<double> l2_penalty; // of the last weights, where there is one
};

// Numbers that are not finite ended a run: its message names step, layer and array.
class ASSAY_API Diverged : public Error {
  public:
    Diverged(const std::string& message, RunResult before)
        : Error(message), until(std::move(before)) {}
    RunResult until; // what stands, without arrays
};

// Splits the training data where asked for, has them scaled and standardised by statistics of the
// training split as they are read, and notes both in `data`. Throws Error where inputs are not
// finite; `place` is the training split's, for messages.
ASSAY_API void prepare(TrainingData& data, const DataSettings& settings, std::uint64_t seed,
                       const std::string& place);

// Fills how many steps log checkpoints (horizon) and a falling learning rate (schedule.period)
// span, where the configuration leaves it out: as many as in the run that is gone on with (`begun`,
// its resolved configuration), else those of this run.
ASSAY_API void resolve_spans(TrainingConfig& config, const TrainingData& data,
                             const std::optional<std::string>& begun);

// Fills `loss` by the task, or by targets and the network's output, where the configuration, whose
// architecture is known, leaves it out.
ASSAY_API void resolve_loss(TrainingConfig& config, const TrainingData& data);

// Warns where the last layer is the function that the loss applies to outputs itself.
ASSAY_API void warn_of_doubled_output(const std::string& architecture, network::LossKind loss,
                                      Monitor& monitor);

// `start`: weights in place of drawn ones. Memory: parameters x (3 + arrays of the optimiser)
// numbers of the run's precision (see BatchGradient for those of large batches), and twice the
// activations of a batch. Throws Error (mistakes), Diverged, Interrupted after saving the state.
[[nodiscard]] ASSAY_API RunResult train(const TrainingConfig& config, const TrainingData& data,
                                        std::optional<network::Model> start,
                                        std::optional<RunState> resume, RunSink& sink,
                                        const RunLimits& limits, const Execution& run);

} // namespace assay::training
