// cnmf sequenciness: sequences or mere synchrony?
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

#include <vector>

namespace cnmf_app {

using namespace assay;

cli::Command sequenciness() {
    struct Options {
        DataOptions data;
        cnmf::FitOptions fit;
        std::int64_t shuffles = 10;
    };
    auto o = std::make_shared<Options>();
    o->fit.restarts = 3;
    cli::Command c("sequenciness", "tell sequences from synchrony");
    c.describe(
        "Compares the power that K motifs explain with that in two shuffles: every unit's bins on "
        "their own (noise), and all units' "
        "bins alike (synchrony kept, order in time lost). 1: sequences; 0: synchrony alone.");
    c.input("recording");
    c.output(cli::OutputKind::hdf5_if_wanted,
             {{"/cnmf/sequenciness/sequenciness", "(power - sync) / (power - noise)"},
              {"/cnmf/sequenciness/noise_power", "of each shuffle"},
              {"/cnmf/sequenciness/sync_power", "of each shuffle"}});
    c.resumable();
    c.group("Model");
    c.option("-k,--components", o->fit.components, "N", "number of motifs").range(1, 4096);
    c.option("-l,--lags", o->fit.lags, "BINS", "length of motifs").range(1, 1e6);
    c.option("--restarts", o->fit.restarts, "N", "starts of each fit").range(1, 1e6);
    c.option("--shuffles", o->shuffles, "N", "of each kind").range(1, 1e5);
    c.option("--max-iterations,--max-iter", o->fit.max_iterations, "N",
             "outer iterations of each fit")
        .range(1, 1e9);
    c.seed(o->fit.seed);
    declare_recording(c, o->data);
    c.memory("32 N T bytes for the recording and its shuffles, which must fit into --memory");
    c.example("Do these neurons fire in order?", "cnmf sequenciness rec.h5 -k 3 -l 20");
    c.reference("ang2019");
    c.reference("mackevicius2019");
    c.run([o](cli::Context& context) {
        const Loaded loaded = load(context, o->data, o->fit.lags);
        at_place(loaded.opened.name, [&] {
            cnmf::check_shapes(loaded.recording(), o->fit.components, o->fit.lags,
                               context.monitor());
        });
        cli::StateFile state(context, "sequenciness");
        const auto result = at_place(loaded.opened.name, [&] {
            return cnmf::sequenciness(loaded.recording(), o->fit, o->shuffles, o->data.engine,
                                      context.execution(), keeping_in<std::vector<double>>(state));
        });
        if (context.has_output()) {
            const hdf5::Group group = context.output().create_group("/cnmf/sequenciness");
            cnmf::write_sequenciness(group, result);
            cnmf::write_warnings(group, context.warnings());
        }
        context.report("sequenciness", result.value);
        context.report("power", result.power);
        context.report("noise power", result.noise_power);
        context.report("synchrony power", result.sync_power);
    });
    return c;
}

} // namespace cnmf_app
