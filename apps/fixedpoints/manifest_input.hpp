// The manifest of a population from whatever file it is in: a JSON list, or the result of
// checkpoint sweep collect.
#pragma once

#include <assay/cli/context.hpp>
#include <assay/fixedpoints/manifest.hpp>

#include <string>

namespace fixedpoints_app {

// `results` stands in for the folder of runs that a sweep names; empty: that one. Throws Error that
// names the file and the place of a mistake.
assay::fixedpoints::Manifest load_manifest(assay::cli::Context& context,
                                           const assay::hdf5::Address& address,
                                           const std::string& results);

} // namespace fixedpoints_app
