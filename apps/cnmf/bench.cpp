// cnmf bench: what a fit costs on this machine.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/cnmf/benchmark.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command bench() {
    struct Options {
        DataOptions data;
        cnmf::FitOptions fit;
        std::int64_t repetitions = 5;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("bench", "time the phases of a fit on this machine");
    c.describe("CPU seconds, GFLOP/s, share of this build's GEMM rate (measured in the same run) "
               "and bytes for each phase of an outer "
               "iteration. --json writes them for programs.");
    c.input("recording");
    c.output(cli::OutputKind::none, {});
    c.group("Model");
    c.option("-k,--components", o->fit.components, "N", "number of motifs").range(1, 4096);
    c.option("-l,--lags", o->fit.lags, "BINS", "length of motifs").range(1, 1e6);
    c.option("--inner", o->fit.inner, "N", "sweeps per half-step; auto: as many as pay")
        .range(0, 1000)
        .word("auto", 0);
    c.option("--repetitions", o->repetitions, "N", "iterations timed").range(1, 1000);
    c.seed(o->fit.seed);
    declare_data(c, o->data);
    c.example("The table of the paper's sizes",
              "cnmf synth -n 250 -t 50000 -k 5 -l 20 | cnmf bench -k 5 -l 20 --threads 1");
    c.run([o](cli::Context& context) {
        const Loaded loaded = load(context, o->data, o->fit.lags);
        const auto result =
            cnmf::benchmark(*loaded.data, o->fit, o->repetitions, context.execution());
        context.report("engine", cnmf::engine_name(result.engine));
        context.report("GEMM rate", result.gemm_gflops, "GFLOP/s (double, 1024^3, one thread)");
        for (const auto& phase : result.phases) {
            context.report(phase.name, phase.cpu_seconds, "CPU s");
            if (phase.gflops > 0) {
                context.report(phase.name + " rate", phase.gflops, "GFLOP/s");
                context.report(phase.name + " share", phase.gflops / result.gemm_gflops,
                               "of the GEMM rate");
            }
            if (phase.bytes > 0) context.report(phase.name + " bytes", phase.bytes);
        }
    });
    return c;
}

} // namespace cnmf_app
