// Internal to lib/cnmf: real discrete Fourier transforms of many short series at once. Series that
// are mostly padding, or of which a part is wanted, need few multiplications: up to kDenseSize the
// transform is one matrix product with the rows or columns of the Fourier matrix that matter, which
// is several times faster than one fast transform after another; beyond, those are used.
#pragma once

#include <assay/cnmf/model.hpp>

namespace assay::cnmf {

template <class Scalar>
class SeriesTransform {
  public:
    using Series = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

    // Transforms of `size` points, a power of two.
    explicit SeriesTransform(Index size);

    [[nodiscard]] Index size() const { return size_; }
    [[nodiscard]] Index frequencies() const { return size_ / 2 + 1; }
    // (series x points) -> (series x 2 frequencies); points <= size, the rest are zero. Column 2w
    // holds the real, column 2w + 1 the imaginary part at frequency w; the imaginary parts at the
    // first and last frequency are zero.
    [[nodiscard]] Series forward(const Series& series, int threads) const;
    // The first `points` numbers of every series, from such spectra.
    [[nodiscard]] Series inverse(const Series& spectra, Index points, int threads) const;

  private:
    [[nodiscard]] bool dense() const { return to_spectra_.size() > 0; }
    static constexpr Index kDenseSize = 1024;

    Index size_;
    Series to_spectra_; // size x 2 frequencies; empty beyond kDenseSize
    Series to_series_;  // 2 frequencies x size
};

} // namespace assay::cnmf
