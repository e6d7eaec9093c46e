// Small recurrent networks whose points are known in closed form.
#pragma once

#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <cmath>
#include <vector>

namespace assay::test {

using fixedpoints::Dynamics;
using fixedpoints::EigenSystem;
using fixedpoints::Points;
using network::Function;

// h' = phi(W h + K x).
inline Dynamics plain_network(const Matrix& recurrent, const Matrix& kernel,
                              Function activation = Function::tanh) {
    network::CellForm form;
    form.activation = {activation, 1};
    form.units = recurrent.rows();
    form.inputs = kernel.cols();
    form.bias = false;
    const RowMatrix k = kernel, w = recurrent;
    Vector parameters(k.size() + w.size());
    parameters << Eigen::Map<const Vector>(k.data(), k.size()),
        Eigen::Map<const Vector>(w.data(), w.size());
    return Dynamics(fixedpoints::Cell(form, parameters));
}

// One row of inputs, all zero.
inline RowMatrix no_input(const Dynamics& dynamics) {
    return RowMatrix::Zero(1, dynamics.inputs());
}

inline Matrix rotation_weights(double rho, double theta) {
    Matrix w(2, 2);
    w << std::cos(theta), -std::sin(theta), std::sin(theta), std::cos(theta);
    return rho * w;
}

// The solution a > 0 of a = tanh(w a) for w > 1.
inline double upper_root(double w) {
    double a = 1;
    for (int i = 0; i < 2000; ++i) a = std::tanh(w * a);
    return a;
}

struct System {
    Points points;
    std::vector<EigenSystem> systems;
};

// Points at given states, all of one input.
inline System system_at(const Dynamics& dynamics, const RowMatrix& states, const RowMatrix& x,
                        std::int32_t input_id = 0) {
    System result;
    result.points.state = states;
    result.points.input = x.replicate(states.rows(), 1);
    const auto count = static_cast<std::size_t>(states.rows());
    result.points.input_id.assign(count, input_id);
    result.points.kind.assign(count, fixedpoints::PointKind::fixed);
    for (Index p = 0; p < states.rows(); ++p)
        result.systems.push_back(
            fixedpoints::eigen_system(dynamics.jacobian_state(x, states.row(p)), states.cols()));
    return result;
}

// n decoupled units h' = tanh(w_i h) with 3^n points, and `pad` units that follow them, in an order
// that hides which is which.
struct Product {
    Matrix recurrent;
    RowMatrix states;                    // 3^n points
    std::vector<std::vector<int>> signs; // -1, 0, 1 of each unit at each point
};

inline Product product_system(const std::vector<double>& gains, Index pad) {
    const auto n = static_cast<Index>(gains.size());
    const Index size = n + pad;
    const auto place = [&](Index unit) { return (5 * unit + 2) % size; }; // needs gcd(5, size) = 1
    const auto followed = [&](Index unit) { return (unit - n) % n; };
    constexpr double kFollow = 0.7;
    Product product;
    product.recurrent.setZero(size, size);
    for (Index i = 0; i < n; ++i)
        product.recurrent(place(i), place(i)) = gains[static_cast<std::size_t>(i)];
    for (Index i = n; i < size; ++i) product.recurrent(place(i), place(followed(i))) = kFollow;
    Index count = 1;
    for (Index i = 0; i < n; ++i) count *= 3;
    product.states.setZero(count, size);
    for (Index p = 0; p < count; ++p) {
        std::vector<int> signs;
        for (Index i = 0, rest = p; i < n; ++i, rest /= 3) {
            signs.push_back(static_cast<int>(rest % 3) - 1);
            product.states(p, place(i)) =
                signs.back() * upper_root(gains[static_cast<std::size_t>(i)]);
        }
        for (Index i = n; i < size; ++i)
            product.states(p, place(i)) =
                std::tanh(kFollow * product.states(p, place(followed(i))));
        product.signs.push_back(std::move(signs));
    }
    return product;
}

} // namespace assay::test
