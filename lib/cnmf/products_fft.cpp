// The spectral engine: overlap-save windows of X are transformed once and kept as one real matrix
// per frequency, [Re X; Im X] (2 units x windows, either half padded to whole vectors). Both data
// products are then real matrix products per frequency, exact up to rounding and independent of the
// number of lags.
#include <assay/cnmf/block_store.hpp>
#include <assay/cnmf/series_transform.hpp>

#include <assay/core/parallel.hpp>
#include <assay/core/ranks.hpp>
#include <assay/linalg/narrow_product.hpp>

#include <algorithm>

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
    const bool wide = precision == Precision::float64;
    const Index rows =
        wide ? linalg::padded_rows<double>(units) : linalg::padded_rows<float>(units);
    return static_cast<double>(rows) * static_cast<double>(windows) * static_cast<double>(size) *
           (wide ? 8 : 4);
}

namespace {

template <class Scalar>
class SpectralProducts : public DataProducts {
    using Spectrum = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  public:
    // One matrix per frequency.
    using Spectra = std::vector<Spectrum>;

    SpectralProducts(const Recording& recording, Index lags, std::shared_ptr<const Spectra> spectra)
        : DataProducts(TimeAxis(recording.bins(), recording.segment_start, lags), Engine::fft),
          units_(recording.units()), rows_(linalg::padded_rows<Scalar>(units_)),
          transform_(transform_size(lags)), size_(transform_.size()), step_(size_ - lags + 1),
          windows_(window_count(axis_)), frequencies_(transform_.frequencies()),
          spectra_(std::move(spectra)) {}

    [[nodiscard]] static std::shared_ptr<const Spectra>
    transformed(const Recording& recording, Index lags, const Execution& run) {
        const SpectralProducts geometry(recording, lags, nullptr);
        auto spectra = std::make_shared<Spectra>(static_cast<std::size_t>(geometry.frequencies_));
        for (Index w = 0; w < geometry.frequencies_; ++w)
            (*spectra)[static_cast<std::size_t>(w)].setZero(geometry.parts(w) * geometry.rows_,
                                                            geometry.windows_);
        geometry.transform_recording(recording, *spectra, run);
        return spectra;
    }

    Matrix with_activations(const TimeMatrix& h, const Execution& run) override {
        const Index components = h.cols(), lags = axis_.lags();
        const Spectrum activation_spectra =
            transform_.forward(windowed(h, components), run.threads);
        // X conj(H) per frequency, summed over windows by the product itself.
        Spectrum products(units_ * components, 2 * frequencies_);
        parallel_blocks(frequencies_, run.threads, [&](Index w) {
            if (!ranks::mine(w, frequencies_)) return;
            const Spectrum& x = spectrum(w);
            const auto y = parts_of(activation_spectra, w, windows_, components);
            auto product = parts_of(products, w, units_, components);
            if (parts(w) == 1) {
                product.leftCols(components) = times(x, y.leftCols(components)).topRows(units_);
                product.rightCols(components).setZero();
                return;
            }
            const Spectrum both = times(x, y);
            const auto real = both.topRows(units_), imaginary = both.middleRows(rows_, units_);
            product.leftCols(components) =
                real.leftCols(components) + imaginary.rightCols(components);
            product.rightCols(components) =
                imaginary.leftCols(components) - real.rightCols(components);
        });
        share_frequencies(products);
        const Spectrum series = transform_.inverse(products, lags, run.threads);
        Matrix result(units_, components * lags);
        for (Index l = 0; l < lags; ++l)
            for (Index k = 0; k < components; ++k)
                result.col(motif_column(k, l, components, lags)) =
                    series.col(l).segment(k * units_, units_).template cast<double>();
        count_work(components);
        return result;
    }

    TimeMatrix with_motifs(const Matrix& motifs, const Execution& run) override {
        const Index lags = axis_.lags(), components = motifs.cols() / lags;
        Spectrum series(units_ * components, lags);
        for (Index l = 0; l < lags; ++l)
            for (Index k = 0; k < components; ++k)
                series.col(l).segment(k * units_, units_) =
                    motifs.col(motif_column(k, l, components, lags)).template cast<Scalar>();
        const Spectrum motif_spectra = transform_.forward(series, run.threads);
        // conj(W) X per frequency. Columns of [Re X; Im X] cut in two are Re X and Im X in turn.
        Spectrum products(windows_ * components, 2 * frequencies_);
        parallel_blocks(frequencies_, run.threads, [&](Index w) {
            if (!ranks::mine(w, frequencies_)) return;
            Spectrum y = Spectrum::Zero(rows_, 2 * components);
            y.topRows(units_) = parts_of(motif_spectra, w, units_, components);
            auto product = parts_of(products, w, windows_, components);
            if (parts(w) == 1) {
                product.leftCols(components) =
                    transposed_times(spectrum(w), y.leftCols(components));
                product.rightCols(components).setZero();
                return;
            }
            const Eigen::Map<const Spectrum> x(spectrum(w).data(), rows_, 2 * windows_);
            const Spectrum both = transposed_times(x, y);
            using EveryOther = Eigen::Map<const Spectrum, 0, Eigen::Stride<Eigen::Dynamic, 2>>;
            const Eigen::Stride<Eigen::Dynamic, 2> stride(both.rows(), 2);
            const EveryOther real(both.data(), windows_, both.cols(), stride);
            const EveryOther imaginary(both.data() + 1, windows_, both.cols(), stride);
            product.leftCols(components) =
                real.leftCols(components) + imaginary.rightCols(components);
            product.rightCols(components) =
                imaginary.leftCols(components) - real.rightCols(components);
        });
        share_frequencies(products);
        const Spectrum pieces = transform_.inverse(products, step_, run.threads);
        products.resize(0, 0); // as large as the result
        TimeMatrix result = joined(pieces, components);
        axis_.clear_padding(result);
        count_work(components);
        return result;
    }

