// Tensors of known truth, of any order, shape, rank and prior:
//     Y = N^{-(p-1)/2} sum_rho prod_a X_a[i_a, rho] + sqrt(Delta) z     (arXiv 1810.10065, eq. 1).
// Factors, noise and mask are drawn from streams of their own, which depend on the seed and the
// place only; so the same factors can be had with other noise, and no algorithm's random start can
// meet them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/tensor.hpp>
#include <assay/tensor_amp/truth.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// Indices from `begin` to before `end` of one mode; a block is unobserved where all ranges hold.
struct IndexRange {
    Index mode = 0, begin = 0, end = 0;
};
using MissingBlock = std::vector<IndexRange>;

struct SyntheticSettings {
    Shape shape;
    Index rank = 1;
    std::vector<PriorPointer> priors; // of each mode; not used where `factors` are given
    Factors factors;                  // in model units, in place of draws
    std::vector<std::string> mode_names;
    double noise_variance = 1; // Delta
    std::optional<double> snr; // variance of the entries of W / Delta, which sets Delta
    // Delta_i = Delta exp(spread z_i), their mean kept at Delta, for the slices of one mode.
    Index noise_mode = -1;
    double noise_spread = 0;
    // Sample mean and covariance of every factor made exactly the prior's (Gaussian priors only).
    bool standardize = false;
    // All modes have one factor; Y = sqrt((p-1)!) N^{-(p-1)/2} sum prod x + sqrt(Delta) z, equal
    // under permutations of indices, and 0 where two indices are equal. The truth's factors are in
    // model units, symmetric_unit(p) times x.
    bool symmetric = false;
    double missing_fraction = 0; // of entries, at random
    std::vector<MissingBlock> missing_blocks;
    std::uint64_t seed = 0;
    double memory_bytes = std::numeric_limits<double>::infinity();
};

struct Synthetic {
    DenseTensor tensor; // unobserved values are 0
    Truth truth;
};

// Throws Error for settings that do not fit one another, the shape, or the memory.
ASSAY_API void check_synthetic_settings(const SyntheticSettings& settings);
// Throws Error as that does.
[[nodiscard]] ASSAY_API Synthetic make_synthetic(const SyntheticSettings& settings,
                                                 const Execution& run);

// A known setting by name: what it leaves open, a caller may set.
struct Preset {
    std::string name, what;
    Shape shape;
    Index rank = 1;
    std::vector<std::string> priors; // of each mode; empty: factors of `neural_factors`
    double noise_variance = 1;
    std::optional<double> snr;
    std::vector<std::string> mode_names;
};
[[nodiscard]] ASSAY_API const std::vector<Preset>& presets();

// Neurons x times x trials of rank 4 (after Williams et al. 2018, Neuron 98): |normal| weights of
// neurons; bumps of width 0.05 at 0.2, 0.35, 0.5 and 0.7 of the time; over trials constant, rising,
// falling, and a sine. Entries of the tensor are of order 1, so columns are in model units large.
// Throws Error for another order than 3.
[[nodiscard]] ASSAY_API Factors neural_factors(const Shape& shape, std::uint64_t seed);

} // namespace assay::tensor_amp
