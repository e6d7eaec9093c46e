// Taking means off a tensor before it is decomposed, so that no component is spent on them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <optional>

namespace assay::tensor_amp {

// The mean of all observed entries, or of each slice of one mode.
struct Centering {
    std::optional<Index> mode; // none: one mean for all
    VectorXd means;            // one, or one a slice; slices without observed entries have 0
};

// Subtracts the means and returns them. Throws Error for a mode that the tensor has not.
template <class Scalar>
ASSAY_API Centering subtract_means(TensorOf<Scalar>& tensor, std::optional<Index> mode);

// The mean of all observed entries; one pass.
[[nodiscard]] ASSAY_API double mean_value(const TensorSource& source);

} // namespace assay::tensor_amp
