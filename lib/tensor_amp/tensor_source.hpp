// The data as algorithms see them: a tensor of order 2 to 8 in C order, in float or double, perhaps
// with some entries unobserved, that hands out blocks of its rows. Held in memory or streamed from
// HDF5 with one reader thread; both give the same bits. Passes over the data are counted.
#pragma once

#include <assay/tensor_amp/tensor.hpp>

#include <assay/core/monitor.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

namespace assay::tensor_amp {

// How entries are stored, and in which precision sums of up to 1024 of them are formed.
enum class Storage { float32, float64 };

// What a pass looks at: the entries, or the 0/1 tensor of what was observed.
enum class Content { values, observed };

// The tensor as a contiguous matrix: its rows are the first `left_modes` modes. Chosen by the shape
// alone, such that rows + columns is least (of equal choices the one with the shorter rows).
struct Unfolding {
    Index left_modes = 1;
    Index rows = 0, columns = 0;
    Index slab_rows = 0; // sums are formed over slabs of so many rows, a multiple of 8
};
[[nodiscard]] ASSAY_API Unfolding unfolding(const Shape& shape);

// Consecutive rows of the unfolded tensor.
struct RowBlock {
    Index first = 0;
    Index count = 0;
    // One of the two, by the source's storage; unobserved entries are 0. Null where the pass is for
    // Content::observed and the values were not read.
    const float* floats = nullptr;
    const double* doubles = nullptr;
    // 1 = observed; null where all are.
    const std::uint8_t* observed = nullptr;

    template <class Scalar>
    [[nodiscard]] const Scalar* values() const {
        if constexpr (std::is_same_v<Scalar, float>)
            return floats;
        else
            return doubles;
    }
};

class ASSAY_API TensorSource {
  public:
    virtual ~TensorSource() = default;

    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] Index order() const { return static_cast<Index>(shape_.size()); }
    // The number of entries.
    [[nodiscard]] Index size() const { return size_; }
    [[nodiscard]] Storage storage() const { return storage_; }
    // Whether entries may be unobserved.
    [[nodiscard]] virtual bool masked() const = 0;
    // How often the data were gone through so far.
    [[nodiscard]] Index passes() const { return passes_; }

    [[nodiscard]] const Unfolding& unfolded() const { return unfolding_; }

    // The same tensor with more entries unobserved. `hidden` is asked in passes, too.
    using Hidden = std::function<bool(Index entry)>;
    [[nodiscard]] virtual std::unique_ptr<TensorSource> without(const Hidden& hidden) const = 0;

    // Goes through the unfolded tensor once: calls `body` on blocks of whole slabs in ascending
    // order. In memory there is but one block. Blocks may only be used during the call.
    using Visitor = std::function<void(const RowBlock&)>;
    void visit(Content content, const Visitor& body) const;

  protected:
    // Throws Error unless the order is 2 to 8, no mode is empty, and the entries can be counted.
    TensorSource(Shape shape, Storage storage);
    virtual void go_through(Content content, const Visitor& body) const = 0;

  private:
    Shape shape_;
    Unfolding unfolding_;
    Index size_ = 0;
    Storage storage_;
    mutable std::atomic<Index> passes_{0};
};

// ||Y||^2 over the observed entries, summed in double; one pass.
[[nodiscard]] ASSAY_API double squared_norm(const TensorSource& source, const Execution& run);

// A tensor in memory.
class ASSAY_API MemoryTensor final : public TensorSource {
  public:
    // Takes the tensor over; `storage` float32 rounds it to float. Throws Error where the number of
    // values or flags is not the shape's, nothing was observed, or an observed value is not finite.
    explicit MemoryTensor(DenseTensor tensor, Storage storage = Storage::float64);
    explicit MemoryTensor(FloatTensor tensor);
    [[nodiscard]] bool masked() const override { return !observed_.empty(); }
    [[nodiscard]] std::unique_ptr<TensorSource> without(const Hidden& hidden) const override;

  private:
    void go_through(Content content, const Visitor& body) const override;
    template <class Scalar>
    void check_entries(Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& values);
    VectorXd doubles_;
    Eigen::VectorXf floats_;
    std::vector<std::uint8_t> observed_;
};

} // namespace assay::tensor_amp
