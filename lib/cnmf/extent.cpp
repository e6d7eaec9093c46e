#include <assay/cnmf/extent.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>

#include <unsupported/Eigen/FFT>

#include <algorithm>
#include <complex>

namespace assay::cnmf {
namespace {

// The largest length up to `bins` with no prime factor above 5: transforms of others are slow.
Index smooth_length(Index bins) {
    for (Index length = bins; length > 1; --length) {
        Index rest = length;
        for (const Index factor : {2, 3, 5})
            while (rest % factor == 0) rest /= factor;
        if (rest == 1) return length;
    }
    return 1;
}

using Spectrum = std::vector<std::complex<double>>;

Spectrum centred_spectrum(const Eigen::RowVectorXd& series, Eigen::FFT<double>& fft, double& norm) {
    std::vector<double> centred(static_cast<std::size_t>(series.size()));
    const double mean = series.mean();
    for (Index t = 0; t < series.size(); ++t)
        centred[static_cast<std::size_t>(t)] = series(t) - mean;
    norm = Eigen::Map<const Vector>(centred.data(), series.size()).norm();
    Spectrum spectrum;
    fft.fwd(spectrum, centred);
    return spectrum;
}

} // namespace

Extent extent(const Recording& recording, const Model& model, const ExtentOptions& options,
              const Execution& run) {
    const Index bins = smooth_length(recording.bins()), lags = model.lags, width = 3 * lags + 1;
    if (bins < 4 * width)
        throw Error(concat("the recording's ", recording.bins(),
                           " bins leave no room for shifts of motifs of ", lags, " bins; at least ",
                           4 * width, " are expected"));
    std::vector<Spectrum> motif_spectra;
    std::vector<double> motif_norms;
    {
        Eigen::FFT<double> fft;
        for (Index k = 0; k < model.components; ++k) {
            double norm = 0;
            motif_spectra.push_back(
                centred_spectrum(model.activations.row(k).head(bins), fft, norm));
            motif_norms.push_back(norm);
        }
    }
    Extent result;
    result.first_lag = -lags;
    result.correlation.assign(
        static_cast<std::size_t>(model.components * recording.units() * width), 0.0);
    result.p = Matrix::Ones(model.components, recording.units());
    Matrix first = Matrix::Constant(model.components, recording.units(), 1),
           last = Matrix::Zero(model.components, recording.units());
    const Random random(options.seed, "cnmf/extent");
    // Units in groups, so that a recording larger than memory is read a few times only.
    const Index group = std::clamp<Index>((Index{1} << 26) / bins, 1, recording.units());
    for (Index begin = 0; begin < recording.units(); begin += group) {
        run.monitor->stop_if_interrupted();
        const Index count = std::min(group, recording.units() - begin);
        RowMatrix series(count, bins);
        for (Index t = 0; t < bins; t += 4096) {
            const Index span = std::min<Index>(4096, bins - t);
            series.middleCols(t, span) = recording.read(t, span).middleRows(begin, count);
        }
        parallel_blocks(count, run.threads, [&](Index i) {
            Eigen::FFT<double> fft;
            double norm = 0;
            const Spectrum unit = centred_spectrum(series.row(i), fft, norm);
            for (Index k = 0; k < model.components; ++k) {
                const double scale = norm * motif_norms[static_cast<std::size_t>(k)];
                if (!(scale > 0)) continue;
                Spectrum product(unit.size());
                for (std::size_t w = 0; w < unit.size(); ++w)
                    product[w] = unit[w] * std::conj(motif_spectra[static_cast<std::size_t>(k)][w]);
                std::vector<double> correlation; // sum_t X[n,t+s] H_k[t], s modulo bins
                fft.inv(correlation, product);
                const auto at = [&](Index s) {
                    return correlation[static_cast<std::size_t>((s % bins + bins) % bins)] / scale;
                };
                // Shifting H_k by m bins moves this curve by m: every null is a window of it
                // elsewhere.
                const auto peak = [&](Index shift) {
                    double largest = -1;
                    for (Index s = -lags; s <= 2 * lags; ++s)
                        largest = std::max(largest, at(s + shift));
                    return largest;
                };
                const Index n = begin + i;
                const double observed = peak(0);
                std::vector<double> null;
                for (Index m = 0; m < options.nulls; ++m)
                    null.push_back(peak(width + static_cast<Index>(random.below(
                                                    static_cast<std::uint64_t>(bins - 2 * width),
                                                    static_cast<std::uint64_t>(m),
                                                    {static_cast<std::uint64_t>(k), 0, 0}))));
                const auto reached = std::count_if(null.begin(), null.end(),
                                                   [&](double x) { return x >= observed; });
                result.p(k, n) =
                    static_cast<double>(1 + reached) / static_cast<double>(1 + options.nulls);
                std::sort(null.begin(), null.end());
                const double threshold = null[std::min(
                    null.size() - 1, static_cast<std::size_t>((1 - options.alpha) *
                                                              static_cast<double>(null.size())))];
                bool any = false;
                for (Index s = -lags; s <= 2 * lags; ++s) {
                    result.correlation[static_cast<std::size_t>(
                        (k * recording.units() + n) * width + s + lags)] = at(s);
                    if (result.p(k, n) > options.alpha || at(s) <= threshold) continue;
                    if (!any) first(k, n) = static_cast<double>(s);
                    last(k, n) = static_cast<double>(s);
                    any = true;
                }
                if (!any) first(k, n) = last(k, n) + 1;
            }
        });
    }
    result.participates = (result.p.array() <= options.alpha).cast<double>();
    for (Index k = 0; k < model.components; ++k) {
        std::int64_t from = 0, to = -1;
        bool any = false;
        for (Index n = 0; n < recording.units(); ++n) {
            if (result.participates(k, n) == 0 || first(k, n) > last(k, n)) continue;
            from = any ? std::min(from, static_cast<std::int64_t>(first(k, n)))
                       : static_cast<std::int64_t>(first(k, n));
            to = any ? std::max(to, static_cast<std::int64_t>(last(k, n)))
                     : static_cast<std::int64_t>(last(k, n));
            any = true;
        }
        result.first.push_back(from);
        result.last.push_back(to);
    }
    return result;
}

} // namespace assay::cnmf
