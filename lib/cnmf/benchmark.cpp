#include <assay/cnmf/benchmark.hpp>

#include <assay/cnmf/descent.hpp>

#include <algorithm>
#include <ctime>
#include <functional>

namespace assay::cnmf {
namespace {

double cpu_time() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double median_seconds(Index repetitions, const std::function<void()>& body) {
    std::vector<double> seconds;
    for (Index i = 0; i < repetitions; ++i) {
        const double start = cpu_time();
        body();
        seconds.push_back(cpu_time() - start);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
}

double gemm_rate() {
    constexpr Index kSize = 1024;
    const Matrix a = Matrix::Random(kSize, kSize), b = Matrix::Random(kSize, kSize);
    Matrix c(kSize, kSize);
    double best = 1e30;
    for (int i = 0; i < 5; ++i)
        best = std::min(best, median_seconds(1, [&] { c.noalias() = a * b; }));
    return 2e-9 * kSize * kSize * kSize / best;
}

} // namespace

BenchmarkResult benchmark(const Data& data, const FitOptions& options, Index repetitions,
                          const Execution& run) {
    const auto products = data.products(options.components, options.lags, run);
    const TimeAxis& axis = products->axis();
    BenchmarkResult result;
    result.engine = products->engine();
    result.gemm_gflops = gemm_rate();
    const Unseen everything_seen;
    Descent descent(data, *products, everything_seen, options, run);
    FitState state;
    descent.begin(start_model(data, *products, options.start, options.components, options.lags,
                              {options.seed, 0}, run),
                  true, 0, state);
    constexpr int kWarmUp = 5; // activations become sparse, as in most of a fit
    for (int i = 0; i < kWarmUp; ++i) descent.step(0, state);
    const double iteration = median_seconds(repetitions, [&] { descent.step(0, state); });

    const Model model = descent.model();
    const TimeMatrix h = axis.padded(model.activations);
    const double width = static_cast<double>(options.components * options.lags);
    const auto time_with_flops = [&](const std::string& name, const std::function<void()>& body) {
        const double before = products->work().flops;
        const double seconds = median_seconds(repetitions, body);
        const double flops = (products->work().flops - before) / static_cast<double>(repetitions);
        result.phases.push_back({name, seconds, flops > 0 ? 1e-9 * flops / seconds : 0.0});
    };
    result.phases.push_back({"outer iteration", iteration, 0});
    time_with_flops("product X U^T",
                    [&] { static_cast<void>(products->with_activations(h, run)); });
    time_with_flops("product transconv",
                    [&] { static_cast<void>(products->with_motifs(model.motifs, run)); });
    result.phases.push_back(
        {"gram A",
         median_seconds(repetitions, [&] { static_cast<void>(activation_gram(h, axis, run)); }),
         0});
    const double correlation_seconds = median_seconds(repetitions, [&] {
        static_cast<void>(MotifCorrelation(model.motifs, options.components));
    });
    const double correlation_flops = 2 * static_cast<double>(model.units()) * width * width;
    result.phases.push_back(
        {"tables C", correlation_seconds, 1e-9 * correlation_flops / correlation_seconds});
    const MotifCorrelation correlation(model.motifs, options.components);
    result.phases.push_back(
        {"field P",
         median_seconds(repetitions,
                        [&] { static_cast<void>(correlate(correlation, h, axis, run)); }),
         0});
    return result;
}

} // namespace assay::cnmf
