// The numbers that every part uses by name: pi, not-a-number (no value) and infinity (no bound).
#pragma once

#include <limits>

namespace assay {

inline constexpr double kPi = 3.141592653589793238462643383279503;
inline constexpr double kLogRootTwoPi = 0.91893853320467274178; // log sqrt(2 pi)
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

} // namespace assay
