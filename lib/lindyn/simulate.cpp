#include <assay/lindyn/simulate.hpp>

#include <assay/core/error.hpp>

#include <cmath>
#include <utility>

namespace assay::lindyn {

GradientDescent::GradientDescent(const Statistics& statistics, Layers start, StepSettings settings)
    : settings_(settings), layers_(std::move(start)), direction_(layers_),
      descent_(statistics, layers_) {
    if (settings_.momentum == 0) return;
    velocities_ = layers_;
    for (Matrix& v : velocities_) v.setZero();
}

void GradientDescent::step() {
    descent_.direction(layers_, settings_.decay, direction_);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        if (velocities_.empty()) {
            layers_[l] += settings_.rate * direction_[l];
            continue;
        }
        velocities_[l] = settings_.momentum * velocities_[l] + direction_[l];
        layers_[l] += settings_.rate * velocities_[l];
    }
}

void GradientDescent::restore(Layers layers, Layers velocities) {
    layers_ = std::move(layers);
    velocities_ = std::move(velocities);
}

SimulationRecord simulate(const Statistics& statistics, const Modes& modes, GradientDescent descent,
                          const SimulationSettings& settings, const StepSink& sink,
                          const Execution& run) {
    const auto count = static_cast<Index>(settings.recorded.size());
    SimulationRecord record{
        settings.recorded, Vector(count), Matrix(count, modes.count()), {}, {}, {}};
    if (settings.target) record.test_error.resize(count);
    Index done = count > 0 ? settings.recorded.front() : 0;
    for (Index i = 0; i < count; ++i) {
        const Index step = settings.recorded[static_cast<std::size_t>(i)];
        for (; done < step; ++done) {
            if (done % 64 == 0) run.monitor->stop_if_interrupted();
            descent.step();
        }
        const Matrix map = whole_map(descent.layers());
        record.loss(i) = loss_of_map(statistics, map);
        if (!std::isfinite(record.loss(i)))
            throw Error(concat("the loss is not finite at step ", step,
                               "; a smaller learning rate is expected"));
        record.strength.row(i) = strengths(modes, map).transpose();
        if (settings.target)
            record.test_error(i) =
                (map - *settings.target).squaredNorm() / settings.target->squaredNorm();
        if (sink) sink(step, descent, record.loss(i));
        run.monitor->progress({static_cast<double>(step),
                               static_cast<double>(settings.recorded.back()), "steps",
                               concat("loss ", record.loss(i))});
    }
    record.last = descent.layers();
    record.velocities = descent.velocities();
    return record;
}

} // namespace assay::lindyn
