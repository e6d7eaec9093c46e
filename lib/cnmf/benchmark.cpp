#include <assay/cnmf/benchmark.hpp>

#include <assay/cnmf/descent.hpp>
#include <assay/linalg/rates.hpp>

namespace assay::cnmf {
BenchmarkResult benchmark(const Data& data, const FitOptions& options, Index repetitions,
                          const Execution& run) {
    const auto products = data.products(options.components, options.lags, run);
    const TimeAxis& axis = products->axis();
    BenchmarkResult result;
    result.engine = products->engine();
    result.gemm_gflops = linalg::gemm_rate();
    const Unseen everything_seen;
    FitOptions plain = options;
    plain.extrapolate = false; // an iteration that is made twice would count as one
    Descent descent(data, *products, everything_seen, plain, run);
    FitState state;
    descent.begin(start_model(data, *products, everything_seen, options.start, options.components,
                              options.lags, {options.seed, 0}, run),
                  true, 0, state);
    constexpr int kWarmUp = 5; // activations become sparse, as in most of a fit
    for (int i = 0; i < kWarmUp; ++i) descent.step(0, state);
    const double iteration =
        linalg::median_cpu_seconds(repetitions, [&] { descent.step(0, state); });

    const Model model = descent.model();
    const TimeMatrix h = axis.padded(model.activations);
    const auto width = static_cast<double>(options.components * options.lags);
    const auto time_phase = [&](const std::string& name, double flops,
                                const std::function<void()>& body) {
        const Work before = products->work();
        const double seconds = linalg::median_cpu_seconds(repetitions, body);
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
