#include <assay/tensor_amp/benchmark.hpp>

#include <assay/linalg/rates.hpp>
#include <assay/tensor_amp/als.hpp>
#include <assay/tensor_amp/amp.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

namespace assay::tensor_amp {
namespace {

// Work that does `sweeps` sweeps beside work that does one: the cost of a sweep without its set-up.
linalg::Seconds per_sweep(Index repetitions, const std::function<void(int)>& work) {
    constexpr int sweeps = 5;
    const linalg::Seconds one = linalg::median_seconds(repetitions, [&] { work(1); });
    const linalg::Seconds many = linalg::median_seconds(repetitions, [&] { work(1 + sweeps); });
    return {(many.cpu - one.cpu) / sweeps, (many.wall - one.wall) / sweeps};
}

} // namespace

BenchmarkResult benchmark(const TensorSource& source, Index rank, Index repetitions,
                          const Execution& run) {
    const Shape& shape = source.shape();
    const auto order = static_cast<double>(source.order());
    const double flops = 2 * order * static_cast<double>(rank) * entry_count(shape);
    AlsSettings als;
    als.rank = rank;
    als.tolerance = 0;
    als.line_search = false;
    Factors factors = random_start(shape, als, 0, 0);
    SweepKernel kernel(source);
    BenchmarkResult result;
    result.gemm_gflops = linalg::gemm_rate();
    const auto add = [&](const char* name, linalg::Seconds seconds, double operations,
                         double passes) {
        result.phases.push_back({name, seconds, operations * 1e-9 / seconds.cpu, passes});
    };
    add("read",
        linalg::median_seconds(repetitions, [&] { static_cast<void>(squared_norm(source, run)); }),
        0, 1);
    add("products in one pass",
        linalg::median_seconds(repetitions,
                               [&] { static_cast<void>(kernel.all_modes(factors, run)); }),
        flops, 1);
    add("products in a sweep",
        linalg::median_seconds(repetitions,
                               [&] {
                                   for (Index a = 0; a < source.order(); ++a)
                                       static_cast<void>(kernel.in_sweep(a, factors, run));
                               }),
        flops, 2);
    AmpProblem problem;
    problem.source = &source;
    for (Index a = 0; a < source.order(); ++a) problem.priors.push_back(parse_prior("gauss", rank));
    // So little noise that no component vanishes, whatever the data are.
    problem.noise_variance = 1e-6 * squared_norm(source, run) / entry_count(shape) + 1e-300;
    AmpSettings amp;
    amp.tolerance = 0;
    amp.damping = 1.0;
    add("message passing, a sweep",
        per_sweep(repetitions,
                  [&](int sweeps) {
                      amp.max_iterations = sweeps;
                      static_cast<void>(run_amp(problem, {factors}, amp, run));
                  }),
        flops, 2);
    add("least squares, a sweep",
        per_sweep(repetitions,
                  [&](int sweeps) {
                      als.max_iterations = sweeps;
                      static_cast<void>(run_als(source, {factors}, als, run));
                  }),
        flops, 2);
    return result;
}

} // namespace assay::tensor_amp
