// fixedpoints simulate: a network on its trials.
#include "commands.hpp"
#include "inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/simulate.hpp>

#include <algorithm>
#include <cmath>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    DataOptions data;
    Index pca = 10;
    double noise = 0;
    std::vector<std::string> store{"states", "outputs"};
    std::string loss;
    std::uint64_t seed = 0;
};

bool stores(const Options& o, const std::string& what) {
    return std::find(o.store.begin(), o.store.end(), what) != o.store.end();
}

void run(const Options& o, cli::Context& context) {
    for (const auto& what : o.store)
        if (what != "states" && what != "outputs" && what != "none")
            throw UsageError("option '--store': found '" + printable(what, 40) +
                             "'; states, outputs or none is expected");
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    auto trials = load_trials(context, o.data, network.dynamics, 0, o.noise, o.seed);
    if (!trials) throw Error("no trials: give --data");
    const Judgement judged = judge(network.model, trials->samples, o.loss, context.execution());
    Simulation simulation = describe_trials(network.dynamics, std::move(trials->trajectories),
                                            o.pca, context.execution());
    simulation.loss = judged.loss;
    simulation.accuracy = judged.accuracy;
    if (context.has_output()) {
        write_simulation(context.output().create_group("/fixedpoints/simulate"), simulation,
                         stores(o, "states"), stores(o, "outputs"));
        pass_on(context, network);
    }
    context.report("network", network.dynamics.description());
    context.report("trials", static_cast<std::int64_t>(simulation.trajectories.trials));
    if (std::isfinite(judged.loss)) context.report("loss", judged.loss);
    if (std::isfinite(judged.accuracy)) context.report("accuracy", judged.accuracy);
    const Vector& ratios = simulation.variance_ratio;
    context.report("variance in two components",
                   ratios.head(std::min<Index>(2, ratios.size())).sum());
    context.report("participation ratio", simulation.participation_ratio);
}

} // namespace

cli::Command simulate() {
    auto o = std::make_shared<Options>();
    cli::Command c("simulate", "run a network on its trials");
    c.describe("States, outputs, principal components of the states, and the speed of every step. "
               "Loss and accuracy are those of the network without noise.");
    c.input("model file, run, or stream");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/fixedpoints/simulate/states", "trial x time x unit"},
              {"/fixedpoints/simulate/outputs", "trial x time x output"},
              {"/fixedpoints/simulate/scores", "states along principal components"},
              {"/fixedpoints/simulate/speed", "|h' - h| / |h|"}});
    declare_data(c, o->data);
    c.group("What");
    c.option("--pca", o->pca, "K", "principal components").range(1);
    c.option("--noise", o->noise, "X", "standard deviation of noise on every state").range(0);
    c.option("--store", o->store, "WHAT", "states, outputs, none");
    c.option("--loss", o->loss, "NAME", "loss").default_text("by the targets");
    c.seed(o->seed);
    declare_network(c, o->network);
    c.example("How many dimensions the states take", "fixedpoints simulate gru64.h5 -o states.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
