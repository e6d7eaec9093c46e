// Sums over a tensor, formed slab by slab, added up within groups of slabs and then group by group:
// the same bits for any number of threads and of ranks that share the pass, whether the tensor is
// in memory or streamed.
#pragma once

#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/indices.hpp>
#include <assay/core/parallel.hpp>

#include <functional>

namespace assay::tensor_amp {

// Numbers of every row of the unfolded tensor (rows x width), wherever they stand.
using PlacedRows = Eigen::Map<MatrixXd, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

// A sum of what slabs give, in the order of slabs.
class ASSAY_API GroupedSum {
  public:
    // Adds to `total`, which outlives it.
    GroupedSum(const TensorSource& source, MatrixXd& total);

    // Adds what the rows of `total` from `first` on are given by a slab (counted from the first of
    // the tensor). Slabs of a pass ascend.
    template <class Values>
    void add(Index slab, Index first, const Values& values) {
        const Index place = slab % group_slabs_;
        if (alone_) {
            total_.middleRows(first, values.rows()) += values;
            return;
        }
        auto part = part_.middleRows(first, values.rows());
        if (place == 0)
            part = values;
        else
            part += values;
        const bool last = place + 1 == group_slabs_ || slab + 1 == slabs_;
        if (last && ranks_ == 1) total_.middleRows(first, values.rows()) += part;
    }

    // After every block of a pass: what ranks have gone through in a round comes together, the
    // groups' sums and the numbers of their rows that are in `placed`.
    void share(const RowBlock& block, const PlacedRows* placed = nullptr);

  private:
    const TensorSource& source_;
    MatrixXd& total_;
    MatrixXd part_; // of the group at work
    Index group_slabs_, slabs_;
    int ranks_;
    bool alone_; // each group is one slab of this rank's
};

// Rows of a block, from slab `slab` of it.
[[nodiscard]] ASSAY_API RowBlock slab_of(const RowBlock& block, Index slab,
                                         const Unfolding& matrix);

// The sum, rows x columns, of what `work` adds to a matrix of zeros for every slab; one pass.
// `before` is called with every block before its slabs.
using SlabWork = std::function<void(const RowBlock& slab, MatrixXd& part)>;
[[nodiscard]] ASSAY_API MatrixXd sum_over_slabs(const TensorSource& source, Index rows,
                                                Index columns, const Execution& run,
                                                const SlabWork& work,
                                                const TensorSource::Visitor& before = {});

// Calls `fill` for every slab, which sets its rows of `placed`; one pass.
ASSAY_API void fill_rows(const TensorSource& source, const PlacedRows& placed, const Execution& run,
                         const std::function<void(const RowBlock& slab)>& fill);

// Calls body(entry, value) for the observed entries of a block, `entry` counted in C order.
template <class Body>
void for_each_observed(const RowBlock& block, Index columns, const Body& body) {
    for (Index i = 0; i < block.count * columns; ++i)
        if (block.observed == nullptr || block.observed[i] != 0)
            body(block.first * columns + i, block.doubles != nullptr
                                                ? block.doubles[i]
                                                : static_cast<double>(block.floats[i]));
}

// ||Y||^2 over the observed entries, summed in double; one pass.
[[nodiscard]] ASSAY_API double squared_norm(const TensorSource& source, const Execution& run);

} // namespace assay::tensor_amp
