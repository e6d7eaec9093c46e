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
assay::cli::Command simulate();
assay::cli::Command plot();
assay::cli::Command synth();
assay::cli::Command topology();
assay::cli::Command cycles();
assay::cli::Command compare();
assay::cli::Command track();
assay::cli::Command population();
assay::cli::Command merge();

} // namespace fixedpoints_app
