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
    descent.begin(start_model(data, *products, everything_seen, options.start, options.components,
                              options.lags, {options.seed, 0}, run),
                  true, 0, state);
    constexpr int kWarmUp = 5; // activations become sparse, as in most of a fit
    for (int i = 0; i < kWarmUp; ++i) descent.step(0, state);
    const double iteration = median_seconds(repetitions, [&] { descent.step(0, state); });

    const Model model = descent.model();
    const TimeMatrix h = axis.padded(model.activations);
    const auto width = static_cast<double>(options.components * options.lags);
    const auto time_phase = [&](const std::string& name, double flops,
                                const std::function<void()>& body) {
        const Work before = products->work();
        const double seconds = median_seconds(repetitions, body);
        const auto times = static_cast<double>(repetitions);
        if (flops == 0) flops = (products->work().flops - before.flops) / times;
        result.phases.push_back({name, seconds, 1e-9 * flops / seconds,
                                 (products->work().bytes - before.bytes) / times});
    };
    const auto units = static_cast<double>(model.units()),
               components = static_cast<double>(options.components),
               bins = static_cast<double>(axis.bins()), lags = static_cast<double>(axis.lags());
    const InnerSweeps one = InnerSweeps::fixed(1);
    result.phases.push_back({"outer iteration", iteration, 0, 0});
    Matrix product;
    time_phase("product X U^T", 0, [&] { product = products->with_activations(h, run); });
    TimeMatrix overlap;
    time_phase("product transconv", 0, [&] { overlap = products->with_motifs(model.motifs, run); });
    Matrix gram;
    time_phase("gram A", 2 * components * width * bins,
               [&] { gram = activation_gram(h, axis, run); });
    time_phase("tables C", 2 * units * width * width,
               [&] { static_cast<void>(MotifCorrelation(model.motifs, options.components)); });
    const MotifCorrelation correlation(model.motifs, options.components);
    TimeMatrix field;
    time_phase("field P", 2 * components * components * (2 * lags - 1) * bins,
               [&] { field = correlate(correlation, h, axis, run); });
    time_phase("sweep W", 2 * units * width * width, [&] {
        Matrix motifs = model.motifs;
        hals_motifs(motifs, gram, product, options.components, one, run);
    });
    // The rate counts every coordinate; a sweep skips those that stay at zero.
    time_phase("sweep H", 2 * components * components * (2 * lags - 1) * bins, [&] {
        TimeMatrix activations = h, gradient = field - overlap;
        hals_activations(activations, gradient, correlation, axis, options.order, one, run);
    });
    return result;
}

} // namespace assay::cnmf
