// States of a user's own discrete prior from a file.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/model.hpp>

#include <string>

namespace assay::tensor_amp {

// K x (r + 1), the weights last: from an HDF5 file FILE[:/group] with datasets `values` (K x r) and
// `weights` (K), or a text file of such rows, separated by blanks or commas. Throws Error that
// names file and place.
[[nodiscard]] ASSAY_API MatrixXd read_discrete_values(const std::string& path);

} // namespace assay::tensor_amp
