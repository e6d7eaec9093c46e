// Approximate message passing on symmetric tensors, all modes of which have one factor x (N x r):
//     Y = sqrt((p-1)!) N^{-(p-1)/2} sum_rho prod_a x[i_a, rho] + sqrt(Delta) z    on i_1 < ... <
//     i_p,
// given in full, 0 where indices repeat. State evolution is that of a cubic tensor with equal
// overlaps; finite sizes cost more, about 10 / N of the overlap, and where the signal of an entry
// is above its noise, more: the pattern of entries with repeated indices is taken for noise. Only
// the parallel schedule exists.
#pragma once

#include <assay/tensor_amp/amp_state.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/keeping.hpp>

#include <vector>

namespace assay::tensor_amp {

struct SymmetricRun {
    MatrixXd mean;             // N x r
    Belief belief;             // of the rows, its mean the same
    MatrixXd precision, field; // of the last sweep: 1 x r^2, N x r
    PriorPointer prior;        // as learned
    double noise_variance = 0;
    double free_entropy = 0; // per N
    AmpStatus status = AmpStatus::running;
    std::vector<SweepTrace> trace;
};

// A run between two sweeps.
struct SymmetricIterate {
    SymmetricRun run;
    MatrixXd previous;  // the means before, N x r
    MatrixXd seen;      // the means that the field was made of, damped alike
    MatrixXd summed;    // V, r x r
    VectorXd vanishing; // see vanishing_share
    double learned_change = 0;
    int sweeps = 0;
};

// Sets entries with repeated indices to 0. Throws Error where the tensor is not cubic, or the
// others are not equal under permutations of their indices.
template <class Scalar>
ASSAY_API void clear_repeated_indices(TensorOf<Scalar>& tensor);
// The same of `count` entries from `first` on, whole fibres of the last mode; nothing is checked.
template <class Scalar>
ASSAY_API void clear_repeated_indices(Scalar* values, Index first, Index count, const Shape& shape);
// How far entries that ought to be equal may be apart, in parts of the largest.
inline constexpr double kSymmetryRounding = 1e-6;
// Throws Error for a shape whose dimensions differ.
ASSAY_API void check_cubic_tensor(const Shape& shape);

// Throws Error for a tensor that is not cubic, or with missing entries.
ASSAY_API void check_symmetric(const TensorSource& source);

// From `start` (N x r), damped by parallel_damping unless another is set; one pass over the tensor
// a sweep.
[[nodiscard]] ASSAY_API SymmetricRun
run_symmetric_amp(const TensorSource& source, const PriorPointer& prior, double noise_variance,
                  const MatrixXd& start, const AmpSettings& settings, const Execution& run,
                  const Keeping<SymmetricIterate>& keeping = {});

} // namespace assay::tensor_amp
