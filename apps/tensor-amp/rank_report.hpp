// The choice of a rank in a summary.
#pragma once

#include <assay/cli/context.hpp>
#include <assay/tensor_amp/rank_choice.hpp>

namespace tensor_amp_app {

void report_rank_choice(assay::cli::Context& context, const assay::tensor_amp::RankChoice& choice);

} // namespace tensor_amp_app