  private:
    using SpectrumView = Eigen::Ref<const Spectrum>;
    [[nodiscard]] static Spectrum times(const SpectrumView& x, const SpectrumView& y) {
        if (y.cols() <= linalg::kNarrow) return linalg::narrow_product<Scalar>(x, y);
        return x * y;
    }
    [[nodiscard]] static Spectrum transposed_times(const SpectrumView& x, const SpectrumView& y) {
        if (y.cols() <= linalg::kNarrow) return linalg::narrow_transposed_product<Scalar>(x, y);
        return x.transpose() * y;
    }
    [[nodiscard]] Index base() const { return axis_.lags() - 1; }
    [[nodiscard]] const Spectrum& spectrum(Index frequency) const {
        return (*spectra_)[static_cast<std::size_t>(frequency)];
    }
    // Spectra of real series are real at the first and last frequency.
    [[nodiscard]] Index parts(Index frequency) const {
        return frequency == 0 || frequency == frequencies_ - 1 ? 1 : 2;
    }
    // Two columns a frequency, each pair from the rank that owns it.
    void share_frequencies(Spectrum& spectra) const {
        std::vector<ranks::Filled> filled;
        for (Index w = 0; w < frequencies_; ++w)
            filled.push_back({spectra.col(2 * w).data(),
                              2 * sizeof(Scalar) * static_cast<std::size_t>(spectra.rows()),
                              ranks::owner(w, frequencies_)});
        ranks::exchange(filled);
    }
    // Spectra of series numbered (row + rows * component) at one frequency: rows x 2 components,
    // real parts first.
    template <class Storage>
    [[nodiscard]] static auto parts_of(Storage& spectra, Index frequency, Index rows,
                                       Index components) {
        using Part = std::conditional_t<std::is_const_v<Storage>, const Spectrum, Spectrum>;
        return Eigen::Map<Part>(spectra.col(2 * frequency).data(), rows, 2 * components);
    }

    // H cut into disjoint windows: series (window + windows * component) x step.
    [[nodiscard]] Spectrum windowed(const TimeMatrix& h, Index components) const {
        Spectrum series = Spectrum::Zero(windows_ * components, step_);
        for (Index window = 0; window < windows_; ++window) {
            const Index first = base() + window * step_;
            const Index count = std::min(step_, axis_.rows() - first);
            for (Index k = 0; k < components; ++k)
                series.row(window + windows_ * k).head(count) =
                    h.col(k).segment(first, count).transpose().template cast<Scalar>();
        }
        return series;
    }

    [[nodiscard]] TimeMatrix joined(const Spectrum& series, Index components) const {
        TimeMatrix result = TimeMatrix::Zero(axis_.rows(), components);
        for (Index window = 0; window < windows_; ++window) {
            const Index first = base() + window * step_;
            const Index count = std::min(step_, axis_.rows() - first);
            for (Index k = 0; k < components; ++k)
                result.col(k).segment(first, count) = series.row(window + windows_ * k)
                                                          .head(count)
                                                          .transpose()
                                                          .template cast<double>();
        }
        return result;
    }

    void transform_recording(const Recording& recording, Spectra& spectra,
                             const Execution& run) const {
        const Index reading = std::max<Index>(1, 8192 / step_); // windows read at once
        for (Index first_window = 0; first_window < windows_; first_window += reading) {
            const Index count = std::min(reading, windows_ - first_window);
            const Index first_row = base() + first_window * step_;
            const Index last_row = std::min(first_row + (count - 1) * step_ + size_, axis_.rows());
            // X on the padded axis, for these rows.
            Spectrum rows = Spectrum::Zero(units_, (count - 1) * step_ + size_);
            for (const auto& segment : axis_.segments()) {
                const Index begin = std::max(first_row, segment.first_row);
                const Index end = std::min(last_row, segment.first_row + segment.bins);
                if (begin < end)
                    rows.middleCols(begin - first_row, end - begin) =
                        recording.read(segment.first_bin + begin - segment.first_row, end - begin)
                            .template cast<Scalar>();
            }
            parallel_blocks(count, run.threads, [&](Index window) {
                const Spectrum transformed =
                    transform_.forward(rows.middleCols(window * step_, size_), 1);
                for (Index w = 0; w < frequencies_; ++w) {
                    auto place = spectra[static_cast<std::size_t>(w)].col(first_window + window);
                    place.head(units_) = transformed.col(2 * w);
                    if (parts(w) == 2) place.segment(rows_, units_) = transformed.col(2 * w + 1);
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

    Index units_;
    Index rows_; // of a half of a spectrum: units and padding
    SeriesTransform<Scalar> transform_;
    Index size_, step_, windows_, frequencies_;
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
