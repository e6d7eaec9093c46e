// fixedpoints check: are the Jacobians those of the network?
#include "commands.hpp"
#include "inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/self_test.hpp>

namespace fixedpoints_app {

using namespace assay;

cli::Command check() {
    struct Options {
        NetworkOptions network;
        Index states = 5;
        std::uint64_t seed = 0;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("check", "compare the Jacobians of a network with differences");
    c.describe("Central differences of step 1e-6 at random states and inputs; ends with status 1 "
               "where an entry is off by more than 1e-7.");
    c.input("model file, run, or stream");
    c.output(cli::OutputKind::none, {});
    c.group("What");
    c.option("--states", o->states, "N", "random states").range(1);
    c.seed(o->seed);
    declare_network(c, o->network);
    c.example("Before a long analysis", "fixedpoints check lstm.safetensors");
    c.run([o](cli::Context& context) {
        const LoadedNetwork network = load_network(context, o->network, context.input_address());
        const auto test = fixedpoints::test_jacobians(network.dynamics, o->states, o->seed);
        context.report("network", network.dynamics.description());
        context.report("error of dF/dh", test.state);
        context.report("error of dF/dx", test.input);
        context.report("error of dR/dh", test.reduced);
        if (!test.passes())
            throw Error(concat(context.input_address().name(), ": Jacobians are off by ",
                               significant(test.worst(), 3), ", more than 1e-7"));
    });
    return c;
}

} // namespace fixedpoints_app
