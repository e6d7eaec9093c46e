#include <assay/fixedpoints/simulate.hpp>

#include <assay/fixedpoints/attractor.hpp>

#include <algorithm>

namespace assay::fixedpoints {

Simulation describe_trials(const Dynamics& dynamics, Trajectories trajectories, Index components,
                           const Execution& run) {
    Simulation s;
    const Dimensionality pca = dimensionality(trajectories, run);
    const Index k = std::min(components, pca.ratios.size());
    s.components = pca.axes.leftCols(k).transpose();
    s.mean = pca.mean;
    s.variance_ratio = pca.ratios;
    s.participation_ratio = pca.participation_ratio;
    s.outputs = dynamics.readout(trajectories.states);
    s.scores = (trajectories.states.rowwise() - pca.mean.transpose()) * s.components.transpose();
    s.speed.setZero(trajectories.trials, trajectories.steps);
    const RowMatrix initial = dynamics.initial_state();
    for (Index trial = 0; trial < trajectories.trials; ++trial) {
        const Index length = trajectories.lengths[static_cast<std::size_t>(trial)];
        Eigen::RowVectorXd before = initial;
        for (Index t = 0; t < trajectories.steps; ++t) {
            const Index row = trajectories.row(trial, t);
            if (t >= length) {
                s.outputs.row(row).setZero();
                s.scores.row(row).setZero();
                continue;
            }
            const Eigen::RowVectorXd now = trajectories.states.row(row);
            const double size = before.norm();
            s.speed(trial, t) = size > 0 ? (now - before).norm() / size : 0;
            before = now;
        }
    }
    s.trajectories = std::move(trajectories);
    return s;
}

} // namespace assay::fixedpoints
