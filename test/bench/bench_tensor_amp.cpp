// CPU time of the work on the big array of tensor-amp on one core: passes, sweeps of least squares,
// the spectral start. compare_tensor_amp.py shows it beside numpy; alone:
//     assay-bench-tensor-amp 300 300 300
// One line a measurement: what, storage, columns, the least CPU milliseconds; for MTTKRP also the
// sum of absolute values over all modes, so that others can be compared. The data are y_i = frac(i
// a) - 1/2, those of factor c of mode m frac((i + 1) a + (c + m) b) - 1/2, with a =
// .6180339887498949, b = .3247179572447461.
#include <assay/core/memory.hpp>
#include <assay/tensor_amp/als.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>
#include <assay/tensor_amp/spectral_start.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>

namespace {

using namespace assay;
using namespace assay::tensor_amp;

double cpu_ms() {
    std::timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

double best_ms(int runs, const std::function<void()>& work) {
    double best = 1e300;
    for (int i = 0; i < runs; ++i) {
        const double start = cpu_ms();
        work();
        best = std::min(best, cpu_ms() - start);
    }
    return best;
}

double centred_fraction(double x) {
    return x - std::floor(x) - 0.5;
}

constexpr double kA = 0.6180339887498949, kB = 0.3247179572447461;

DenseTensor make_tensor(const Shape& shape) {
    DenseTensor tensor;
    tensor.shape = shape;
    tensor.values.resize(static_cast<Index>(entry_count(shape)));
    // As whoever reads or makes a tensor.
    prefer_large_pages(tensor.values.data(),
                       sizeof(double) * static_cast<std::size_t>(tensor.values.size()));
    for (Index i = 0; i < tensor.values.size(); ++i)
        tensor.values(i) = centred_fraction(static_cast<double>(i) * kA);
    return tensor;
}

Factors make_factors(const Shape& shape, Index columns) {
    Factors factors;
    for (std::size_t mode = 0; mode < shape.size(); ++mode) {
        MatrixXd x(shape[mode], columns);
        for (Index c = 0; c < columns; ++c)
            for (Index i = 0; i < x.rows(); ++i)
                x(i, c) = centred_fraction(static_cast<double>(i + 1) * kA +
                                           static_cast<double>(c + static_cast<Index>(mode)) * kB);
        factors.push_back(x);
    }
    return factors;
}

void show(const char* what, const char* storage, Index columns, double ms, double check = 0) {
    std::printf("%s\t%s\t%ld\t%.3f\t%.9g\n", what, storage, static_cast<long>(columns), ms, check);
    std::fflush(stdout);
}

void measure(const TensorSource& source, const char* storage) {
    const Execution run;
    constexpr int kRuns = 7;
    double norm = 0;
    show("stream", storage, 1, best_ms(kRuns, [&] { norm = squared_norm(source, run); }));
    for (const Index columns : {5, 20, 50}) {
        Factors factors = make_factors(source.shape(), columns);
        SweepKernel kernel(source);
        std::vector<MatrixXd> results;
        const double one_pass = best_ms(kRuns, [&] { results = kernel.all_modes(factors, run); });
        double check = 0;
        for (const MatrixXd& result : results) check += result.cwiseAbs().sum();
        show("one-pass", storage, columns, one_pass, check);
        const double sweep = best_ms(kRuns, [&] {
            for (Index a = 0; a < source.order(); ++a) {
                const auto mode = static_cast<std::size_t>(a);
                results[mode] = kernel.in_sweep(a, factors, run);
            }
        });
        check = 0;
        for (const MatrixXd& result : results) check += result.cwiseAbs().sum();
        show("sequential", storage, columns, sweep, check);

        // Of least squares the difference of two runs: 50 columns are ten replicates of rank 5.
        AlsSettings settings;
        settings.rank = std::min(columns, Index{20});
        if (columns > 20) settings.rank = 5;
        settings.tolerance = 0;
        settings.line_search = false;
        const auto starts = random_starts(source.shape(), settings, 1, columns / settings.rank);
        const auto sweeps = [&](int count) {
            settings.max_iterations = count;
            return best_ms(2, [&] { norm += run_als(source, starts, settings, run).squared_norm; });
        };
        show("als", storage, columns, (sweeps(12) - sweeps(2)) / 10);
    }
    SpectralSettings spectral;
    spectral.rank = 5;
    spectral.polish_sweeps = 0;
    show("spectral", storage, 5,
         best_ms(2, [&] { norm += spectral_start(source, spectral, {}, run).squared_norm; }));
    if (!(norm > 0)) std::printf("%g\n", norm); // what was computed is looked at
}

} // namespace

int main(int argc, char** argv) {
    Shape shape;
    for (int i = 1; i < argc; ++i) shape.push_back(std::atol(argv[i]));
    if (shape.empty()) shape = {300, 300, 300};
    measure(MemoryTensor(make_tensor(shape)), "double");
    measure(MemoryTensor(make_tensor(shape), Storage::float32), "float");
}
