// Networks with line attractors and linear maps whose numbers are known in closed form.
#pragma once

#include <assay/core/random.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <string>
#include <utility>
#include <vector>

namespace lines {

using namespace assay;
using namespace assay::fixedpoints;

inline Matrix normal(const std::string& name, Index rows, Index cols) {
    const Random random(0, "test/fixedpoints/" + name);
    Matrix values(rows, cols);
    for (Index i = 0; i < values.size(); ++i)
        values.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return values;
}

// A cell without a bias (recurrent: gates units x units); its readout is its state.
inline Cell cell(network::CellKind kind, network::Function function, const RowMatrix& recurrent,
                 const RowMatrix& kernel) {
    network::CellForm form;
    form.kind = kind;
    form.activation.function = function;
    form.units = recurrent.cols();
    form.inputs = kernel.cols();
    form.bias = false;
    Vector parameters(kernel.size() + recurrent.size());
    parameters << Eigen::Map<const Vector>(kernel.data(), kernel.size()),
        Eigen::Map<const Vector>(recurrent.data(), recurrent.size());
    return {form, parameters};
}

inline Cell linear(const Matrix& recurrent, const Matrix& kernel) {
    return cell(network::CellKind::linear, network::Function::identity, recurrent, kernel);
}

// relu rnn with W = r l^T + P B P, r > 0, l . r = 1, P = I - r l^T: every c r with c > 0 rests,
// with eigenvalue 1, right vector r and left vector l; all other modes decay.
struct ReluLine {
    Vector r, l;
    Matrix recurrent, kernel;
    Dynamics dynamics;
};

inline ReluLine relu_line(Index units, Index inputs) {
    const Vector r = normal("line/r", units, 1).cwiseAbs().array() + 0.5;
    const Vector free = normal("line/l", units, 1);
    const Vector l = free + r * ((1 - free.dot(r)) / r.squaredNorm());
    const Matrix project = Matrix::Identity(units, units) - r * l.transpose();
    const Matrix b = normal("line/b", units, units);
    const Matrix decaying = project * b * project;
    const Matrix recurrent = r * l.transpose() + decaying * (0.5 / decaying.norm());
    const Matrix kernel = 0.1 * normal("line/kernel", units, inputs);
    return {r, l, recurrent, kernel,
            Dynamics(cell(network::CellKind::rnn, network::Function::relu, recurrent, kernel))};
}

// Points c r for some c, at input zero.
inline Points points_on(const ReluLine& line, const Vector& c) {
    Points points;
    points.state = c * line.r.transpose();
    points.input.setZero(c.size(), line.kernel.cols());
    return points;
}

inline std::vector<EigenSystem> systems_of(const Dynamics& dynamics, const Points& points) {
    std::vector<EigenSystem> systems;
    for (Index p = 0; p < points.count(); ++p)
        systems.push_back(
            eigen_system(dynamics.jacobian_state(points.input.row(p), points.state.row(p)),
                         dynamics.state_size()));
    return systems;
}

// Trajectories that hold just these states, `steps` a trial.
inline Trajectories trajectories_of(const Matrix& states, Index steps, Index inputs) {
    Trajectories made;
    made.trials = states.rows() / steps;
    made.steps = steps;
    made.lengths.assign(static_cast<std::size_t>(made.trials), steps);
    made.states = states;
    made.inputs.setZero(states.rows(), inputs);
    return made;
}

} // namespace lines
