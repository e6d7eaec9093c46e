// What work on a tensor costs on this machine, beside reading it once.
#pragma once

#include <assay/linalg/rates.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

struct BenchmarkPhase {
    std::string name;
    linalg::Seconds seconds; // medians over repetitions
    double gflops = 0;       // of the processor's time; 0 where no count applies
    double passes = 0;       // over the tensor
};

struct BenchmarkResult {
    double gemm_gflops = 0; // double products of 1024 x 1024, one thread
    std::vector<BenchmarkPhase> phases;
};

// A pass that only reads; the products of all modes in one pass, and in two as a sequential sweep
// takes them; a sweep of message passing and one of least squares, at `rank`.
[[nodiscard]] ASSAY_API BenchmarkResult benchmark(const TensorSource& source, Index rank,
                                                  Index repetitions, const Execution& run);

} // namespace assay::tensor_amp
