// Where a fit begins, apart from the spectral start: prior means, draws from the prior, or near a
// known truth.
#pragma once

#include <assay/tensor_amp/prior.hpp>

#include <cstdint>
#include <vector>

namespace assay::tensor_amp {

// E x in every row. Normal noise of a thousandth of the prior's spread is added where components
// would otherwise stay alike, or at the trivial fixed point: at rank above 1, or where a mean is 0.
[[nodiscard]] ASSAY_API Factors prior_mean_start(const Shape& shape,
                                                 const std::vector<PriorPointer>& priors,
                                                 std::uint64_t seed, std::uint64_t replicate = 0);

// Draws from the priors.
[[nodiscard]] ASSAY_API Factors random_start(const Shape& shape,
                                             const std::vector<PriorPointer>& priors,
                                             std::uint64_t seed, std::uint64_t replicate = 0);

// The truth plus normal noise of `spread` times each column's root mean square, but in
// `exact_modes` the truth itself. A truth of another rank is cut, or filled with noise; throws
// Error where exact modes would have to be filled.
[[nodiscard]] ASSAY_API Factors informed_start(const Factors& truth, Index rank, double spread,
                                               std::uint64_t seed, std::uint64_t replicate = 0,
                                               const std::vector<Index>& exact_modes = {});

} // namespace assay::tensor_amp
