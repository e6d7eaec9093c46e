#include "manifest_input.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/training/sweep_io.hpp>

#include <filesystem>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSweep = "/checkpoint/sweep";

Manifest manifest_of_sweep(const hdf5::Group& sweep, const std::string& folder,
                           const std::string& results) {
    const training::SweepRuns runs = training::read_runs(sweep);
    const fs::path home = results.empty() ? fs::path(folder) / runs.results : fs::path(results);
    Manifest manifest;
    for (std::size_t k = 0; k < runs.files.size(); ++k) {
        ManifestNetwork network;
        network.file = runs.files[k];
        network.path = (home / network.file).lexically_normal().string();
        network.labels = runs.labels[k];
        manifest.networks.push_back(std::move(network));
    }
    complete_manifest(manifest);
    return manifest;
}

} // namespace

Manifest load_manifest(cli::Context& context, const hdf5::Address& address,
                       const std::string& results) {
    const std::string folder = fs::path(address.file).parent_path().string();
    if (!cli::Context::is_hdf5(address)) {
        const std::string text = tools::read_text_file(address.file);
        context.note_foreign(address.file);
        return at_place(address.name(), [&] { return parse_manifest(text, folder); });
    }
    const hdf5::Group root = context.open(address).root();
    if (!root.has_group(kSweep))
        throw Error(address.name() + ": a list of networks is expected: JSON, or the result of "
                                     "checkpoint sweep collect");
    return at_place(address.name(),
                    [&] { return manifest_of_sweep(root.group(kSweep), folder, results); });
}

} // namespace fixedpoints_app
