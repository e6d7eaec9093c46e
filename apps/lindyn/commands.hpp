// The subcommands of lindyn, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace lindyn_app {

assay::cli::Command modes();
assay::cli::Command predict();
assay::cli::Command simulate();
assay::cli::Command compare();
assay::cli::Command coherence();
assay::cli::Command develop();
assay::cli::Command induct();
assay::cli::Command synth();
assay::cli::Command plot();
assay::cli::Command generalize();
assay::cli::Command denoise();
assay::cli::Command transfer();
assay::cli::Command regress();
assay::cli::Command merge();
assay::cli::Command stability();

} // namespace lindyn_app
