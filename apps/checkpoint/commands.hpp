// The subcommands of checkpoint, one file each.
#pragma once

#include <assay/cli/command.hpp>

namespace checkpoint_app {

assay::cli::Command task();
assay::cli::Command tasks();
assay::cli::Command train();
assay::cli::Command sweep();
assay::cli::Command import();
assay::cli::Command inspect();
assay::cli::Command evaluate();
assay::cli::Command plot();

} // namespace checkpoint_app
