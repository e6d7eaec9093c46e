// Thresholds of the noise in a summary.
#pragma once

#include <assay/cli/context.hpp>
#include <assay/tensor_amp/thresholds.hpp>

namespace tensor_amp_app {

// Those that exist.
void report_thresholds(assay::cli::Context& context, const assay::tensor_amp::Thresholds& t);

} // namespace tensor_amp_app
