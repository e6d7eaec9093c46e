// Eigen counts with signed indices, the containers of the standard library with unsigned ones.
#pragma once

#include <Eigen/Core>

#include <cstddef>

namespace assay {

using Eigen::Index;

// The place of a row, column, mode or level in a std::vector; the index is not negative.
[[nodiscard]] inline std::size_t at(Index index) {
    return static_cast<std::size_t>(index);
}
// The least multiple of `multiple` that is at least `value`; neither is negative.
[[nodiscard]] inline Index rounded_up(Index value, Index multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

} // namespace assay
