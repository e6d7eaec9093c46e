#include <assay/training/trainer.hpp>

#include <assay/core/allowed_threads.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>
#include <assay/network/initialise.hpp>
#include <assay/network/objective.hpp>
#include <assay/training/batch_gradient.hpp>
#include <assay/training/batches.hpp>
#include <assay/training/optimizer.hpp>
#include <assay/training/penalty_groups.hpp>
#include <assay/training/rule.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace assay::training {
namespace {

using network::Batch;
using network::Column;
using network::Loss;
using network::Mode;
using network::Network;
using network::Objective;
using network::ObjectiveOptions;
using network::Weights;

constexpr Index kMostHalvings = 5;
// With --on-nonfinite halve a run goes back to a multiple of so many steps, whenever states are
// saved.
constexpr Index kHalvingSteps = 256;

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// A copy of the numbers that `owners` come to hold.
network::NumbersView held(const network::NumbersView& numbers,
                          std::vector<std::shared_ptr<const void>>& owners) {
    return std::visit(
        [&](const auto& span) -> network::NumbersView {
            using Numbers = Column<std::decay_t<decltype(*span.data)>>;
            const auto copy =
                std::make_shared<Numbers>(Eigen::Map<const Numbers>(span.data, span.size));
            owners.push_back(copy);
            return network::view_of(*copy);
        },
        numbers);
}

template <class S>
class Trainer {
  public:
    Trainer(const TrainingConfig& config, const TrainingData& data,
            std::optional<network::Model> start, std::optional<RunState> resume, RunSink& sink,
            const RunLimits& limits, const Execution& run)
        : config_(config), data_(data), sink_(sink), limits_(limits), run_(run),
          network_(config.architecture),
          layout_(std::make_shared<network::Layout>(network_.layout())),
          plan_(config_, data.train->count()), slices_(parameter_slices()),
          optimizer_(config.optimizer, slices_, config.noise, config.seed),
          l2_(network_, penalty_groups(network_, config.l2)) {
        loss_ = network::loss_of(config.loss);
        loss_.epsilon = config.epsilon;
        loss_.top_k = config.top_k;
        warn_of_doubled_output(config.architecture, loss_.kind, *run.monitor);
        if (!config.online)
            static_cast<void>(network::check_samples(*data.train, network_.input(),
                                                     network_.output(), loss_,
                                                     place("train", "training data")));
        for (Index node = 1; node < network_.nodes(); ++node)
            if (network_.node_type(node) == "batch_norm" && plan_.size() < 2)
                throw Error("--batch-size 1: layer '" + network_.node_name(node) +
                            "' normalises over the batch; 2 samples or more are expected");
        check_recurrent();
        total_ = total_steps(config, plan_.per_epoch());
        kept_ = checkpoint_steps(config.checkpoints, total_, config.horizon);
        warn_of_late_checkpoints();
        for (Index node = 0; node < network_.nodes(); ++node)
            if (network_.rectifies(node)) rectifying_.push_back(network_.node_name(node));
        if (data.held_out)
            evaluation_ = std::make_unique<Objective<S>>(
                network_, *data.held_out, loss_, ObjectiveOptions{Mode::inference, 0, {}},
                place(config.evaluate_split, "evaluation data"));
        // Arrays come last: what is read in or drawn leaves again before the gradient is there.
        if (resume)
            restore(without_stop(std::move(*resume)));
        else
            draw(std::move(start));
        rule_ =
            make_rule<S>(config.rule, RuleRequest<S>{&network_, config.rule_settings, config.seed});
        gradient_ = std::make_unique<BatchGradient<S>>(
            network_, loss_, *rule_,
            GradientOptions{config.seed, config.truncate, config.rate_penalty}, plan_.size());
    }

