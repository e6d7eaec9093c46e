// The spectral engine: overlap-save windows of X are transformed once and kept as one real matrix
// per frequency, [Re X; Im X] (2 units x windows). Both data products are then real matrix products
// per frequency, exact up to rounding and independent of the number of lags.
#include <assay/cnmf/block_store.hpp>

#include <assay/core/parallel.hpp>

#include <unsupported/Eigen/FFT>

#include <algorithm>
#include <complex>

namespace assay::cnmf {

Index transform_size(Index lags) {
    Index size = 64;
    while (size < 4 * lags) size *= 2;
    return size;
}

namespace {

Index window_count(const TimeAxis& axis) {
    const Index step = transform_size(axis.lags()) - axis.lags() + 1;
    return (axis.rows() - (axis.lags() - 1) + step - 1) / step;
}

} // namespace

double spectra_bytes(Index units, Index bins, Index segments, Index lags, Precision precision) {
    const Index size = transform_size(lags), step = size - lags + 1;
    const Index windows = (bins + segments * (lags - 1) + step - 1) / step;
    return static_cast<double>(units) * static_cast<double>(windows) * static_cast<double>(size) *
           (precision == Precision::float64 ? 8 : 4);
}

namespace {

template <class Scalar>
class SpectralProducts : public DataProducts {
    using Spectrum = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
    using Complex = std::complex<Scalar>;
    using Series = std::vector<Scalar>;

    // A transform with its own tables: one per thread and call.
    struct Transform {
        Eigen::FFT<Scalar> fft;
        Series series;
        std::vector<Complex> spectrum;
        Index size;
        explicit Transform(Index n)
            : series(static_cast<std::size_t>(n)), spectrum(static_cast<std::size_t>(n / 2 + 1)),
              size(n) {
            fft.SetFlag(Eigen::FFT<Scalar>::HalfSpectrum);
        }
        void forward() { fft.fwd(spectrum.data(), series.data(), size); }
        void inverse() { fft.inv(series.data(), spectrum.data(), size); }
    };

  public:
    // One matrix per frequency.
    using Spectra = std::vector<Spectrum>;

    SpectralProducts(const Recording& recording, Index lags, std::shared_ptr<const Spectra> spectra)
        : DataProducts(TimeAxis(recording.bins(), recording.segment_start, lags), Engine::fft),
          units_(recording.units()), size_(transform_size(lags)), step_(size_ - lags + 1),
          windows_(window_count(axis_)), frequencies_(size_ / 2 + 1), spectra_(std::move(spectra)) {
    }

    [[nodiscard]] static std::shared_ptr<const Spectra>
    transformed(const Recording& recording, Index lags, const Execution& run) {
        const SpectralProducts geometry(recording, lags, nullptr);
        auto spectra = std::make_shared<Spectra>(static_cast<std::size_t>(geometry.frequencies_));
        for (Index w = 0; w < geometry.frequencies_; ++w)
            (*spectra)[static_cast<std::size_t>(w)].resize(geometry.parts(w) * geometry.units_,
                                                           geometry.windows_);
        geometry.transform_recording(recording, *spectra, run);
        return spectra;
    }

