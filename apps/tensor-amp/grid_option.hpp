// Values of a parameter as every subcommand reads them.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <string>

namespace tensor_amp_app {

inline constexpr const char* kGridWords = "a,b,c, a:b:n or a:b:n@log";

// "a,b,c", "a:b:n" (n values from a to b) or "a:b:n@log" (evenly spaced logarithms). Throws
// UsageError that names `option`.
assay::tensor_amp::VectorXd parse_values(const std::string& option, const std::string& text);
// The same where every value must be positive.
assay::tensor_amp::VectorXd parse_positive(const std::string& option, const std::string& text);

} // namespace tensor_amp_app
