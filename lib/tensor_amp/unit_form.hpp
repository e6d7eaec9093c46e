// Components as unit columns and weights, Y ~ sum_rho weights(rho) prod_a columns[a](i_a, rho), as
// least squares works with them, and their way to and from the factors in model units.
#pragma once

#include <assay/tensor_amp/model.hpp>

namespace assay::tensor_amp {

struct UnitForm {
    Factors columns; // N_a x r, unit columns (or 0)
    VectorXd weights;
};

// Of factors in model units: weights = N^{-(p-1)/2} prod_a |X_a,rho|.
[[nodiscard]] ASSAY_API UnitForm unit_form(const Factors& factors);

// In model units, balanced: each column of mode a has the norm sqrt(N_a) g, so that entries are of
// like size in all modes. Columns of the modes `as_they_are` have the norm given by that row of
// `norms` (p x r) instead. Negative weights go to the last mode that is free. Precondition: some
// mode is.
[[nodiscard]] ASSAY_API Factors balanced_factors(const UnitForm& form,
                                                 const std::vector<bool>& as_they_are = {},
                                                 const MatrixXd& norms = {});

} // namespace assay::tensor_amp