    RunResult run() {
        begun_ = seconds_now();
        double saved = begun_;
        if (state_.checkpoints.empty()) begin(); // else it goes on
        first_ = state_.step;
        std::string reason = "steps";
        while (state_.step < total_) {
            if (ranks::any(run_.monitor->interrupted())) {
                save();
                throw Interrupted("interrupted");
            }
            one_step();
            if (halved_) {
                halved_ = false;
                continue;
            }
            if (const std::string stop = should_stop(seconds_now() - begun_); !stop.empty()) {
                reason = stop;
                break;
            }
            if (state_.step % 16 == 0) report();
            if (seconds_now() - saved > limits_.save_every) {
                save();
                saved = seconds_now();
            }
        }
        if (reason != "steps" &&
            (state_.checkpoints.empty() || state_.checkpoints.back() != state_.step))
            keep_checkpoint();
        save();
        RunResult result = result_now(reason);
        result.finished = reason != "seconds";
        if (!l2_.empty()) result.l2_penalty = l2_.value(weights().trained);
        if (evaluation_) {
            const auto value = evaluate().value;
            result.eval_loss = value.loss;
            result.eval_accuracy = value.accuracy;
        }
        result.state = std::move(state_);
        return result;
    }

  private:
    using Evaluation = typename Objective<S>::ValueAndSilence;
    // All but the state.
    [[nodiscard]] RunResult result_now(const std::string& reason) const {
        RunResult result;
        result.seconds = seconds_now() - begun_;
        result.layout = layout_;
        result.finished = false;
        result.stop_reason = reason;
        result.layers = layers_;
        result.rectifying = rectifying_;
        result.parameters = network_.parameter_count();
        result.steps = state_.step;
        result.steps_per_epoch = plan_.per_epoch();
        result.last_kept = state_.checkpoints.back();
        result.samples_per_second = static_cast<double>((state_.step - first_) * plan_.size()) /
                                    std::max(1e-9, result.seconds);
        result.last_loss = last_loss_;
        return result;
    }

    void warn_of_late_checkpoints() const {
        const auto& list = config_.checkpoints.list;
        const auto late =
            std::count_if(list.begin(), list.end(), [&](Index step) { return step > total_; });
        if (late > 0)
            run_.monitor->warn(concat("checkpoints.list: ", late, " of ", list.size(),
                                      " steps come after the last, ", total_));
    }

