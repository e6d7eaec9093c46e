// Values of a parameter as every subcommand reads them.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/tensor_amp/parameter_grid.hpp>

#include <string>
#include <vector>

namespace tensor_amp_app {

inline constexpr const char* kGridWords = "a,b,c, a:b:n or a:b:n@log";

// "a,b,c", "a:b:n" (n values from a to b) or "a:b:n@log" (evenly spaced logarithms). Throws
// UsageError that names `option`.
assay::tensor_amp::VectorXd parse_values(const std::string& option, const std::string& text);
// The same where every value must be positive.
assay::tensor_amp::VectorXd parse_positive(const std::string& option, const std::string& text);

// --grid NAME=GRID, as often as there are axes.
void declare_grid(assay::cli::Command& c, std::vector<std::string>& grids);
// Throws UsageError for what is no NAME=GRID, and a name given twice.
assay::tensor_amp::ParameterAxes parse_grids(const std::vector<std::string>& grids);
void add_axis(assay::tensor_amp::ParameterAxes& axes, assay::tensor_amp::ParameterAxis axis);
// A parameter that no prior has shows at the first point. Throws UsageError, too, for more points
// than anyone waits for.
void check_grid(const assay::tensor_amp::ModelGrid& grid);

} // namespace tensor_amp_app
