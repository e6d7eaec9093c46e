#include <assay/cnmf/series_transform.hpp>

#include <assay/core/parallel.hpp>

#include <unsupported/Eigen/FFT>

#include <complex>

namespace assay::cnmf {
namespace {

constexpr Index kRowsAtOnce = 256;
constexpr double kTwoPi = 6.283185307179586476925286766559;

// cos and sin of 2 pi i / size, exact where they are 0 or 1.
struct Circle {
    Vector cosine, sine;
    explicit Circle(Index size) : cosine(size), sine(size) {
        for (Index i = 0; i < size; ++i) {
            const double angle = kTwoPi * static_cast<double>(i) / static_cast<double>(size);
            const bool half = 2 * i % size == 0, quarter = 4 * i % size == 0;
            cosine(i) = quarter && !half ? 0.0 : std::cos(angle);
            sine(i) = half ? 0.0 : std::sin(angle);
        }
    }
};

} // namespace

template <class Scalar>
SeriesTransform<Scalar>::SeriesTransform(Index size) : size_(size) {
    if (size > kDenseSize) return;
    const Circle circle(size);
    to_spectra_.resize(size, 2 * frequencies());
    to_series_.resize(2 * frequencies(), size);
    for (Index w = 0; w < frequencies(); ++w) {
        const double weight =
            (w == 0 || w == frequencies() - 1 ? 1.0 : 2.0) / static_cast<double>(size);
        for (Index t = 0; t < size; ++t) {
            const double cosine = circle.cosine(w * t % size), sine = circle.sine(w * t % size);
            to_spectra_(t, 2 * w) = static_cast<Scalar>(cosine);
            to_spectra_(t, 2 * w + 1) = static_cast<Scalar>(-sine);
            to_series_(2 * w, t) = static_cast<Scalar>(weight * cosine);
            to_series_(2 * w + 1, t) = static_cast<Scalar>(-weight * sine);
        }
    }
}

template <class Scalar>
typename SeriesTransform<Scalar>::Series SeriesTransform<Scalar>::forward(const Series& series,
                                                                          int threads) const {
    Series spectra(series.rows(), 2 * frequencies());
    const Blocks groups{series.rows(), kRowsAtOnce};
    parallel_blocks(groups.count(), threads, [&](Index group) {
        const Index first = groups.begin(group), count = groups.extent(group);
        if (dense()) {
            spectra.middleRows(first, count).noalias() =
                series.middleRows(first, count) * to_spectra_.topRows(series.cols());
            return;
        }
        Eigen::FFT<Scalar> fft;
        fft.SetFlag(Eigen::FFT<Scalar>::HalfSpectrum);
        Series points = Series::Zero(size_, count), halves(2 * frequencies(), count);
        points.topRows(series.cols()) = series.middleRows(first, count).transpose();
        for (Index i = 0; i < count; ++i)
            fft.fwd(reinterpret_cast<std::complex<Scalar>*>(halves.col(i).data()),
                    points.col(i).data(), size_);
        spectra.middleRows(first, count) = halves.transpose();
    });
    return spectra;
}

template <class Scalar>
typename SeriesTransform<Scalar>::Series
SeriesTransform<Scalar>::inverse(const Series& spectra, Index points, int threads) const {
    Series series(spectra.rows(), points);
    const Blocks groups{spectra.rows(), kRowsAtOnce};
    parallel_blocks(groups.count(), threads, [&](Index group) {
        const Index first = groups.begin(group), count = groups.extent(group);
        if (dense()) {
            series.middleRows(first, count).noalias() =
                spectra.middleRows(first, count) * to_series_.leftCols(points);
            return;
        }
        Eigen::FFT<Scalar> fft;
        fft.SetFlag(Eigen::FFT<Scalar>::HalfSpectrum);
        const Series halves = spectra.middleRows(first, count).transpose();
        Series whole(size_, count);
        for (Index i = 0; i < count; ++i)
            fft.inv(whole.col(i).data(),
                    reinterpret_cast<const std::complex<Scalar>*>(halves.col(i).data()), size_);
        series.middleRows(first, count) = whole.topRows(points).transpose();
    });
    return series;
}

template class SeriesTransform<double>;
template class SeriesTransform<float>;

} // namespace assay::cnmf
