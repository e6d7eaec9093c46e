// What the phases of an outer iteration cost on this machine.
#pragma once

#include <assay/cnmf/fit.hpp>
#include <assay/core/export.hpp>

#include <string>
#include <vector>

namespace assay::cnmf {

struct PhaseCost {
    std::string name;
    double cpu_seconds = 0; // median over repetitions
    double gflops = 0;      // 0 where no count applies
    double bytes = 0;       // of data read, each time
};

struct BenchmarkResult {
    Engine engine = Engine::gemm;
    double gemm_gflops = 0; // best of several products of 1024^3, double
    std::vector<PhaseCost> phases;
};

[[nodiscard]] ASSAY_API BenchmarkResult benchmark(const Data& data, const FitOptions& options,
                                                  Index repetitions, const Execution& run);

} // namespace assay::cnmf
