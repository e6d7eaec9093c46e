// One step of states together with directions at them: the derivative of F along the directions,
// without a Jacobian; for Lyapunov exponents, Floquet multipliers and shooting.
#pragma once

#include <assay/fixedpoints/dynamics.hpp>

namespace assay::fixedpoints {

struct TangentStep {
    RowMatrix state;      // B x state size
    RowMatrix directions; // B n x state size
};

// x: B rows or one; h: B x state size; rows b n ... b n + n - 1 of `directions` (B n x state size)
// belong to state b. Rows become J(h_b) d. Cost: one batched step of 2 B n rows a layer.
[[nodiscard]] ASSAY_API TangentStep tangent_step(const Dynamics& dynamics, const RowMatrix& x,
                                                 const RowMatrix& h, const RowMatrix& directions);

} // namespace assay::fixedpoints
