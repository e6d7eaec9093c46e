#include "manifest_input.hpp"

#include "model_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/sweep_io.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

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

// Stages of a run, on the trials that it carries.
Manifest manifest_of_run(const hdf5::Group& root, const std::string& file,
                         const std::string& checkpoint) {
    const auto steps = training::run_steps(root.group("/run"));
    Manifest manifest;
    for (const Index step :
         training::choose_steps(steps, checkpoint.empty() ? "all" : checkpoint)) {
        ManifestNetwork network;
        network.file = fs::path(file).filename().string();
        network.path = file;
        network.step = std::to_string(step);
        network.labels["step"] = network.step;
        manifest.networks.push_back(std::move(network));
    }
    if (root.has_group("/data")) manifest.inputs = file;
    complete_manifest(manifest);
    return manifest;
}

// None where the file is no run; a stream cannot be read once for every stage. Opened apart: what
// else a run holds is not carried forward.
std::optional<Manifest> manifest_of_run_file(cli::Context& context, const hdf5::Address& address,
                                             const std::string& checkpoint) {
    if (address.is_stream()) return std::nullopt;
    const hdf5::Group root = hdf5::File::open(address.file, address.file).root();
    if (!root.has_group("/run")) return std::nullopt;
    context.note_foreign(address.file);
    return at_place(address.file, [&] { return manifest_of_run(root, address.file, checkpoint); });
}

Manifest manifest_of_list(cli::Context& context, const hdf5::Address& address,
                          const std::string& folder) {
    const std::string text = tools::read_text_file(address.file);
    context.note_foreign(address.file);
    const auto steps_of = [&](const std::string& file, const std::string& steps) {
        // Apart: what else the run holds is not carried forward.
        const hdf5::Group run = hdf5::File::open(file, file).root();
        if (!run.has_group("/run")) throw Error(file + ": holds no run (/run) with steps");
        return training::choose_steps(training::run_steps(run.group("/run")), steps);
    };
    return at_place(address.name(), [&] { return parse_manifest(text, folder, steps_of); });
}

// One stage for the networks of a list that name none.
void check_stage_of(const Manifest& manifest, const NetworkOptions& o) {
    if (o.checkpoint.empty()) return;
    check_stage(o, "a list names several as \"step\" of a network");
    if (std::none_of(manifest.networks.begin(), manifest.networks.end(),
                     [](const auto& network) { return network.step.empty(); }))
        throw UsageError("--checkpoint " + printable(o.checkpoint, 40) +
                         ": every network of the list names its step");
}

} // namespace

Manifest load_manifest(cli::Context& context, const hdf5::Address& address,
                       const std::string& results, const NetworkOptions& o) {
    if (!address.path.empty())
        throw UsageError(address.file + ":" + address.path +
                         ": a whole file is expected, without a path in it");
    const auto check_results = [&] {
        if (!results.empty())
            throw UsageError("--results: " + address.name() +
                             " is no sweep; other networks stand where they are said to");
    };
    const std::string folder = fs::path(address.file).parent_path().string();
    if (!cli::Context::is_hdf5(address)) {
        check_results();
        Manifest list = manifest_of_list(context, address, folder);
        check_stage_of(list, o);
        return list;
    }
    if (auto run = manifest_of_run_file(context, address, o.checkpoint)) {
        check_results();
        return std::move(*run);
    }
    const hdf5::Group root = context.open(address).root();
    if (root.has_group("/run"))
        throw Error(address.name() + ": a run is read stage by stage; give its file, no stream");
    if (!root.has_group(kSweep))
        throw Error(address.name() + ": a list of networks is expected: JSON, or the result of "
                                     "checkpoint sweep collect, or a run (/run)");
    Manifest sweep = at_place(
        address.name(), [&] { return manifest_of_sweep(root.group(kSweep), folder, results); });
    check_stage_of(sweep, o);
    return sweep;
}

} // namespace fixedpoints_app
