#include <assay/lindyn/simulate.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <cmath>
#include <utility>

namespace assay::lindyn {
namespace {

bool same_sizes(const Layers& a, const Layers& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t l = 0; l < a.size(); ++l)
        if (a[l].rows() != b[l].rows() || a[l].cols() != b[l].cols()) return false;
    return true;
}

// Outputs, or white inputs, beyond those that a step can reach.
bool has_spare_outputs(const Statistics& s, const Layers& start) {
    return s.inputs() + start.back().cols() < s.outputs();
}
bool has_spare_inputs(const Statistics& s, const Layers& start) {
    return s.has_scalar_inputs() && s.outputs() + start.front().rows() < s.inputs();
}

Matrix side_by_side(const Matrix& left, const Matrix& right) {
    Matrix both(left.rows(), left.cols() + right.cols());
    both << left, right;
    return both;
}

} // namespace

GradientDescent::GradientDescent(const Statistics& statistics, Layers start, StepSettings settings)
    : settings_(settings), layers_(std::move(start)), descent_(statistics, layers_) {
    if (settings_.momentum == 0) return;
    direction_ = velocities_ = layers_;
    for (Matrix& v : velocities_) v.setZero();
}

void GradientDescent::step(Index /*number*/) {
    if (velocities_.empty()) {
        descent_.step(settings_.rate, settings_.decay, layers_);
        return;
    }
    descent_.direction(layers_, settings_.decay, direction_);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        velocities_[l] = settings_.momentum * velocities_[l] + direction_[l];
        layers_[l] += settings_.rate * velocities_[l];
    }
}

void GradientDescent::restore(Layers state, Layers velocities) {
    layers_ = std::move(state);
    velocities_ = std::move(velocities);
}

bool ReducedDescent::pays(const Statistics& s, const Layers& start) {
    if (start.size() < 2) return false;
    return has_spare_outputs(s, start) || has_spare_inputs(s, start);
}

ReducedDescent::ReducedDescent(const Statistics& statistics, Layers start, StepSettings settings)
    : start_(std::move(start)), statistics_(statistics) {
    check_layers(start_, statistics.inputs(), statistics.outputs());
    Layers reduced = start_;
    if (has_spare_outputs(statistics, start_)) {
        outputs_ = linalg::orthonormalised(side_by_side(statistics.syx, start_.back()));
        statistics_.syx = outputs_.transpose() * statistics.syx;
        reduced.back() = outputs_.transpose() * start_.back();
    } else if (has_spare_inputs(statistics, start_)) {
        inputs_ = linalg::orthonormalised(
            side_by_side(statistics.syx.transpose(), start_.front().transpose()));
        statistics_.syx = statistics.syx * inputs_;
        reduced.front() = start_.front() * inputs_;
    }
    descent_ = std::make_unique<GradientDescent>(statistics_, std::move(reduced), settings);
}

void ReducedDescent::step(Index number) {
    start_.clear();
    descent_->step(number);
}

Layers ReducedDescent::layers() const {
    if (!start_.empty()) return start_;
    Layers layers = descent_->layers();
    if (outputs_.size() > 0) layers.back() = outputs_ * layers.back();
    if (inputs_.size() > 0) layers.front() = layers.front() * inputs_.transpose();
    return layers;
}

void ReducedDescent::restore(Layers state, Layers velocities) {
    start_.clear();
    descent_->restore(std::move(state), std::move(velocities));
}

std::unique_ptr<Learner> gradient_descent(const Statistics& statistics, Layers start,
                                          const StepSettings& settings) {
    if (ReducedDescent::pays(statistics, start))
        return std::make_unique<ReducedDescent>(statistics, std::move(start), settings);
    return std::make_unique<GradientDescent>(statistics, std::move(start), settings);
}

BatchDescent::BatchDescent(const RowMatrix& inputs, const RowMatrix& targets,
                           Normalisation normalisation, Layers start, StepSettings settings,
                           const BatchSettings& batches)
    : inputs_(inputs), targets_(targets), batches_(batches) {
    if (batches.size < 1 || batches.size > inputs.rows())
        throw Error(concat("batches of ", batches.size, " samples; there are ", inputs.rows()));
    scale_ = (normalisation == Normalisation::sum ? static_cast<double>(inputs.rows()) : 1.0) /
             static_cast<double>(batches.size);
    statistics_.normalisation = normalisation;
    statistics_.syx = Matrix::Zero(targets.cols(), inputs.cols());
    statistics_.sxx = Matrix::Zero(inputs.cols(), inputs.cols());
    batch_inputs_.resize(batches.size, inputs.cols());
    batch_targets_.resize(batches.size, targets.cols());
    descent_ = std::make_unique<GradientDescent>(statistics_, std::move(start), settings);
}

