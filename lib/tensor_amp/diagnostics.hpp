// What a fit leaves unexplained, and whether its rank can be defended. Core consistency (Bro, Kiers
// 2003, J. Chemometrics 17:274): the tensor seen through the pseudo-inverses of the factors,
//     G = Y x_1 X_1^+ ... x_p X_p^+,
// is the superdiagonal I where the CP model holds, and the consistency is 100 (1 - |G - I|^2 / r).
// G - I is formed from the residuals, so unobserved entries count as if the fit were right there.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/model.hpp>
#include <assay/tensor_amp/tensor.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <optional>
#include <vector>

namespace assay::tensor_amp {

// Of the slices of one mode.
struct SliceResiduals {
    VectorXd variance; // mean squared residual of observed entries; NaN where there are none
    VectorXd data;     // mean square of the data about the mean of all, likewise
    VectorXd count;    // observed entries
};

struct Diagnosis {
    // Empty where it was not asked for, or r^p is above kLargestCore.
    std::optional<double> core_consistency;
    double explained_variance = 0;      // 1 - |Y - What|^2 / |Y - mean Y|^2; 0 for a constant Y
    bool constant = false;              // all observed entries are equal
    double residual_variance = 0;       // mean squared residual
    double observed = 0;                // entries
    VectorXd share;                     // <What_rho, What> / |What|^2; their sum is 1
    std::vector<SliceResiduals> slices; // of each mode
};
inline constexpr double kLargestCore = 1e6;

// Means that were taken off the data before the fit: one for all, or one for each slice of a mode.
struct Center {
    VectorXd means; // empty: none
    Index mode = -1;
};

// What of the data is looked at, and how.
struct DiagnosisSettings {
    bool core_consistency = true;
    bool symmetric = false; // entries with repeated indices count as unobserved
};

// One pass over the data; of the reconstruction only some slices of the first mode exist at a time.
// Factors in model units. Whether the tensor is held or streamed, the result has the same bits.
// Throws Error where factors or means do not fit the tensor.
[[nodiscard]] ASSAY_API Diagnosis diagnose(const DenseTensor& tensor, const Factors& factors,
                                           const Execution& run, const Center& center = {},
                                           const DiagnosisSettings& settings = {});
[[nodiscard]] ASSAY_API Diagnosis diagnose(const TensorSource& source, const Factors& factors,
                                           const Execution& run, const Center& center = {},
                                           const DiagnosisSettings& settings = {});

// Diagnosis::explained_variance alone, by rows of the unfolded tensor: ranks may share the pass.
[[nodiscard]] ASSAY_API double explained_variance(const TensorSource& source,
                                                  const Factors& factors, const Execution& run,
                                                  bool symmetric = false);

} // namespace assay::tensor_amp
