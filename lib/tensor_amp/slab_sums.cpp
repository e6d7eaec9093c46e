#include <assay/tensor_amp/slab_sums.hpp>

#include <assay/core/ranks.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

namespace assay::tensor_amp {

namespace {

// Numbers that the parts of slabs in work may take, threads permitting.
constexpr Index kPartNumbers = Index{1} << 20;

template <class Scalar>
[[nodiscard]] double sum_of_squares(const Scalar* values, Index count) {
    std::array<double, 8> lanes{};
    const Index whole = count / 8 * 8;
    for (Index i = 0; i < whole; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane) {
            const auto value = static_cast<double>(values[i + static_cast<Index>(lane)]);
            lanes[lane] += value * value;
        }
    for (Index i = whole; i < count; ++i)
        lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

} // namespace

GroupedSum::GroupedSum(const TensorSource& source, MatrixXd& total)
    : source_(source), total_(total), group_slabs_(source.unfolded().group_slabs),
      slabs_(Blocks{source.unfolded().rows, source.unfolded().slab_rows}.count()),
      ranks_(source.share().ranks), alone_(group_slabs_ == 1 && ranks_ == 1) {
    if (ranks_ > 1 && ranks_ != ranks::team())
        throw std::logic_error("a tensor is shared by other ranks than those at work");
    if (!alone_) part_.setZero(total.rows(), total.cols());
}

void GroupedSum::share(const RowBlock& block, const PlacedRows* placed) {
    if (ranks_ == 1 || block.round_groups == 0) return;
    const RankShare& ranks = source_.share();
    const Index group_rows = source_.unfolded().group_rows();
    const Index width = placed != nullptr ? placed->cols() : 0;
    // What a group gives: its rows' numbers, then its part of the sum.
    VectorXd numbers;
    for (Index k = 0; k < block.round_groups; ++k) {
        const Index group = block.round_first + k, first = group * group_rows;
        const Index rows = std::min(group_rows, source_.unfolded().rows - first);
        numbers.resize(rows * width + part_.size());
        Eigen::Map<MatrixXd> of_rows(numbers.data(), rows, width);
        const bool mine = ranks.owner(group) == ranks.rank;
        if (mine && placed != nullptr) of_rows = placed->middleRows(first, rows);
        if (mine) numbers.tail(part_.size()) = part_.reshaped();
        ranks::exchange({{numbers.data(), sizeof(double) * static_cast<std::size_t>(numbers.size()),
                          ranks.owner(group)}});
        if (!mine && placed != nullptr) {
            PlacedRows to = *placed;
            to.middleRows(first, rows) = of_rows;
        }
        total_.reshaped() += numbers.tail(part_.size());
    }
}

RowBlock slab_of(const RowBlock& block, Index slab, const Unfolding& matrix) {
    const Blocks slabs{block.count, matrix.slab_rows};
    const Index begin = slabs.begin(slab), entries = begin * matrix.columns;
    RowBlock part = block;
    part.first = block.first + begin;
    part.count = slabs.extent(slab);
    if (part.floats != nullptr) part.floats += entries;
    if (part.doubles != nullptr) part.doubles += entries;
    if (part.observed != nullptr) part.observed += entries;
    return part;
}

MatrixXd sum_over_slabs(const TensorSource& source, Index rows, Index columns, const Execution& run,
                        const SlabWork& work, const TensorSource::Visitor& before) {
    const Unfolding& matrix = source.unfolded();
    MatrixXd total = MatrixXd::Zero(rows, columns);
    GroupedSum sum(source, total);
    const Index wave = std::clamp<Index>(kPartNumbers / std::max<Index>(1, rows * columns),
                                         run.threads, Index{16} * run.threads);
    std::vector<MatrixXd> parts(static_cast<std::size_t>(wave));
    source.visit(Content::values, [&](const RowBlock& block) {
        run.monitor->stop_if_interrupted();
        if (before) before(block);
        const Index slabs = Blocks{block.count, matrix.slab_rows}.count();
        for (Index first = 0; first < slabs; first += wave) {
            if (first > 0 && source.share().ranks == 1) run.monitor->stop_if_interrupted();
            const Index count = std::min(wave, slabs - first);
            parallel_blocks(count, run.threads, [&](Index i) {
                MatrixXd& part = parts[at(i)];
                part.setZero(rows, columns);
                work(slab_of(block, first + i, matrix), part);
            });
            for (Index i = 0; i < count; ++i)
                sum.add(block.first / matrix.slab_rows + first + i, 0, parts[at(i)]);
        }
        sum.share(block);
    });
    return total;
}

void fill_rows(const TensorSource& source, const PlacedRows& placed, const Execution& run,
               const std::function<void(const RowBlock& slab)>& fill) {
    MatrixXd nothing;
    GroupedSum sum(source, nothing);
    source.visit(Content::values, [&](const RowBlock& block) {
        run.monitor->stop_if_interrupted();
        parallel_blocks(Blocks{block.count, source.unfolded().slab_rows}.count(), run.threads,
                        [&](Index slab) { fill(slab_of(block, slab, source.unfolded())); });
        sum.share(block, &placed);
    });
}

double squared_norm(const TensorSource& source, const Execution& run) {
    const Index columns = source.unfolded().columns;
    return sum_over_slabs(source, 1, 1, run, [&](const RowBlock& slab, MatrixXd& part) {
        const Index count = slab.count * columns;
        part(0) = source.storage() == Storage::float32 ? sum_of_squares(slab.floats, count)
                                                       : sum_of_squares(slab.doubles, count);
    })(0);
}

} // namespace assay::tensor_amp
