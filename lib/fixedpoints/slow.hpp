// Slow points: places on a slow manifold (an approximate line attractor), where the state would
// drift for hundreds of steps though it rests nowhere. Exact solvers slide along such a manifold
// into a root and lose the object, so the search moves in the fast directions only.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/points.hpp>
#include <assay/fixedpoints/search.hpp>

namespace assay::fixedpoints {

struct SlowOptions {
    double cut = 0.02;       // singular values of J - I up to it are slow
    Index dimension = 0;     // instead: so many smallest ones; 0: by the cut
    double tolerance = 1e-8; // of q in `norm`; infinity keeps all
    SpeedNorm norm = SpeedNorm::mean;
    Index max_iterations = 60;
    DistinctOptions distinct;
};

struct SlowResult {
    Points points; // input_id 0, kind slow, sorted
    StartRecord starts;
    double best_q = 0; // of all ends, kept or not
};

// Newton on the fast directions of the full map: with A = J - I = U Sigma V^T and slow set s, d =
// -sum over a not in s of v_a (u_a^T g) / sigma_a, at most 1 long, until |d| < 1e-10 (1 + |h|). The
// slow triplets come from inverse subspace iteration on A^T A, all of them from a full
// decomposition where that does not settle. Throws Error if `dimension` leaves no fast direction.
[[nodiscard]] ASSAY_API SlowResult search_slow(const Dynamics& dynamics, const RowMatrix& x,
                                               const RowMatrix& starts, const SlowOptions& options,
                                               const Execution& run);

} // namespace assay::fixedpoints
