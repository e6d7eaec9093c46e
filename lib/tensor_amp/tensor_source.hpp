// The data as algorithms see them: a tensor of order 2 to 8 in C order, in float or double, perhaps
// with some entries unobserved, that hands out blocks of its rows. Held in memory or streamed from
// HDF5 with one reader thread; both give the same bits. Ranks that work together (mpirun) share the
// rows. Passes over the data are counted.
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
    // Slabs in a row whose sums are added up first, and which one rank does; up to 64 groups.
    Index group_slabs = 1;

    [[nodiscard]] Index group_rows() const { return group_slabs * slab_rows; }
    [[nodiscard]] Index groups() const { return (rows + group_rows() - 1) / group_rows(); }
};
[[nodiscard]] ASSAY_API Unfolding unfolding(const Shape& shape);

// Whether ranks that work together share passes over it: messages cost more than a pass over few
// entries, and few rows cannot be dealt out.
[[nodiscard]] ASSAY_API bool worth_sharing(const Shape& shape);

// Groups of slabs are dealt to ranks in turn; a round is as many groups as there are ranks.
struct RankShare {
    int ranks = 1, rank = 0;
    [[nodiscard]] int owner(Index group) const { return static_cast<int>(group % ranks); }
    [[nodiscard]] Index rounds(Index groups) const { return (groups + ranks - 1) / ranks; }
};

// Consecutive rows of the unfolded tensor, whole slabs.
struct RowBlock {
    Index first = 0;
    Index count = 0;
    // One of the two, by the source's storage; unobserved entries are 0. Null where the pass is for
    // Content::observed and the values were not read.
    const float* floats = nullptr;
    const double* doubles = nullptr;
    // 1 = observed; null where all are.
    const std::uint8_t* observed = nullptr;
    // Where ranks share a pass: the groups of a round that all ranks have gone through after this
    // block; none before its last block.
    Index round_first = 0, round_groups = 0;

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
    // The ranks that share every pass: the team at work when the source was made, for a large one.
    [[nodiscard]] const RankShare& share() const { return share_; }

    // The same tensor with more entries unobserved. `hidden` is asked in passes, too, on any
    // thread. Throws Interrupted where the monitor asks for it.
    using Hidden = std::function<bool(Index entry)>;
    [[nodiscard]] virtual std::unique_ptr<TensorSource> without(const Hidden& hidden,
                                                                const Execution& run) const = 0;

    // Goes through the unfolded tensor once: calls `body` on blocks of whole slabs in ascending
    // order. In memory there is but one block (one a round where ranks share). Blocks may only be
    // used during the call. Where ranks share the pass, each goes through its groups; all get as
    // many blocks, some of them empty.
    using Visitor = std::function<void(const RowBlock&)>;
    void visit(Content content, const Visitor& body) const;

  protected:
    // Calls body(begin, end) for all entries in pieces whose begins are multiples of 64, by
    // threads.
    void in_pieces(const Execution& run, const std::function<void(Index, Index)>& body) const;
    // Throws Error unless the order is 2 to 8, no mode is empty, and the entries can be counted.
    TensorSource(Shape shape, Storage storage);
    // The rows of this rank's group in a round, none where there is no such group.
    [[nodiscard]] RowBlock own_group(Index round) const;
    virtual void go_through(Content content, const Visitor& body) const = 0;

  private:
    Shape shape_;
    Unfolding unfolding_;
    RankShare share_;
    Index size_ = 0;
    Storage storage_;
    mutable std::atomic<Index> passes_{0};
};

// A tensor in memory.
class ASSAY_API MemoryTensor final : public TensorSource {
  public:
    // Takes the tensor over; `storage` float32 rounds it to float. Throws Error where the number of
    // values or flags is not the shape's, nothing was observed, or an observed value is not finite.
    explicit MemoryTensor(DenseTensor tensor, Storage storage = Storage::float64);
    explicit MemoryTensor(FloatTensor tensor);
    [[nodiscard]] bool masked() const override { return !observed_.empty(); }
    [[nodiscard]] std::unique_ptr<TensorSource> without(const Hidden& hidden,
                                                        const Execution& run) const override;

  private:
    void go_through(Content content, const Visitor& body) const override;
    template <class Scalar>
    void check_entries(Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& values);
    VectorXd doubles_;
    Eigen::VectorXf floats_;
    std::vector<std::uint8_t> observed_;
};

} // namespace assay::tensor_amp
