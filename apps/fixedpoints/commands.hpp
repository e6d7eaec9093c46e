// The subcommands of fixedpoints, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace fixedpoints_app {

assay::cli::Command find();
assay::cli::Command linearize();
assay::cli::Command attractor();
assay::cli::Command inputs();
assay::cli::Command modes();
assay::cli::Command predict();
assay::cli::Command check();

} // namespace fixedpoints_app
