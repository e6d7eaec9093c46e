// The few slow modes of a large Jacobian, the eigenvalues nearest to 1, without the rest: inverse
// subspace iteration on the LU of J - I (Saad 2011, Numerical Methods for Large Eigenvalue
// Problems, chapter 5), with right and left vectors.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/linearise.hpp>

namespace assay::fixedpoints {

struct SlowModeOptions {
    double tolerance = 1e-10; // of residuals, relative to the norm of J
    Index max_iterations = 300;
};

struct SlowModes {
    EigenSystem system; // k values with their vectors, the nearest to 1 first
    Vector residual;    // k: |J r - lambda r|, |r| = 1
    Index iterations = 0;
    bool converged = false; // all residuals below the tolerance, of left vectors too
};

// The min(count, S) eigenvalues nearest to 1 of a real matrix (S x S); the last may be half of a
// pair. O(2/3 S^3), and O(4 S^2 (k + 8)) an iteration; slow where no gap follows the
// last. Throws Error for a matrix that is not square or not finite, and for count < 1.
[[nodiscard]] ASSAY_API SlowModes slow_modes(const Matrix& jacobian, Index count,
                                             const SlowModeOptions& options = {});

} // namespace assay::fixedpoints
