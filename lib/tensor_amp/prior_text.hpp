// How priors write their parameters: numbers that read back as they were, vectors and matrices as
// JSON lists.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <string>

namespace assay::tensor_amp {

[[nodiscard]] std::string shown(double value);
[[nodiscard]] std::string shown(const VectorXd& values);
[[nodiscard]] std::string shown(const MatrixXd& values);

} // namespace assay::tensor_amp
