// The manifest of a population from whatever file it is in: a JSON list, the result of checkpoint
// sweep collect, or a run.
#pragma once

#include "inputs.hpp"

#include <assay/cli/context.hpp>
#include <assay/fixedpoints/manifest.hpp>

#include <string>

namespace fixedpoints_app {

// `results` stands in for the folder of runs that a sweep names; empty: that one. --checkpoint says
// which stages of a run are its networks (default: all), or that of other networks. Throws Error
// that names the file and the place of a mistake, UsageError for an option without use.
assay::fixedpoints::Manifest load_manifest(assay::cli::Context& context,
                                           const assay::hdf5::Address& address,
                                           const std::string& results, const NetworkOptions& o);

} // namespace fixedpoints_app