    // Settings of recurrent layers need one.
    void check_recurrent() const {
        const auto& entries = network_.parameters();
        const bool recurrent = std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
            return entry.info.role == network::Role::recurrent;
        });
        if (recurrent) return;
        if (config_.truncate > 0) throw Error("truncate: the network has no recurrent layer");
        if (config_.rate_penalty > 0)
            throw Error("rate_penalty: the network has no recurrent layer");
    }

    // Where a split stands, for messages.
    [[nodiscard]] std::string place(const std::string& split, const std::string& otherwise) const {
        return config_.data.empty() ? otherwise : config_.data + ": " + split;
    }

    std::vector<ParameterSlice> parameter_slices() {
        std::vector<ParameterSlice> slices;
        std::map<std::string, bool> used;
        for (const auto& entry : network_.parameters()) {
            if (!entry.info.trained) continue;
            ParameterSlice slice{entry.offset, entry.info.size(), 1, true};
            slice.decays = is_weight(entry.info.role) || config_.optimizer.decay_bias;
            for (const auto& [glob, factor] : config_.lr_scale)
                if (matches_glob(glob, entry.layer)) {
                    slice.lr_scale *= factor;
                    used[glob] = true;
                }
            for (const auto& glob : config_.freeze)
                if (matches_glob(glob, entry.layer)) {
                    slice.lr_scale = 0;
                    used[glob] = true;
                }
            if (layers_.empty() || layers_.back() != entry.layer) layers_.push_back(entry.layer);
            slice.layer = layers_.size() - 1;
            slice.name = entry.layer + "/" + entry.info.name;
            slices.push_back(slice);
        }
        for (const auto& glob : config_.freeze)
            if (!used[glob]) throw Error("freeze: no layer matches '" + glob + "'");
        for (const auto& [glob, factor] : config_.lr_scale)
            if (!used[glob]) throw Error("lr_scale: no layer matches '" + glob + "'");
        return slices;
    }

    [[nodiscard]] RunArrays<S>& arrays() { return std::get<RunArrays<S>>(state_.arrays); }
    [[nodiscard]] const RunArrays<S>& arrays() const {
        return std::get<RunArrays<S>>(state_.arrays);
    }
    [[nodiscard]] const Weights<S>& weights() const { return arrays().weights; }

    // What a run starts from.
    void draw(std::optional<network::Model> start) {
        state_.best = std::numeric_limits<double>::infinity();
        auto& made = state_.arrays.template emplace<RunArrays<S>>();
        made.weights = start ? network_.load(*start)
                             : network::initial_weights(network_, config_.init, config_.seed);
        start.reset();
        made.optimizer = optimizer_.start(network_.parameter_count());
    }

    void begin() {
        if (evaluation_ && config_.evaluate_every > 0) {
            state_.metrics.push_back(measured(kNaN, kNaN, evaluate(), rate()));
        }
        keep_checkpoint();
        if (halves()) mark_ = state_;
    }

    [[nodiscard]] double rate() const {
        return state_.rate_factor * learning_rate_at(config_.schedule,
                                                     config_.optimizer.learning_rate, state_.step,
                                                     total_, plan_.per_epoch());
    }

    void next_batch() {
        if (config_.online) {
            samples_ = data_.task->samples(static_cast<std::uint64_t>(state_.step * plan_.size()),
                                           plan_.size(), Stream::train);
            network::check_samples(samples_, network_.input(), network_.output(), loss_,
                                   "training data");
        } else {
            if (upcoming_.step != state_.step) plan_.choose(state_.step, upcoming_.rows);
            data_.train->read(upcoming_.rows, samples_);
            upcoming_.step = state_.step + 1;
            plan_.choose(upcoming_.step, upcoming_.rows);
            data_.train->announce(upcoming_.rows);
        }
        network::make_batch(samples_, network_.output(), batch_);
    }

    void one_step() {
        const AllowedThreads shared(run_.threads);
        next_batch();
        Batch<S>& batch = batch_;
        augment(batch, config_.data_settings.augment, network_.input(), config_.seed, state_.step);
        sums_ = &gradient_->of(weights(), batch, state_.step);
        const double rows = sums_->loss.rows, loss = sums_->loss.loss / rows;
        l2_.add_gradient(weights().trained, sums_->gradient);
        if (!check_finite(loss)) return;
        clip(sums_->gradient, config_.clip, slices_);
        const double learning_rate = rate();
        const bool logs = logs_at(state_.step), looks = looks_at(state_.step);
        const bool keeps = std::binary_search(kept_.begin(), kept_.end(), state_.step + 1);
        const bool marks = halves() && (state_.step + 1) % kHalvingSteps == 0;
        const double penalty = logs || looks ? l2_.value(weights().trained) : 0;
        update(learning_rate, logs, logs || looks);
        gradient_->update_statistics(arrays().weights);
        if ((keeps || logs || marks) && !check_weights()) return;
        ++state_.step;
        last_loss_ = loss;
        last_rate_ = learning_rate;
        if (logs || looks) {
            Evaluation evaluation{{kNaN, kNaN}, {}};
            if (looks) evaluation = evaluate();
            MetricRow row = measured(loss, sums_->loss.correct / rows, evaluation, learning_rate,
                                     &trace_.changes);
            row.rate_penalty = config_.rate_penalty / 2 * sums_->squared_rates /
                               static_cast<double>(batch.samples());
            row.l2_penalty = penalty;
            row.update_cosine = trace_.cosine;
            state_.metrics.push_back(std::move(row));
        }
        if (keeps) keep_checkpoint();
        if (marks) mark_ = state_;
    }

    // Whether the step that follows `step` updates is logged.
    [[nodiscard]] bool logs_at(Index step) const {
        return (step + 1) % config_.metrics_every == 0 || step + 1 == total_ || step == 0;
    }

    // Whether the held-out split is looked at after that step.
    [[nodiscard]] bool looks_at(Index step) const {
        return evaluation_ && config_.evaluate_every > 0 &&
               ((step + 1) % config_.evaluate_every == 0 || step + 1 == total_);
    }

    // The update of a step, which is kept where the next one is logged.
    void update(double learning_rate, bool logs, bool measures) {
        const bool logs_next = logs_at(state_.step + 1);
        RunArrays<S>& a = arrays();
        trace_.last = logs || logs_next ? &a.last_update : nullptr;
        optimizer_.update(a.weights.trained, sums_->gradient, learning_rate, a.optimizer,
                          measures || logs_next ? &trace_ : nullptr);
        if (!logs_next) a.last_update.resize(0);
    }

    [[nodiscard]] bool halves() const { return config_.on_nonfinite == "halve"; }

    // Non-finite numbers end the run, or halve the rate.
    bool check_finite(double loss) {
        if (!std::isfinite(loss))
            return give_up(concat("the loss is ",
                                  std::isnan(loss) ? "nan"
                                  : loss > 0       ? "inf"
                                                   : "-inf",
                                  "; ", suspect()));
        const std::string array = not_finite(sums_->gradient);
        return array.empty() || give_up("the gradient of array '" + array + "' is not finite");
    }

    bool check_weights() {
        const std::string array = not_finite(weights().trained);
        return array.empty() || give_up("array '" + array + "' is not finite after the update");
    }

    // The first array ("layer/array") with a number that is not finite, or nothing.
    [[nodiscard]] std::string not_finite(const Column<S>& all) const {
        // x - x is 0 exactly for finite x, and a vectorised sum finds out in one pass.
        const auto finite = [](const auto& x) { return (x.array() - x.array()).sum() == S(0); };
        if (finite(all)) return "";
        for (std::size_t i = 0; i < slices_.size(); ++i)
            if (!finite(all.segment(slices_[i].offset, slices_[i].size))) return slices_[i].name;
        return "";
    }

    // Where to look when the loss is not finite.
    [[nodiscard]] std::string suspect() const {
        const std::string array = not_finite(weights().trained);
        if (!array.empty()) return "array '" + array + "' is not finite";
        std::size_t largest = 0;
        double most = -1;
        for (std::size_t i = 0; i < slices_.size(); ++i) {
            const double norm = std::sqrt(weights()
                                              .trained.segment(slices_[i].offset, slices_[i].size)
                                              .template cast<double>()
                                              .squaredNorm());
            if (norm > most) {
                most = norm;
                largest = i;
            }
        }
        if (most < 0) return "nothing is trained";
        return concat("the largest is array '", slices_[largest].name, "', of norm ",
                      significant(most, 3));
    }

    bool give_up(const std::string& what) {
        const std::string message = concat("step ", state_.step, ": ", what);
        if (!halves() || state_.halvings >= kMostHalvings) {
            const std::string hint = halves()
                                         ? concat(" (after ", state_.halvings, " halvings)")
                                         : " (a smaller learning rate, or --on-nonfinite halve)";
            RunResult until = result_now("diverged");
            state_.arrays = std::monostate();
            until.state = std::move(state_);
            throw Diverged(message + hint, std::move(until));
        }
        run_.monitor->warn(message + "; back to step " + std::to_string(mark_->step) +
                           " with half the learning rate");
        mark_->rate_factor /= 2;
        ++mark_->halvings;
        state_ = *mark_;
        take_last_loss();
        halved_ = true;
        return false;
    }

    Evaluation evaluate() {
        evaluation_->refer_to(weights());
        return evaluation_->value_and_silence(run_);
    }

    MetricRow measured(double loss, double accuracy, const Evaluation& evaluation,
                       double learning_rate, const std::vector<double>* changes = nullptr) {
        MetricRow row;
        row.rate_penalty = row.l2_penalty = row.update_cosine = kNaN;
        row.step = state_.step;
        row.loss = loss;
        const bool classifies = loss_.kind == network::LossKind::softmax_cross_entropy ||
                                loss_.kind == network::LossKind::sigmoid_cross_entropy;
        row.accuracy = classifies ? accuracy : kNaN;
        row.eval_loss = evaluation.value.loss;
        row.eval_accuracy = classifies ? evaluation.value.accuracy : kNaN;
        row.silent = evaluation.silent;
        row.silent.resize(rectifying_.size(), kNaN);
        row.learning_rate = learning_rate;
        std::vector<double> w(layers_.size(), 0), g = w, u = w;
        for (std::size_t i = 0; i < slices_.size(); ++i) {
            const std::size_t layer = slices_[i].layer;
            const auto part = [&](const Column<S>& all) {
                return all.segment(slices_[i].offset, slices_[i].size)
                    .template cast<double>()
                    .squaredNorm();
            };
            w[layer] += part(weights().trained);
            g[layer] += changes ? part(sums_->gradient) : kNaN;
            u[layer] += changes ? (*changes)[i] : kNaN;
        }
        for (auto* list : {&w, &g, &u})
            for (double& value_of_layer : *list) value_of_layer = std::sqrt(value_of_layer);
        row.weight_norm = w;
        row.gradient_norm = g;
        row.update_norm = u;
        return row;
    }

    void keep_checkpoint() {
        RunCheckpoint kept;
        kept.step = state_.step;
        kept.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.per_epoch());
        kept.loss = state_.step == 0 ? kNaN : last_loss_;
        kept.learning_rate = state_.step == 0 ? rate() : last_rate_;
        kept.layout = layout_;
        kept.trained = network::view_of(weights().trained);
        kept.statistics = network::view_of(weights().statistics);
        if (config_.write_gradients && state_.step > 0)
            kept.gradient = network::view_of(sums_->gradient);
        kept.clipped = config_.clip.mode != ClipMode::none;
        sink_.checkpoint(kept);
        state_.checkpoints.push_back(state_.step);
    }

    // With halving the mark, for what comes after it may be undone; so a resumed run knows its
    // marks.
    void save() { sink_.state(mark_ ? *mark_ : state_); }

    // What only marks where a run had stopped (a checkpoint, a row of metrics, a look at the
    // held-out split) is none of the run that goes on.
    [[nodiscard]] RunState without_stop(RunState saved) const {
        if (saved.step >= total_) return saved;
        const bool ends_kept = !saved.checkpoints.empty() && saved.checkpoints.back() == saved.step;
        if (ends_kept && !std::binary_search(kept_.begin(), kept_.end(), saved.step))
            saved.checkpoints.pop_back();
        if (!saved.metrics.empty() && saved.metrics.back().step == saved.step) {
            MetricRow& row = saved.metrics.back();
            const bool logs = logs_at(saved.step - 1), looks = looks_at(saved.step - 1);
            if (!logs) row.update_cosine = kNaN;
            if (!looks) {
                row.eval_loss = row.eval_accuracy = kNaN;
                row.silent.clear();
            }
            if (!logs && !looks) saved.metrics.pop_back();
        }
        if (config_.stop.plateau == 0) return saved;
        saved.best = std::numeric_limits<double>::infinity();
        saved.since_best = 0;
        for (const MetricRow& row : saved.metrics) note_look(row, saved);
        return saved;
    }

    void restore(RunState saved) {
        const auto* found = std::get_if<RunArrays<S>>(&saved.arrays);
        const Index parameters = network_.parameter_count();
        const auto fits = [&](const RunArrays<S>& a) {
            return a.weights.trained.size() == parameters &&
                   a.weights.statistics.size() == network_.statistics_count() &&
                   (a.last_update.size() == 0 || a.last_update.size() == parameters);
        };
        if (!found || !fits(*found)) throw Error("the saved state is of another network");
        optimizer_.check(found->optimizer, parameters);
        state_ = std::move(saved);
        for (MetricRow& row : state_.metrics) row.silent.resize(rectifying_.size(), kNaN);
        if (halves()) mark_ = state_;
        take_last_loss();
    }

    // Of what was gone back to.
    void take_last_loss() {
        if (!state_.metrics.empty()) last_loss_ = state_.metrics.back().loss;
    }

    // Why to stop before the last step, or nothing.
    std::string should_stop(double seconds) {
        if (limits_.most_seconds > 0 && ranks::any(seconds > limits_.most_seconds))
            return "seconds";
        if (state_.metrics.empty() || state_.metrics.back().step != state_.step) return "";
        const MetricRow& row = state_.metrics.back();
        const auto& stop = config_.stop;
        if (!stop.metric.empty()) {
            const double value = stop.metric == "loss"         ? row.loss
                                 : stop.metric == "eval_loss"  ? row.eval_loss
                                 : stop.metric == "error"      ? 1 - row.accuracy
                                 : stop.metric == "eval_error" ? 1 - row.eval_accuracy
                                                               : kNaN;
            if (value < stop.below) return "metric";
        }
        if (stop.plateau == 0 || !note_look(row, state_)) return "";
        return state_.since_best >= stop.plateau ? "plateau" : "";
    }

    // The best loss so far, and how many looks ago; whether the row has a new look that is no
    // better.
    bool note_look(const MetricRow& row, RunState& state) const {
        const double looked = std::isfinite(row.eval_loss) ? row.eval_loss
                              : evaluation_                ? kNaN
                                                           : row.loss;
        if (!std::isfinite(looked)) return false;
        const bool better = looked < state.best;
        if (better) state.best = looked;
        state.since_best = better ? 0 : state.since_best + 1;
        return !better;
    }

    void report() const {
        run_.monitor->progress({static_cast<double>(state_.step), static_cast<double>(total_),
                                "steps", "loss " + significant(last_loss_, 4)});
    }

    const TrainingConfig& config_;
    const TrainingData& data_;
    RunSink& sink_;
    RunLimits limits_;
    Execution run_;
    Network<S> network_;
    std::shared_ptr<const network::Layout> layout_;
    BatchPlan plan_;
    std::vector<std::string> layers_, rectifying_;
    std::vector<ParameterSlice> slices_;
    Optimizer<S> optimizer_;
    network::L2Penalty<S> l2_;
    Loss loss_;
    UpdateTrace<S> trace_; // of the last update that was followed
    std::unique_ptr<LearningRule<S>> rule_;
    std::unique_ptr<BatchGradient<S>> gradient_;
    typename BatchGradient<S>::Sums* sums_ = nullptr; // of the batch that came last
    std::unique_ptr<Objective<S>> evaluation_;
    network::Samples samples_; // of the step's batch, as they are read
    Batch<S> batch_;
    struct Upcoming {
        Index step = -1;
        std::vector<Index> rows;
    };
    Upcoming upcoming_; // the batch that comes next
    std::vector<Index> kept_;
    Index total_ = 0;
    RunState state_;
    std::optional<RunState> mark_; // to which halving goes back
    double last_loss_ = kNaN, last_rate_ = kNaN;
    double begun_ = 0; // seconds
    Index first_ = 0;  // step of this call
    bool halved_ = false;
};

} // namespace

RunCheckpoint with_numbers(const RunCheckpoint& checkpoint) {
    if (checkpoint.numbers) return checkpoint;
    RunCheckpoint copy = checkpoint;
    const auto owners = std::make_shared<std::vector<std::shared_ptr<const void>>>();
    copy.trained = held(checkpoint.trained, *owners);
    copy.statistics = held(checkpoint.statistics, *owners);
    if (checkpoint.gradient) copy.gradient = held(*checkpoint.gradient, *owners);
    copy.numbers = owners;
    return copy;
}

RunResult train(const TrainingConfig& config, const TrainingData& data,
                std::optional<network::Model> start, std::optional<RunState> resume, RunSink& sink,
                const RunLimits& limits, const Execution& run) {
    const Phase phase(*run.monitor, "steps");
    const auto with = [&](auto number) {
        return Trainer<decltype(number)>(config, data, std::move(start), std::move(resume), sink,
                                         limits, run)
            .run();
    };
    return config.precision == Precision::float64 ? with(double()) : with(float());
}

} // namespace assay::training
