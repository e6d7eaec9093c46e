// Matricised tensor times Khatri-Rao product, the one costly operation of CP decomposition:
//     M_a[i_a, c] = sum over all other indices of Y[i_1, .., i_p] prod_{b != a} X_b[i_b, c],
// for any order, shape and number of columns C. The modes are split into a left and a right group,
// so that Y is a contiguous matrix (L x R); then (Phan, Tichavsky, Cichocki 2013, IEEE TSP 61:4834)
//     right partial  Y KR(right)   (L x C)   gives the modes of the left group, and
//     left partial   Y^T KR(left)  (R x C)   those of the right group,
// by small contractions. Y is neither unfolded nor reconstructed. Sums over slabs of rows are
// combined in order: the bits depend neither on threads nor on where the tensor is kept.
#pragma once

#include <assay/tensor_amp/tensor_source.hpp>

#include <memory>

namespace assay::tensor_amp {

// Factors have one matrix a mode, N_a x C. With Content::observed the tensor is the 0/1 tensor of
// what was observed (all ones where the source is not masked), which gives the sums over observed
// entries that missing data need.
//
// A sequential sweep takes two passes, in each contraction with the newest factors:
//     kernel.right_partial(x, run);  for a in left group:   x[a] = update(kernel.contract(a, x,
//     run)); kernel.left_partial(x, run);   for a in right group:  x[a] = update(kernel.contract(a,
//     x, run));
// or simply `kernel.in_sweep(a, x, run)` for a = 0 .. p-1.
class ASSAY_API SweepKernel {
  public:
    // The source must outlive the kernel.
    explicit SweepKernel(const TensorSource& source, Content content = Content::values);
    ~SweepKernel();
    SweepKernel(SweepKernel&&) noexcept;
    SweepKernel& operator=(SweepKernel&&) noexcept;

    // The number of modes in the left group: 0 .. split-1.
    [[nodiscard]] Index split() const;

    // One pass; uses the factors of the right group only.
    void right_partial(const Factors& factors, const Execution& run);
    // One pass; uses the factors of the left group only.
    void left_partial(const Factors& factors, const Execution& run);
    // M of `mode` from the last partial of the other group and the factors of its own group as they
    // are now; no pass.
    [[nodiscard]] MatrixXd contract(Index mode, const Factors& factors, const Execution& run);
    // M of `mode` in a sweep over all modes in ascending order: takes the pass where `mode` is the
    // first of its group.
    [[nodiscard]] MatrixXd in_sweep(Index mode, const Factors& factors, const Execution& run);
    // M of all modes from one set of factors; one pass.
    [[nodiscard]] std::vector<MatrixXd> all_modes(const Factors& factors, const Execution& run);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// M of one mode; one pass.
[[nodiscard]] ASSAY_API MatrixXd mttkrp(const TensorSource& source, Index mode,
                                        const Factors& factors, const Execution& run,
                                        Content content = Content::values);

// How many entries were observed in each slice, mode by mode; one pass where the source is masked,
// else none.
[[nodiscard]] ASSAY_API std::vector<VectorXd> observed_counts(const TensorSource& source,
                                                              const Execution& run);

} // namespace assay::tensor_amp