    Matrix with_activations(const TimeMatrix& h, const Execution& run) override {
        const Index components = h.cols(), lags = axis_.lags();
        std::vector<Spectrum> activation_spectra(static_cast<std::size_t>(frequencies_));
        for (auto& spectrum : activation_spectra) spectrum.resize(windows_, 2 * components);
        in_groups(windows_, run, [&](Index window, Transform& transform) {
            const Index first = base() + window * step_;
            const Index count = std::min(step_, axis_.rows() - first);
            for (Index k = 0; k < components; ++k) {
                std::fill(transform.series.begin(), transform.series.end(), Scalar{0});
                bool any = false;
                for (Index t = 0; t < count; ++t) {
                    const double value = h(first + t, k);
                    any |= value != 0;
                    transform.series[static_cast<std::size_t>(t)] = static_cast<Scalar>(value);
                }
                if (any)
                    transform.forward();
                else
                    std::fill(transform.spectrum.begin(), transform.spectrum.end(), Complex{});
                for (Index w = 0; w < frequencies_; ++w) {
                    auto& spectrum = activation_spectra[static_cast<std::size_t>(w)];
                    spectrum(window, k) = transform.spectrum[static_cast<std::size_t>(w)].real();
                    spectrum(window, components + k) =
                        transform.spectrum[static_cast<std::size_t>(w)].imag();
                }
            }
        });
        // X conj(H) per frequency, summed over windows by the product itself.
        std::vector<Spectrum> products(static_cast<std::size_t>(frequencies_));
        parallel_blocks(frequencies_, run.threads, [&](Index w) {
            const Spectrum& x = (*spectra_)[static_cast<std::size_t>(w)];
            const Spectrum& y = activation_spectra[static_cast<std::size_t>(w)];
            Spectrum& product = products[static_cast<std::size_t>(w)];
            product.setZero(2 * units_, components);
            if (parts(w) == 1) {
                product.topRows(units_).noalias() = x * y.leftCols(components);
                return;
            }
            const Spectrum both = x * y;
            product.topRows(units_) =
                both.topLeftCorner(units_, components) + both.bottomRightCorner(units_, components);
            product.bottomRows(units_) =
                both.bottomLeftCorner(units_, components) - both.topRightCorner(units_, components);
        });
        Matrix result(units_, components * lags);
        in_groups(units_, run, [&](Index n, Transform& transform) {
            for (Index k = 0; k < components; ++k) {
                for (Index w = 0; w < frequencies_; ++w) {
                    const Spectrum& product = products[static_cast<std::size_t>(w)];
                    transform.spectrum[static_cast<std::size_t>(w)] = {product(n, k),
                                                                       product(units_ + n, k)};
                }
                transform.inverse();
                for (Index l = 0; l < lags; ++l)
                    result(n, motif_column(k, l, components, lags)) =
                        transform.series[static_cast<std::size_t>(l)];
            }
        });
        count_work(components);
        return result;
    }

    TimeMatrix with_motifs(const Matrix& motifs, const Execution& run) override {
        const Index lags = axis_.lags(), components = motifs.cols() / lags;
        // Columns [Wr; Wi] and [-Wi; Wr]: X^T times them is the real and imaginary part of conj(W)
        // X.
        std::vector<Spectrum> motif_spectra(static_cast<std::size_t>(frequencies_));
        for (Index w = 0; w < frequencies_; ++w)
            motif_spectra[static_cast<std::size_t>(w)].resize(parts(w) * units_,
                                                              parts(w) * components);
        in_groups(units_, run, [&](Index n, Transform& transform) {
            for (Index k = 0; k < components; ++k) {
                std::fill(transform.series.begin(), transform.series.end(), Scalar{0});
                for (Index l = 0; l < lags; ++l)
                    transform.series[static_cast<std::size_t>(l)] =
                        static_cast<Scalar>(motifs(n, motif_column(k, l, components, lags)));
                transform.forward();
                for (Index w = 0; w < frequencies_; ++w) {
                    const Complex value = transform.spectrum[static_cast<std::size_t>(w)];
                    auto& spectrum = motif_spectra[static_cast<std::size_t>(w)];
                    spectrum(n, k) = value.real();
                    if (parts(w) == 1) continue;
                    spectrum(units_ + n, k) = value.imag();
                    spectrum(n, components + k) = -value.imag();
                    spectrum(units_ + n, components + k) = value.real();
                }
            }
        });
        std::vector<Spectrum> products(static_cast<std::size_t>(frequencies_));
        parallel_blocks(frequencies_, run.threads, [&](Index w) {
            products[static_cast<std::size_t>(w)].noalias() =
                (*spectra_)[static_cast<std::size_t>(w)].transpose() *
                motif_spectra[static_cast<std::size_t>(w)];
        });
        TimeMatrix result = TimeMatrix::Zero(axis_.rows(), components);
        in_groups(windows_, run, [&](Index window, Transform& transform) {
            const Index first = base() + window * step_;
            const Index count = std::min(step_, axis_.rows() - first);
            for (Index k = 0; k < components; ++k) {
                for (Index w = 0; w < frequencies_; ++w) {
                    const Spectrum& product = products[static_cast<std::size_t>(w)];
                    transform.spectrum[static_cast<std::size_t>(w)] = {
                        product(window, k),
                        parts(w) == 1 ? Scalar{0} : product(window, components + k)};
                }
                transform.inverse();
                for (Index t = 0; t < count; ++t)
                    result(first + t, k) = transform.series[static_cast<std::size_t>(t)];
            }
        });
        axis_.clear_padding(result);
        count_work(components);
        return result;
    }

