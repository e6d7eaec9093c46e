// Sobol points: quasi-random numbers that fill the unit cube evenly. Direction numbers of Joe, Kuo
// 2008 (SIAM J. Sci. Comput. 30:2635, new-joe-kuo-6), Gray-code order, not scrambled: the points of
// scipy.stats.qmc.Sobol(scramble=False).
#pragma once

#include <assay/core/export.hpp>

#include <cstdint>
#include <vector>

namespace assay {

inline constexpr int kSobolDimensions = 40;

// Point `index` of the sequence, each coordinate in [0, 1), a multiple of 2^-32; point 0 is the
// origin. Throws Error for less than 1 or more than kSobolDimensions dimensions.
[[nodiscard]] ASSAY_API std::vector<double> sobol_point(int dimensions, std::uint32_t index);

} // namespace assay
