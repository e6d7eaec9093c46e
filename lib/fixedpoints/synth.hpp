// Recurrent networks whose fixed points are known before anyone searches: a product of bistable
// units, a line attractor of rectified units, a rotation with a limit cycle, small networks out of
// the literature, linear systems of prescribed modes; and random networks of any cell, whose truth
// is empty. Each is a whole network (inputs, one recurrent layer "cell", a linear readout) for zero
// input. The same settings give the same bits.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/network/model.hpp>

#include <complex>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// The flow from one point to another, rows of SyntheticTruth::state.
struct TrueEdge {
    enum class Kind : std::uint8_t { to_attractor, heteroclinic };
    Index from = 0, to = 0;
    Kind kind = Kind::to_attractor;
};

// What is known of a network at zero input. Points are ordered as those of a search: by number of
// unstable dimensions, then state. What a family does not know is left empty.
struct SyntheticTruth {
    RowMatrix state;                      // P x S
    ComplexMatrix eigenvalues;            // P x S, rows ordered as those of eigen_system
    std::vector<std::int32_t> n_unstable; // eigenvalues beyond the unit circle
    bool complete = false;                // no other points
    std::optional<Index> index_sum;       // sum of sign det(I - J), where all points are known
    RowMatrix coordinates;                // P x d: product: -1, 0, 1 a bit; relu-line: the place c
    std::vector<TrueEdge> edges;          // product: between points of adjacent dimensions
    RowMatrix line_direction; // relu-line, P x S: eigenvector of 1, along growing c, of norm 1
    Vector line_left;         // relu-line, S: its left partner, the same at every point
    ComplexMatrix right;      // linear, S x S: columns of norm 1, largest entry real and positive
    ComplexMatrix left;       // linear, S x S: its inverse
    std::optional<double> henrici; // linear: departure from normality, relative
};

struct Synthetic {
    network::Model model;
    SyntheticTruth truth;
};

// Bytes that a network and its truth may take; beyond, Error.
inline constexpr double kSyntheticMemory = 1 << 30;

// tanh rnn of `bits` bistable units h_i' = tanh(w_i h_i) and `pad` units that copy one of them,
// p_j' = tanh(u_j h_i), in random order. The 3^bits points have coordinates 0 and +-a_i with a_i =
// tanh(w_i a_i); the Jacobian has eigenvalues w_i (1 - h_i^2) and `pad` zeros, a point as many
// unstable dimensions as coordinates 0, and the points with their flows are the faces of a cube: an
// edge leads from each to those with one coordinate 0 replaced. Input i turns bit i to the sign of
// a pulse of +-1; output i is h_i / a_i, so that the network is a flip-flop. O(3^bits units).
struct ProductSettings {
    Index bits = 3;
    std::vector<double> gains; // w_i > 1: one a bit, or one for all; empty: 2, 1.6, 1.3 in turn
    Index pad = 0;
    std::uint64_t seed = 0; // order of the units, weights of the copies
};
[[nodiscard]] ASSAY_API Synthetic make_product(const ProductSettings& settings,
                                               double memory = kSyntheticMemory);

// relu rnn of two blocks of `units` that hold a number c exactly: W = R L^T + diag(P1 B1 P1, P2 B2
// P2) with R = [r1; -r2], L = [l1; -l2], r > 0, l^T r = 1, P = I - r l^T. The first block holds c
// r1 where c > 0 and the second -c r2 where c < 0, each silencing the other: at every c but 0 the
// Jacobian has eigenvalue 1 with left vector L, the decays of the active block, and zeros. The
// input adds to c: h' = c' (r1 or -r2) with c' = c + x from any state on the line; the output is c.
struct ReluLineSettings {
    Index units = 16;   // of a block, at least 2
    double decay = 0.8; // largest other eigenvalue, in [0, 1); the rest equally spaced towards 0
    double tilt = 0.5;  // tangent of the angle between l and r, at least 0
    Index points = 10;  // c listed in the truth: this many on each side,
    double extent = 1;  // up to here
    std::uint64_t seed = 0;
};
[[nodiscard]] ASSAY_API Synthetic make_relu_line(const ReluLineSettings& settings,
                                                 double memory = kSyntheticMemory);

// Two tanh units, W = rho (rotation by theta): one point, the origin, with eigenvalues rho
// e^(+-i theta), and a limit cycle around it where rho > 1. Throws Error where W has other points
// (theta near 0 or a multiple of pi). Input and output: the first unit.
struct RotationSettings {
    double rho = 1.2, theta = 0.3;
};
[[nodiscard]] ASSAY_API Synthetic make_rotation(const RotationSettings& settings);

// tanh rnn of n = 2, 3, 4 units with W_ij = -a((i + j) mod n), a = n numbers equally spaced from -1
// to 1 (an example of rnn-fxpts; Katz, Reggia 2018): 3, 3, 9 points, by Newton's method from a
// grid, complete by their number and index. One input a unit, outputs the units.
[[nodiscard]] ASSAY_API Synthetic make_roll(Index n);

// linear cell W = V Lambda V^-1 of prescribed eigenvalues with one point h* = (I - W)^-1 b. V =
// Q (I + s U), Q orthogonal, U random and strictly (block) upper triangular, and s such that
// Henrici's departure from normality is the one asked for: eigenvectors, and the spectrum, are
// exact by construction. Eigenvalues with imaginary part b > 0 stand for their pair. Throws Error:
// an eigenvalue 1 (no single point), non-normality that no s reaches (equal eigenvalues), S above
// what memory takes. O(S^3). One input, of random direction; outputs: the first two units.
struct LinearSettings {
    std::vector<std::complex<double>> eigenvalues{{0.95, 0}, {0.9, 0.2}, {0.5, 0}};
    double henrici = 0; // in [0, 1)
    std::uint64_t seed = 0;
};
[[nodiscard]] ASSAY_API Synthetic make_linear(const LinearSettings& settings,
                                              double memory = kSyntheticMemory);

// An untrained network: recurrent weights N(0, gain^2 / units) gate by gate, all others N(0, 1 /
// fan in), biases 0. Throws Error for unknown words. The truth is empty.
struct RandomNetworkSettings {
    std::string cell = "gru"; // rnn, gru, lstm, ugrnn, janet, ctrnn, linear
    std::string activation;   // tanh, relu, identity, softplus; empty: the cell's own
    Index units = 64, inputs = 3, outputs = 3;
    double gain = 1;
    double alpha = 0.1; // ctrnn only: dt / tau
    std::uint64_t seed = 0;
};
[[nodiscard]] ASSAY_API Synthetic make_random_network(const RandomNetworkSettings& settings,
                                                      double memory = kSyntheticMemory);

} // namespace assay::fixedpoints
