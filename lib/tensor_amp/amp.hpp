// Approximate message passing on a tensor: all replicates advance together, their factors side by
// side in one product with the tensor a mode.
#pragma once

#include <assay/tensor_amp/amp_state.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>

#include <optional>
#include <vector>

namespace assay::tensor_amp {

// What unobserved entries do to the fields: sums over the observed entries of every row, or their
// number alone, as if they were missing at random.
enum class MissingForm { exact, mean_field };

// `mean_field` is safe where every slice has about the same observed fraction: `exact` when one
// differs by more than a fifth from the mean, as in `counts` (mode by mode, of a tensor of
// `shape`).
[[nodiscard]] ASSAY_API MissingForm suitable_form(const Shape& shape,
                                                  const std::vector<VectorXd>& counts);

struct AmpProblem {
    const TensorSource* source = nullptr;
    std::vector<PriorPointer> priors; // one a mode
    double noise_variance = 1;
    MissingForm missing = MissingForm::exact;
    // A mode whose slices have noise variances of their own.
    std::optional<Index> noise_mode;
    VectorXd noise_of_slices; // of that mode at the start; empty: all `noise_variance`
    // Sees all replicates after every sweep.
    std::function<void(const std::vector<AmpState>&)> after_sweep;
};

// One state per start, after its last sweep. Two passes over the tensor a sweep in sequence, one in
// parallel; in the exact form of missing entries one more a mode and replicate. What is kept after
// every sweep are the iterates of all.
using AmpKeeping = Keeping<std::vector<AmpIterate>>;
[[nodiscard]] ASSAY_API std::vector<AmpState>
run_amp(const AmpProblem& problem, const std::vector<Factors>& starts, const AmpSettings& settings,
        const Execution& run, const AmpKeeping& keeping = {});

} // namespace assay::tensor_amp
