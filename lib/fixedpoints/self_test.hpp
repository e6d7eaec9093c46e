// The Jacobians of a network against central differences, at random states and inputs.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>

#include <algorithm>

namespace assay::fixedpoints {

// Largest deviations of entries, over all tested states.
struct JacobianTest {
    double state = 0, input = 0, reduced = 0;
    [[nodiscard]] double worst() const { return std::max({state, input, reduced}); }
    [[nodiscard]] bool passes() const { return worst() <= 1e-7; } // false for NaN
};

// Step 1e-6, states and inputs standard normal.
[[nodiscard]] ASSAY_API JacobianTest test_jacobians(const Dynamics& dynamics, Index states,
                                                    std::uint64_t seed);

} // namespace assay::fixedpoints
