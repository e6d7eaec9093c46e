// The manifest of a population from whatever file it is in: a JSON list, the result of checkpoint
// sweep collect, or a run.
#pragma once

#include <assay/cli/context.hpp>
#include <assay/fixedpoints/manifest.hpp>

#include <string>

namespace fixedpoints_app {

// `results` stands in for the folder of runs that a sweep names; empty: that one. `checkpoint`:
// which stages of a run are its networks; empty: all. Throws Error that names the file and the
// place of a mistake.
assay::fixedpoints::Manifest load_manifest(assay::cli::Context& context,
                                           const assay::hdf5::Address& address,
                                           const std::string& results,
                                           const std::string& checkpoint);

} // namespace fixedpoints_app
