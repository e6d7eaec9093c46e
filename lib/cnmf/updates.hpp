// The half-steps of convolutive NMF in Gram space: given the data product and the small matrices,
// how W and how H change. Multiplicative (Smaragdis 2004), coordinate descent (HALS) and
// nonnegative least squares (ANLS), Degleris et al. 2019, arXiv 1907.00139. Every regulariser has
// become an edit of the matrix or the right-hand side beforehand.
#pragma once

#include <assay/cnmf/gram.hpp>
#include <assay/core/export.hpp>

#include <limits>

namespace assay::cnmf {

// Added to denominators; also what zeros are lifted to where they may come back.
inline constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
// A diagonal below this share of its component's largest counts as zero: judged so, no result
// depends on how scale is shared between W and H.
inline constexpr double kZeroDiagonal = 1e-13;

enum class Algorithm { hals, mult, anls };
enum class Order { chunk, component, time };

// Sweeps of coordinate descent per half-step: a fixed number, or as many as pay, up to `most`
// (Gillis and Glineur 2012, arXiv 1107.5194): stop when a sweep changes less than `enough` of what
// the first did.
struct InnerSweeps {
    Index most = 5;
    double enough = 0.1;
    [[nodiscard]] static InnerSweeps fixed(Index count) { return {count, 0.0}; }
};

// --- W. `gram` is the edited A, `right_side` the edited B, both with lag-descending columns. ---

// W <- max(0, W + (B - W A)_j / A_jj) column by column, component outer, lag inner. In
// panels, so that all but the inside of a panel is GEMM; units in blocks of 64, in parallel.
ASSAY_API void hals_motifs(Matrix& motifs, const Matrix& gram, const Matrix& right_side,
                           Index components, const InnerSweeps& sweeps, const Execution& run);

// W <- W * B / (W A + extra + eps): B is the pure product; `extra` (empty or units x K L) holds the
// positive gradient of what is linear in W (l1, x-ortho).
ASSAY_API void multiply_motifs(Matrix& motifs, const Matrix& gram, const Matrix& product,
                               const Matrix& extra, const Execution& run);

// Exact nonnegative least squares per unit. Returns how many units needed the fallback.
ASSAY_API Index anls_motifs(Matrix& motifs, const Matrix& gram, const Matrix& right_side,
                            Index components, const Execution& run);

// --- H. `correlation` is edited, `gradient` = correlate(H) - edited G and is kept up to date. ---

// H <- max(0, H - P / c), c = C_t[k,k,0], in the order asked for.
ASSAY_API void hals_activations(TimeMatrix& activations, TimeMatrix& gradient,
                                const MotifCorrelation& correlation, const TimeAxis& axis,
                                Order order, const InnerSweeps& sweeps, const Execution& run);

// H <- H * G / (correlate(H) + extra + eps) with the pure product G.
ASSAY_API void multiply_activations(TimeMatrix& activations, const TimeMatrix& correlated,
                                    const TimeMatrix& product, const TimeMatrix& extra,
                                    const TimeAxis& axis);

// One time column (K numbers) at a time, exactly, the rest fixed; in chunks. Returns the number of
// fallbacks.
ASSAY_API Index anls_activations(TimeMatrix& activations, TimeMatrix& gradient,
                                 const MotifCorrelation& correlation, const TimeAxis& axis,
                                 Order order, const Execution& run);

// Squared norm of the projected gradient: the gradient where the variable is positive, its negative
// part where it is 0.
template <class Variable, class Gradient>
[[nodiscard]] double projected_gradient_norm(const Variable& variable, const Gradient& gradient) {
    return (variable.array() > 0)
        .select(gradient.array(), gradient.array().min(0.0))
        .square()
        .sum();
}

} // namespace assay::cnmf
