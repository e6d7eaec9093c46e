// The subcommands of fixedpoints, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace fixedpoints_app {

assay::cli::Command find();
assay::cli::Command linearize();
assay::cli::Command check();
assay::cli::Command synth();
assay::cli::Command topology();
assay::cli::Command cycles();
assay::cli::Command track();

} // namespace fixedpoints_app
