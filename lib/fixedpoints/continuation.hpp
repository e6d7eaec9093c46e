// How points move, meet and change stability as the input moves from A to B: pseudo-arclength
// continuation (Keller 1977) of v - R(v, x(s)) = 0 with x(s) = x_A + s (x_B - x_A), on the reduced
// map R, in (v, s). Stability and bifurcations are those of the full Jacobian J: folds and branch
// points (det(I - J) changes sign), period doubling (det(I + J)), Neimark-Sacker (a pair of
// eigenvalues crosses the unit circle).
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <complex>
#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

struct TrackOptions {
    double ds = 0.02;         // first step of arclength in (v, s); steps grow to 5 ds
    Index max_points = 500;   // on a branch, the start included
    double marginal = 1e-3;   // for the stability of points, see classify
    double tolerance = 1e-11; // largest entry of v - R(v), relative to 1 + largest entry of v
};

// kink: eigenvalues jump, where a unit of relu or hard_sigmoid switches.
enum class BifurcationKind : std::uint8_t {
    fold,
    branch_point,
    period_doubling,
    neimark_sacker,
    kink
};

struct Bifurcation {
    BifurcationKind kind = BifurcationKind::fold;
    Index after = 0; // it lies between the points `after` and `after` + 1 of its branch
    double s = 0;
    Vector state;
    std::complex<double> eigenvalue; // the one on the unit circle
    double width = 0;                // of the interval of arclength that holds it
};

// to_end: s = 1. to_start: back at s = 0 (another point of input A). no_start: Newton's method
// found no point at A. degenerate: the curve is not one (more than one direction solves).
enum class BranchEnd : std::uint8_t {
    to_end,
    to_start,
    max_points,
    step_too_small,
    diverged,
    no_start,
    degenerate
};

struct Branch {
    Vector s;        // of each point, in the order along the curve
    RowMatrix state; // points x state size
    std::vector<std::int32_t> n_unstable, poincare_index; // sign det(I - J)
    std::vector<Stability> stability;
    ComplexMatrix eigenvalues; // points x state size, by falling magnitude
    Vector residual_inf;       // of the full map
    std::vector<Bifurcation> bifurcations;
    BranchEnd end = BranchEnd::no_start;
    // The start (row) that a branch came back to at s = 0; -1: none, or one that was not given.
    Index meets = -1;
    [[nodiscard]] Index count() const { return state.rows(); }
};

// One branch for every start (P x state size, points of input `from`, which are polished first), in
// the direction of growing s. `from`, `to`: 1 x inputs. Bifurcations are located by bisection of
// the arclength to 1e-9. Cost a point: a few LU of the reduced size, the eigenvalues of one
// Jacobian (10 S^3), and about 30 of both for a bifurcation. Throws Error for shapes that do not
// fit, equal inputs, options that are not positive.
[[nodiscard]] ASSAY_API std::vector<Branch>
track_points(const Dynamics& dynamics, const RowMatrix& starts, const RowMatrix& from,
             const RowMatrix& to, const TrackOptions& options, const Execution& run);

} // namespace assay::fixedpoints
