// Results of regression.hpp in HDF5: /lindyn/regress.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/regression.hpp>

namespace assay::lindyn {

// A whole study has means over data sets and times in its scale; a part has the data sets it holds,
// each with its number, and times in tau.
ASSAY_API void write_regression(hdf5::Group group, const RegressionStudy& study);
// A part, whose theory is computed again. Throws Error on settings that make no sense.
[[nodiscard]] ASSAY_API RegressionStudy read_regression(const hdf5::Group& group);

} // namespace assay::lindyn
