// The subcommands of tensor-amp, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace tensor_amp_app {

assay::cli::Command synth();
assay::cli::Command fit();
assay::cli::Command se();
assay::cli::Command phase();
assay::cli::Command sweep();
assay::cli::Command rank();
assay::cli::Command compare();
assay::cli::Command diagnose();
assay::cli::Command reconstruct();
assay::cli::Command merge();
assay::cli::Command plot();
assay::cli::Command bench();

} // namespace tensor_amp_app