void BatchDescent::load_batch(Index number) {
    const Index batches = inputs_.rows() / batches_.size, epoch = number / batches;
    if (epoch != epoch_) {
        order_ = Random(batches_.seed, "lindyn/batches")
                     .permutation(inputs_.rows(), {static_cast<std::uint64_t>(batches_.repeat),
                                                   static_cast<std::uint64_t>(epoch), 0});
        epoch_ = epoch;
    }
    const Index first = number % batches * batches_.size;
    for (Index i = 0; i < batches_.size; ++i) {
        const Index sample = order_[static_cast<std::size_t>(first + i)];
        batch_inputs_.row(i) = inputs_.row(sample);
        batch_targets_.row(i) = targets_.row(sample);
    }
    statistics_.syx.noalias() = scale_ * batch_targets_.transpose() * batch_inputs_;
    statistics_.sxx.noalias() = scale_ * batch_inputs_.transpose() * batch_inputs_;
}

void BatchDescent::step(Index number) {
    load_batch(number);
    descent_->step(number);
}

void BatchDescent::restore(Layers state, Layers velocities) {
    descent_->restore(std::move(state), std::move(velocities));
}

FlowLearner::FlowLearner(const Statistics& statistics, Layers start, const StepSettings& settings)
    : settings_(settings), layers_(std::move(start)),
      flow_(statistics, layers_, 1, settings.decay) {
    if (settings.momentum != 0) throw Error("gradient flow has no momentum");
}

void FlowLearner::step(Index number) {
    layers_ = flow_.at(settings_.rate * static_cast<double>(number + 1));
}

Layers FlowLearner::velocities() const {
    const OdeState state = flow_.state();
    Matrix numbers(3, 1);
    numbers << state.time, state.before, state.step;
    return {state.columns, numbers};
}

void FlowLearner::restore(Layers state, Layers velocities) {
    if (velocities.size() != 2 || velocities[1].size() != 3)
        throw Error("the saved state is of another simulation");
    const Matrix& numbers = velocities[1];
    flow_.restore({std::move(velocities[0]), numbers(0), numbers(1), numbers(2)});
    layers_ = std::move(state);
}

Simulation::Simulation(const Statistics& statistics, const Modes& modes,
                       std::unique_ptr<Learner> learner, SimulationSettings settings)
    : statistics_(statistics), modes_(modes), learner_(std::move(learner)),
      settings_(std::move(settings)) {
    const auto count = static_cast<Index>(settings_.recorded.size());
    if (count == 0) throw Error("no step is recorded");
    state_.done = settings_.recorded.front();
    state_.record.steps = settings_.recorded;
    state_.record.loss = Vector::Zero(count);
    state_.record.strength = Matrix::Zero(count, modes.count());
    if (settings_.target) state_.record.test_error = Vector::Zero(count);
}

bool Simulation::finished() const {
    return state_.recorded == static_cast<Index>(settings_.recorded.size());
}

void Simulation::advance(const Monitor& monitor) {
    const Index step = settings_.recorded[static_cast<std::size_t>(state_.recorded)];
    for (; state_.done < step; ++state_.done) {
        if (state_.done % 64 == 0) monitor.stop_if_interrupted();
        learner_->step(state_.done);
    }
    look();
}

void Simulation::look() {
    const Index i = state_.recorded;
    Layers layers = learner_->layers();
    const Matrix map = whole_map(layers);
    SimulationRecord& record = state_.record;
    record.loss(i) = loss_of_map(statistics_, map);
    if (!std::isfinite(record.loss(i)))
        throw Error(concat("the loss is not finite at step ", state_.done,
                           "; a smaller learning rate is expected"));
    record.strength.row(i) = strengths(modes_, map).transpose();
    if (settings_.root) layers.front() = layers.front() * settings_.root->transpose();
    if (settings_.target)
        record.test_error(i) =
            (whole_map(layers) - *settings_.target).squaredNorm() / settings_.target->squaredNorm();
    if (settings_.keep_layers) state_.kept.push_back(std::move(layers));
    ++state_.recorded;
}

SimulationState Simulation::state() const {
    SimulationState state = state_;
    state.layers = learner_->state();
    state.velocities = learner_->velocities();
    return state;
}

void Simulation::restore(SimulationState state) {
    const auto kept = static_cast<Index>(state.kept.size());
    Layers whole = learner_->layers(); // as they are kept
    if (settings_.root) whole.front().resize(whole.front().rows(), settings_.root->rows());
    const SimulationRecord &saved = state.record, &own = state_.record;
    if (saved.steps != own.steps || saved.loss.size() != own.loss.size() ||
        saved.strength.rows() != own.strength.rows() ||
        saved.strength.cols() != own.strength.cols() ||
        saved.test_error.size() != own.test_error.size() ||
        kept != (settings_.keep_layers ? state.recorded : 0) ||
        !std::all_of(state.kept.begin(), state.kept.end(),
                     [&](const Layers& layers) { return same_sizes(layers, whole); }) ||
        !same_sizes(state.layers, learner_->state()) ||
        state.velocities.size() != learner_->velocities().size())
        throw Error("the saved state is of another simulation");
    learner_->restore(std::move(state.layers), std::move(state.velocities));
    state.layers.clear();
    state.velocities.clear();
    state_ = std::move(state);
}

} // namespace assay::lindyn
