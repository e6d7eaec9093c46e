// The manifold that a network's states live on, above all an approximate line attractor
// (Maheswaranathan, Williams, Golub, Ganguli, Sussillo 2019, arXiv:1906.10720, section 4): how many
// dimensions states and points take, how fast states come to rest, the axis of the line, and
// whether the slowest mode of every point lies along it.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// --- dimension ---

struct Dimensionality {
    Index samples = 0;
    Vector mean;                    // S
    Vector variances;               // S, falling (divisor: samples)
    Vector ratios;                  // of the whole variance; zeros where there is none
    double participation_ratio = 0; // (sum of variances)^2 / sum of their squares
    Matrix axes;                    // S x S, principal directions as columns
};

// Of rows (n x S): states of a trained or an untrained network, or points. O(n S^2 + S^3). Throws
// Error for no rows and for numbers that are not finite.
[[nodiscard]] ASSAY_API Dimensionality dimensionality(const RowMatrix& rows, const Execution& run);
// Of all valid states.
[[nodiscard]] ASSAY_API Dimensionality dimensionality(const Trajectories& trajectories,
                                                      const Execution& run);

// --- approach ---

struct ApproachOptions {
    Index starts = 500;
    Index steps = 200;
    Vector levels = (Vector(5) << 0.05, 0.25, 0.5, 0.75, 0.95).finished();
    std::uint64_t seed = 0;
};

struct Approach {
    Vector levels;
    RowMatrix speed; // steps x levels: quantiles of |h(t+1) - h(t)| / |h(t)|
};

// How states of the data come to rest: `starts` of the valid states, drawn with replacement, run
// under one constant input (1 x inputs). A state of zeros that moves has infinite speed. Throws
// Error where there is no valid state. O(steps) batched products.
[[nodiscard]] ASSAY_API Approach approach_speeds(const Dynamics& dynamics,
                                                 const Trajectories& trajectories,
                                                 const RowMatrix& input,
                                                 const ApproachOptions& options,
                                                 const Execution& run);

// --- the input that points were found at ---

// Whether a constant input stands for inputs as they are (n x inputs, one row a token): an average
// token should move the state as little as the constant input does.
struct InputOffset {
    Vector mean;           // of the inputs
    double mean_norm = 0;  // its norm
    double token_norm = 0; // mean norm of the inputs
    double distance = 0;   // of the constant input from the mean
    std::string warning;   // where the distance is above 5% of token_norm; else empty
};
[[nodiscard]] ASSAY_API InputOffset input_offset(const RowMatrix& inputs,
                                                 const Eigen::RowVectorXd& constant);

// --- axis ---

struct Axis {
    Vector direction;       // m: leading principal direction of the points, unit norm, m . w >= 0
    double dot_readout = 0; // m . w
    double cosine = 0;      // m . w / |w|; 0 for w = 0
    double variance = 0;    // share of the points' variance along m
    Vector inside_states;   // share of it within the first 1, 2, 3 principal directions of states
};

// The gradient of one output, d readout / dh, at the mean of some states. For a linear readout that
// is its row of weights. Throws Error for an output that is not there and for no states.
[[nodiscard]] ASSAY_API Vector readout_direction(const Dynamics& dynamics, const RowMatrix& states,
                                                 Index output);
// Of points (P x S), P >= 2. Throws Error for fewer, or where all are equal.
[[nodiscard]] ASSAY_API Axis attractor_axis(const RowMatrix& points, const Vector& readout,
                                            const Dimensionality& states, const Execution& run);

// --- alignment of the slowest mode ---

// One mode of every point as real vectors: |right| = 1, right . axis >= 0, left . right = 1. Of a
// complex pair `right` is the unit vector of the span of the real and imaginary part of the
// eigenvector that is nearest to the axis, and `left` what takes a vector to the coordinate along
// it after the spectral projection onto the pair, x -> right . 2 Re(r l) x.
struct RealModes {
    RowMatrix right, left;          // P x S
    std::vector<std::uint8_t> pair; // 1: of a complex pair
    [[nodiscard]] Index count() const { return right.rows(); }
};

// Mode `mode` (0: the first) of every eigen-system. Throws Error where a system has fewer vectors
// or another size than the axis.
[[nodiscard]] ASSAY_API RealModes real_modes(const std::vector<EigenSystem>& systems,
                                             const Vector& axis, Index mode);

struct Alignment {
    Vector axis;           // P: right . m
    Vector readout;        // P: w . right
    double median = 0;     // of `axis`
    Vector p_values;       // P: (1 + draws at least as aligned) / (1 + draws), see below
    Vector null;           // |u . m| of random unit vectors u, rising
    Vector null_levels;    // 0.5, 0.95, 0.99
    Vector null_quantiles; // of |u . m|
};

// Against random unit vectors in R^S (standard deviation of u . m: 1 / sqrt(S)). Modes that are
// complex pairs are compared with random planes, in which a vector near the axis is found more
// easily. Throws Error for `draws` < 1.
[[nodiscard]] ASSAY_API Alignment align(const RealModes& modes, const Vector& axis,
                                        const Vector& readout, Index draws, std::uint64_t seed);

} // namespace assay::fixedpoints
