// FitResult in HDF5, group /tensor_amp/fit: attributes for numbers and words, factors/modeK,
// posterior/cov_modeK, weights, unit_factors/modeK, fields, trace, restarts; K from 0.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/fit_result.hpp>

namespace assay::tensor_amp {

inline constexpr const char* kFitGroup = "/tensor_amp/fit";

// Throws Error where the parts of the fit do not fit one another (`check_fit`).
ASSAY_API void write_fit(hdf5::Group group, const FitResult& fit);

// Throws Error that names the place where something is missing, of a wrong shape or not finite.
[[nodiscard]] ASSAY_API FitResult read_fit(const hdf5::Group& group);

} // namespace assay::tensor_amp
