// The subcommands of cnmf, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace cnmf_app {

assay::cli::Command fit();
assay::cli::Command transform();
assay::cli::Command select();
assay::cli::Command merge();
assay::cli::Command significance();
assay::cli::Command align();
assay::cli::Command compare();
assay::cli::Command events();
assay::cli::Command extent();
assay::cli::Command score();
assay::cli::Command reconstruct();
assay::cli::Command sequenciness();
assay::cli::Command bin();
assay::cli::Command synth();
assay::cli::Command plot();
assay::cli::Command bench();

} // namespace cnmf_app
