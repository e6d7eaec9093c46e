// checkpoint import: any model file in the toolkit's own form.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/network/network.hpp>
#include <assay/network/network_io.hpp>

namespace checkpoint_app {
namespace {

using namespace assay;

struct Options {
    network::Storage storage = network::Storage::float64;
    std::string checkpoint;
    ModelFileOptions files;
};

void run(const Options& o, cli::Context& context) {
    auto opened = open_model(context, context.input_address(), o.files, o.checkpoint);
    if (opened.model.architecture.empty())
        throw Error(context.input_address().name() +
                    ": has weights only; --architecture FILE.json is expected");
    const network::Network<double> network(opened.model.architecture);
    std::vector<std::string> unused;
    const auto weights = network.load(opened.model, &unused);
    for (const auto& name : unused)
        context.monitor().warn(name + ": no layer of the architecture takes it; left out");
    network::write_model(context.output().create_group("/model"), network.store(weights),
                         o.storage);
    context.report("kind", opened.kind);
    context.report("layers", static_cast<std::int64_t>(network.nodes() - 1));
    context.report("parameters", static_cast<std::int64_t>(network.parameter_count()));
}

} // namespace

cli::Command import() {
    auto o = std::make_shared<Options>();
    cli::Command c("import", "read any trained network into the toolkit's form");
    c.describe("Keras (.h5 of every age, .keras), PyTorch (.pt, both forms; no code is executed), "
               "safetensors, npz. Told by content, not by name.");
    c.input("model file");
    c.output(cli::OutputKind::hdf5, {{"/model", "architecture, weights/<layer>/<parameter>"}});
    c.group("What");
    c.option("--checkpoint", o->checkpoint, "STEP", "of a run, or last").default_text("/model");
    c.group("Numbers");
    c.choice<network::Storage>(
        "--precision", o->storage,
        {{"float64", network::Storage::float64}, {"float32", network::Storage::float32}},
        "numbers in the file");
    declare_model_file(c, o->files);
    c.example("A PyTorch state dict", "checkpoint import net.pt --architecture net.json -o net.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app
