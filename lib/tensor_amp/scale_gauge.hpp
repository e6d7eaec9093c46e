// The scales of one component in the modes of a low-rank tensor: multiplying its columns by g_a
// with prod_a g_a = 1 leaves the data term as it is, so that at low noise they relax slowly,
// through the priors alone. This finds the g_a at once.
#pragma once

#include <assay/tensor_amp/model.hpp>

namespace assay::tensor_amp {

// The maximiser of the Bethe free entropy along that orbit for Gaussian priors, whose part of mode
// a is N_a log g_a - alpha_a g_a^2 / 2 + beta_a g_a: with `quadratic` alpha_a > 0, `linear` beta_a
// and `rows` N_a. Each g_a is cut to [1/2, 2], and the product made 1 again.
[[nodiscard]] ASSAY_API VectorXd equilibrium_scales(const VectorXd& quadratic,
                                                    const VectorXd& linear, const VectorXd& rows);

} // namespace assay::tensor_amp