  private:
    [[nodiscard]] Index base() const { return axis_.lags() - 1; }
    // Spectra of real series are real at the first and last frequency.
    [[nodiscard]] Index parts(Index frequency) const {
        return frequency == 0 || frequency == frequencies_ - 1 ? 1 : 2;
    }

    // Items in groups, so that a transform's tables are made once a group.
    static constexpr Index kGroup = 32;
    void in_groups(Index count, const Execution& run,
                   const std::function<void(Index, Transform&)>& body) const {
        const Blocks groups{count, kGroup};
        parallel_blocks(groups.count(), run.threads, [&](Index group) {
            Transform transform(size_);
            for (Index i = groups.begin(group); i < groups.begin(group) + groups.extent(group); ++i)
                body(i, transform);
        });
    }

    void transform_recording(const Recording& recording, Spectra& spectra,
                             const Execution& run) const {
        const Index reading = std::max<Index>(1, 8192 / step_); // windows read at once
        for (Index first_window = 0; first_window < windows_; first_window += reading) {
            const Index count = std::min(reading, windows_ - first_window);
            const Index first_row = base() + first_window * step_;
            const Index last_row = std::min(first_row + (count - 1) * step_ + size_, axis_.rows());
            // X on the padded axis, for these rows.
            Spectrum rows = Spectrum::Zero((count - 1) * step_ + size_, units_);
            for (const auto& segment : axis_.segments()) {
                const Index begin = std::max(first_row, segment.first_row);
                const Index end = std::min(last_row, segment.first_row + segment.bins);
                if (begin < end)
                    rows.middleRows(begin - first_row, end - begin) =
                        recording.read(segment.first_bin + begin - segment.first_row, end - begin)
                            .transpose()
                            .template cast<Scalar>();
            }
            in_groups(count, run, [&](Index window, Transform& transform) {
                for (Index n = 0; n < units_; ++n) {
                    std::copy_n(rows.data() + n * rows.rows() + window * step_, size_,
                                transform.series.begin());
                    transform.forward();
                    for (Index w = 0; w < frequencies_; ++w) {
                        auto& spectrum = spectra[static_cast<std::size_t>(w)];
                        spectrum(n, first_window + window) =
                            transform.spectrum[static_cast<std::size_t>(w)].real();
                        if (parts(w) == 2)
                            spectrum(units_ + n, first_window + window) =
                                transform.spectrum[static_cast<std::size_t>(w)].imag();
                    }
                }
            });
        }
    }

    void count_work(Index components) {
        const double numbers = static_cast<double>(units_) * static_cast<double>(windows_) *
                               static_cast<double>(size_);
        work_.bytes += numbers * sizeof(Scalar);
        work_.flops += 4 * numbers * static_cast<double>(components);
    }

    Index units_, size_, step_, windows_, frequencies_;
    std::shared_ptr<const Spectra> spectra_;
};

} // namespace

namespace {

template <class Scalar>
std::unique_ptr<DataProducts> products_over(std::shared_ptr<const void> spectra,
                                            const Recording& recording, Index lags) {
    using Products = SpectralProducts<Scalar>;
    return std::make_unique<Products>(
        recording, lags,
        std::static_pointer_cast<const typename Products::Spectra>(std::move(spectra)));
}

} // namespace

std::shared_ptr<const void> transformed(const Recording& recording, Precision precision, Index lags,
                                        const Execution& run) {
    if (precision == Precision::float32)
        return SpectralProducts<float>::transformed(recording, lags, run);
    return SpectralProducts<double>::transformed(recording, lags, run);
}

std::unique_ptr<DataProducts> spectral_products(std::shared_ptr<const void> spectra,
                                                const Recording& recording, Precision precision,
                                                Index lags) {
    if (precision == Precision::float32)
        return products_over<float>(std::move(spectra), recording, lags);
    return products_over<double>(std::move(spectra), recording, lags);
}

} // namespace assay::cnmf
