// A neural recording as analyses see it: units x time bins, read in blocks of bins, so that it may
// be larger than memory. Readers (lib/formats) and generators implement it; analyses never learn
// where the numbers come from.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

using Eigen::Index;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using SparseMatrix = Eigen::SparseMatrix<double, Eigen::ColMajor, std::int64_t>;

class ASSAY_API Recording {
  public:
    virtual ~Recording() = default;

    [[nodiscard]] virtual Index units() const = 0;
    [[nodiscard]] virtual Index bins() const = 0;
    // Columns first_bin .. first_bin + count - 1 as a (units x count) matrix.
    [[nodiscard]] virtual Matrix read(Index first_bin, Index count) const = 0;
    // The same, sparse; the default converts `read`.
    [[nodiscard]] virtual SparseMatrix read_sparse(Index first_bin, Index count) const;
    // The number of non-zeros where it is known without reading.
    [[nodiscard]] virtual std::optional<Index> known_nonzeros() const { return std::nullopt; }
    // True where blocks come from memory: reading them twice costs nothing.
    [[nodiscard]] virtual bool in_memory() const { return false; }

    // First bins of trials or files, ascending, the first 0: nothing crosses their borders.
    std::vector<Index> segment_start{0};
    // Seconds per bin, where known.
    std::optional<double> bin_seconds;
    std::vector<std::int64_t> unit_ids;
};

// A recording held as one dense matrix (units x bins).
class ASSAY_API DenseRecording : public Recording {
  public:
    explicit DenseRecording(Matrix data) : data_(std::move(data)) {}
    [[nodiscard]] Index units() const override { return data_.rows(); }
    [[nodiscard]] Index bins() const override { return data_.cols(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override;
    [[nodiscard]] bool in_memory() const override { return true; }

  private:
    Matrix data_;
};

// A recording held as its non-zeros (units x bins, one column a bin).
class ASSAY_API SparseRecording : public Recording {
  public:
    explicit SparseRecording(SparseMatrix data) : data_(std::move(data)) {}
    [[nodiscard]] Index units() const override { return data_.rows(); }
    [[nodiscard]] Index bins() const override { return data_.cols(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override;
    [[nodiscard]] SparseMatrix read_sparse(Index first_bin, Index count) const override;
    [[nodiscard]] std::optional<Index> known_nonzeros() const override { return data_.nonZeros(); }
    [[nodiscard]] bool in_memory() const override { return true; }

  private:
    SparseMatrix data_;
};

} // namespace assay
