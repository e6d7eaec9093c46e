// tensor-amp bench: what a fit costs on this machine.
#include "commands.hpp"
#include "tensor_input.hpp"

#include <assay/tensor_amp/benchmark.hpp>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

cli::Command bench() {
    struct Options {
        TensorOptions tensor;
        Index rank = 5;
        Index repetitions = 5;
    };
    auto o = std::make_shared<Options>();
    cli::Command c("bench", "time the parts of a fit on this machine");
    c.describe(
        "CPU and clock milliseconds of reading the tensor once, of its products with the factors "
        "(MTTKRP) of all modes in one pass and in the two of a sweep, and of whole sweeps of "
        "message passing and least squares; beside this build's rate of matrix products, "
        "measured in the same run.");
    c.input("array: HDF5 dataset of 2 to 8 dimensions, /data/tensor unless named");
    c.output(cli::OutputKind::none, {});
    c.group("Model");
    c.option("-r,--rank", o->rank, "R", "number of components").range(1, 1e6);
    c.option("--repetitions", o->repetitions, "N", "of each measurement").range(1, 1000);
    declare_tensor(c, o->tensor);
    c.example("A cube of 300",
              "tensor-amp synth --shape 300,300,300 | tensor-amp bench --rank 5 --threads 1");
    c.reference("phan2013");
    c.run([o](cli::Context& context) {
        const LoadedTensor tensor = load_tensor(context, o->tensor);
        if (tensor.survey) tensor.survey(context.monitor());
        const BenchmarkResult result =
            benchmark(*tensor.source, o->rank, o->repetitions, context.execution());
        context.report("GEMM rate", result.gemm_gflops, "GFLOP/s (double, 1024^3, one thread)");
        for (const BenchmarkPhase& phase : result.phases) {
            context.report(phase.name, 1e3 * phase.seconds.cpu, "CPU ms");
            context.report(phase.name + " time", 1e3 * phase.seconds.wall, "ms by the clock");
            if (phase.gflops > 0) context.report(phase.name + " rate", phase.gflops, "GFLOP/s");
        }
    });
    return c;
}

} // namespace tensor_amp_app
