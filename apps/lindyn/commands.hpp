// The subcommands of lindyn, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace lindyn_app {

assay::cli::Command modes();
assay::cli::Command predict();
assay::cli::Command simulate();
assay::cli::Command coherence();
assay::cli::Command develop();
assay::cli::Command induct();
assay::cli::Command synth();
assay::cli::Command plot();

} // namespace lindyn_app
