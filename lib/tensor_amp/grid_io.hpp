// Grids over parameters in files: every axis a dataset of its name, the names in the attribute
// grid; arrays over the grid have these axes first.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/parameter_grid.hpp>

#include <string>

namespace assay::tensor_amp {

// The leading axes of arrays, in order.
struct Leading {
    hdf5::Shape shape;
    std::string axes;

    [[nodiscard]] ASSAY_API Leading with(const std::string& axis, Index length) const;
};
[[nodiscard]] ASSAY_API Leading leading_axes(const ParameterAxes& axes);
[[nodiscard]] ASSAY_API std::string joined_axes(const std::string& first,
                                                const std::string& second);

ASSAY_API void write_grid(hdf5::Group& group, const ParameterAxes& axes);
// None where the attribute is missing or empty. Throws Error where an axis is missing or has no
// value.
[[nodiscard]] ASSAY_API ParameterAxes read_grid(const hdf5::Group& group);

} // namespace assay::tensor_amp
