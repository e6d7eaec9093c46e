// Networks of a comparison without files: points on a ring seen in rotated coordinates, and one
// fixed point each.
#pragma once

#include <assay/fixedpoints/comparison.hpp>

#include <Eigen/QR>

#include <cmath>

namespace testing {

using namespace assay;
using namespace assay::fixedpoints;

class RingNetworks : public NetworkSet {
  public:
    explicit RingNetworks(Index count) : inputs(static_cast<std::size_t>(count), 0) {}

    [[nodiscard]] Index count() const override { return static_cast<Index>(inputs.size()); }
    // Three signals of different sizes in 4 trials of 15 steps, turned; the odd ones have a fourth,
    // silent unit.
    [[nodiscard]] RowMatrix activations(Index network, Coordinates) const override {
        RowMatrix signals(60, 3);
        for (Index row = 0; row < 60; ++row) {
            const double t = static_cast<double>(row % 15), trial = static_cast<double>(row / 15);
            signals.row(row) << std::cos(0.4 * t + trial), 0.7 * std::sin(0.4 * t + trial),
                0.5 * std::pow(0.8, t) * (1 + trial);
        }
        const Matrix mix = Matrix::NullaryExpr(3, 3, [&](Index i, Index j) {
            return std::sin(static_cast<double>(1 + i + 3 * j + 7 * network));
        });
        const Matrix turn = Eigen::HouseholderQR<Matrix>(mix).householderQ();
        RowMatrix seen = RowMatrix::Zero(60, network % 2 == 0 ? 3 : 4);
        seen.leftCols(3) = signals * turn;
        return seen;
    }
    [[nodiscard]] Trajectories trajectories(Index network) const override {
        Trajectories t;
        t.trials = 4;
        t.steps = 15;
        t.states = activations(network, Coordinates::units);
        return principal_trajectories(t);
    }
    // Eigenvalues 0.5 and 0.5 + 0.1 network.
    [[nodiscard]] PointSpectra spectra(Index network) const override {
        PointSpectra s;
        s.readout = RowMatrix::Zero(1, 1);
        s.input_id = {inputs[static_cast<std::size_t>(network)]};
        s.eigenvalues = {ComplexVector::Constant(2, 0.5)};
        s.eigenvalues[0](1) += 0.1 * static_cast<double>(network);
        return s;
    }
    // Two attractors and a saddle that falls to one or both.
    [[nodiscard]] PointGraph graph(Index network) const override {
        PointGraph g;
        g.readout.resize(3, 1);
        g.readout << -1, 1, 0;
        g.n_unstable = {0, 0, 1};
        g.input_id.assign(3, inputs[static_cast<std::size_t>(network)]);
        g.adjacency = Matrix::Zero(3, 3);
        g.adjacency(2, 0) = 0.5;
        if (network % 3 != 0) g.adjacency(2, 1) = 0.5;
        return g;
    }
    [[nodiscard]] PointGraph chain(Index network) const override { return graph(network); }

    std::vector<std::int32_t> inputs; // of each network's points
};

} // namespace testing
