// The states a network visits on data, in the few directions that hold most of their variance.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::fixedpoints {

// Centred activations X (T x N) as left diag(singular_values) right', up to what the threshold
// leaves out.
struct ActivationBasis {
    RowMatrix left;         // T x k, orthonormal columns
    Vector singular_values; // k, descending
    RowMatrix right;        // N x k, orthonormal columns
    Vector mean;            // N: what was subtracted
    double threshold = 1;   // share of the variance that the k directions reach
    [[nodiscard]] ASSAY_API RowMatrix activations() const; // T x N
};

// The fewest leading directions of `activations` (T x N, centred here) that reach `threshold` (in
// (0, 1]) of the variance, by the eigen-decomposition of the smaller scatter matrix: singular
// values below about 1e-8 of the largest are rounding and left out. O(T N min(T, N)). Constant
// activations have no direction. Throws Error on no rows or numbers that are not finite.
[[nodiscard]] ASSAY_API ActivationBasis activation_basis(const RowMatrix& activations,
                                                         double threshold);

} // namespace assay::fixedpoints
