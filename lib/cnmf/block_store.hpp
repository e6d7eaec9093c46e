// Internal to lib/cnmf: blocks of bins of a recording in the engine's number type, cached or
// streamed with one batch read ahead.
#pragma once

#include <assay/cnmf/products.hpp>

#include <algorithm>
#include <functional>
#include <variant>
#include <vector>

namespace assay::cnmf {

inline constexpr Index kReadsPerRelease = 8; // blocks read before free memory is given back

template <class Scalar>
using DenseBlock = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
template <class Scalar>
using SparseBlock = Eigen::SparseMatrix<Scalar, Eigen::ColMajor, int>;
using AnyBlock =
    std::variant<DenseBlock<double>, DenseBlock<float>, SparseBlock<double>, SparseBlock<float>>;

enum class BlockKind { dense, sparse };

class BlockStore {
  public:
    // `cached`: keep all blocks; else read them again for every walk.
    BlockStore(const Recording& recording, BlockKind kind, Precision precision, bool cached);
    [[nodiscard]] Index count() const { return static_cast<Index>(pieces_.size()); }
    [[nodiscard]] const std::vector<TimeAxis::Piece>& pieces() const { return pieces_; }
    [[nodiscard]] double bytes() const { return bytes_; }
    // Calls body(block, data) for all blocks; at most kMostLanes at once, and blocks that are a
    // multiple of kMostLanes apart in ascending order. So sums into lane `block % kMostLanes` have
    // a fixed order. Of ranks that work together each visits the lanes that it owns (Visit::own),
    // or all.
    enum class Visit { own, all };
    void walk(const Execution& run, const std::function<void(Index, const AnyBlock&)>& body,
              Visit visit = Visit::own) const;
    [[nodiscard]] Index lanes() const { return std::min(kMostLanes, count()); }

  private:
    [[nodiscard]] AnyBlock load(Index block) const;
    const Recording* recording_;
    BlockKind kind_;
    Precision precision_;
    std::vector<TimeAxis::Piece> pieces_;
    std::vector<AnyBlock> cache_;
    double bytes_ = 0;
};

// The engine over such blocks, dense (gemm) or sparse.
[[nodiscard]] std::unique_ptr<DataProducts> blocked_products(std::shared_ptr<BlockStore> store,
                                                             const Recording& recording,
                                                             BlockKind kind, Precision precision,
                                                             Index lags);
// The spectra of a recording for motifs of `lags` bins, and the engine over them.
[[nodiscard]] std::shared_ptr<const void>
transformed(const Recording& recording, Precision precision, Index lags, const Execution& run);
[[nodiscard]] std::unique_ptr<DataProducts> spectral_products(std::shared_ptr<const void> spectra,
                                                              const Recording& recording,
                                                              Precision precision, Index lags);
// Transform size of the spectral engine for `lags`, and the bytes its spectra take.
[[nodiscard]] Index transform_size(Index lags);
[[nodiscard]] double spectra_bytes(Index units, Index bins, Index segments, Index lags,
                                   Precision precision);

} // namespace assay::cnmf
