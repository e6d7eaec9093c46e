#include <assay/tensor_amp/mttkrp.hpp>

#include <assay/core/error.hpp>

#include <assay/core/indices.hpp>
#include <assay/core/parallel.hpp>
#include <assay/linalg/row_products.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <algorithm>
#include <type_traits>

namespace assay::tensor_amp {

// A partial product: one row per index tuple of a group (rows beyond are padding). Not in the
// unnamed namespace, since SweepKernel::State has members of it.
struct PartialProduct {
    MatrixXd values;
    Index rows = 0;
    // The same, contracted with the last mode of the group by `contracted_with`.
    MatrixXd outer;
    MatrixXd contracted_with;
};

namespace {

namespace row_products = linalg::row_products;
using row_products::kLanes;
using row_products::kRows;

// Columns of a slab that one task works on: bounds its sums' memory.
constexpr Index kTaskColumns = 16384;
// Numbers that the sums of all tasks in work may take, threads permitting.
constexpr Index kSumNumbers = Index{1} << 23;
// Columns of a block at most, such that eight rows and a tile's columns stay in the first cache; as
// many terms are summed in float.
template <class Scalar>
constexpr Index kBlockColumns = 3072 / static_cast<Index>(sizeof(Scalar));

[[nodiscard]] const MatrixXd& factor_of(const Factors& factors, Index mode) {
    return factors[static_cast<std::size_t>(mode)];
}

// A few microseconds of work are not worth waking threads for.
[[nodiscard]] int threads_worth(double multiplications, const Execution& run) {
    return multiplications < 1 << 20 ? 1 : run.threads;
}

// Modes first .. last-1, of which the last runs fastest.
struct ModeGroup {
    Index first = 0, last = 0;
};

// The Khatri-Rao product of the modes of a group for one column; all ones for an empty group.
[[nodiscard]] VectorXd product_column(const Factors& factors, ModeGroup group, Index column) {
    VectorXd product = VectorXd::Ones(1);
    for (Index mode = group.first; mode < group.last; ++mode) {
        const auto next = factor_of(factors, mode).col(column);
        VectorXd longer(product.size() * next.size());
        for (Index i = 0; i < product.size(); ++i)
            longer.segment(i * next.size(), next.size()) = product(i) * next;
        product = std::move(longer);
    }
    return product;
}

// Rows of a partial product that are contracted at a time.
constexpr Index kContractedRows = Index{1} << 15;

// outer(o, c) = sum_i values(o N + i, c) x(i, c).
[[nodiscard]] MatrixXd contract_last(const MatrixXd& values, Index rows, const MatrixXd& x,
                                     int threads) {
    const Index length = x.rows(), count = rows / length;
    MatrixXd outer(count, x.cols());
    const Blocks pieces{count, std::max(Index{1}, kContractedRows / length)};
    parallel_blocks(x.cols() * pieces.count(), threads, [&](Index task) {
        const Index c = task / pieces.count(), piece = task % pieces.count();
        const Index begin = pieces.begin(piece), extent = pieces.extent(piece);
        const Eigen::Map<const MatrixXd> matrix(values.col(c).data() + begin * length, length,
                                                extent);
        outer.col(c).segment(begin, extent).noalias() = matrix.transpose() * x.col(c);
    });
    return outer;
}

// M(i, c) = sum_o values(o N + i, c) q(o, c), q the Khatri-Rao product of `outer` modes.
[[nodiscard]] MatrixXd contract_outer(const MatrixXd& values, Index rows, const Factors& factors,
                                      ModeGroup outer, int threads) {
    const Index length = factor_of(factors, outer.last).rows(), count = rows / length;
    if (count == 1 && outer.first == outer.last) return values.topRows(rows);
    MatrixXd result(length, values.cols());
    parallel_blocks(values.cols(), threads, [&](Index c) {
        const VectorXd weights = product_column(factors, outer, c);
        const Blocks pieces{count, std::max(Index{1}, kContractedRows / length)};
        result.col(c).setZero();
        for (Index piece = 0; piece < pieces.count(); ++piece) {
            const Index begin = pieces.begin(piece), extent = pieces.extent(piece);
            const Eigen::Map<const MatrixXd> matrix(values.col(c).data() + begin * length, length,
                                                    extent);
            result.col(c).noalias() += matrix * weights.segment(begin, extent);
        }
    });
    return result;
}

[[nodiscard]] MatrixXd contract_group(const MatrixXd& values, Index rows, const Factors& factors,
                                      ModeGroup group, Index mode, int threads) {
    if (mode == group.last - 1)
        return contract_outer(values, rows, factors, {group.first, group.last - 1}, threads);
    const MatrixXd& x = factor_of(factors, group.last - 1);
    const MatrixXd outer = contract_last(values, rows, x, threads);
    return contract_group(outer, outer.rows(), factors, {group.first, group.last - 1}, mode,
                          threads);
}

// As `contract_group`; keeps what all but the last mode of the group begin with.
[[nodiscard]] MatrixXd contract_partial(PartialProduct& partial, const Factors& factors,
                                        ModeGroup group, Index mode, int threads) {
    if (mode == group.last - 1)
        return contract_group(partial.values, partial.rows, factors, group, mode, threads);
    const MatrixXd& x = factor_of(factors, group.last - 1);
    if (partial.outer.size() == 0 || partial.contracted_with != x) {
        partial.outer = contract_last(partial.values, partial.rows, x, threads);
        partial.contracted_with = x;
    }
    return contract_group(partial.outer, partial.outer.rows(), factors,
                          {group.first, group.last - 1}, mode, threads);
}

// One pass over the data: Y KR(right), Y^T KR(left), or both.
template <class Scalar>
class Pass {
  public:
    // A partial that is not wanted is null.
    Pass(const TensorSource& source, Content content, const Factors& factors, PartialProduct* right,
         PartialProduct* left)
        : source_(source), matrix_(source.unfolded()), content_(content), factors_(factors),
          columns_(factors.front().cols()), right_(right),
          left_(left), tasks_across_{matrix_.columns, kTaskColumns} {
        if (right_ != nullptr) prepare_right();
        if (left_ != nullptr) prepare_left();
    }

    void run(const Execution& run) {
        const double work = static_cast<double>(source_.size()) * static_cast<double>(columns_);
        const int threads = threads_worth(work, run);
        // Tasks of a wave run at once, then their sums are added in order.
        const Index wave = threads > 1 ? tasks_at_once(threads) : 1;
        sums_.resize(static_cast<std::size_t>(wave));
        MatrixXd nothing;
        GroupedSum left_sum(source_, left_ != nullptr ? left_->values : nothing);
        source_.visit(content_, [&](const RowBlock& block) {
            run.monitor->stop_if_interrupted();
            const Index slabs = Blocks{block.count, matrix_.slab_rows}.count();
            const Index tasks = slabs * tasks_across_.count();
            for (Index first = 0; first < tasks; first += wave) {
                // Ranks that share the rows ask each other once a block.
                if (first > 0 && source_.share().ranks == 1) run.monitor->stop_if_interrupted();
                const Index count = std::min(wave, tasks - first);
                parallel_blocks(count, threads,
                                [&](Index i) { work_on(block, first + i, sums(i)); });
                for (Index i = 0; i < count; ++i) combine(block, first + i, sums(i), left_sum);
            }
            share(block, left_sum);
        });
    }

  private:
    using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
    // What a task writes, and its work space.
    struct Sums {
        MatrixXd right; // slab rows x C
        Matrix left;    // columns of the task (padded) x C
        Matrix weights; // KR(left) of the slab: for each eight rows, 8 x C
        Matrix copied;  // eight rows that cannot be read in place
    };
    struct Task {
        Index first_row, rows; // in the block
        Index first_column, columns;
    };

    [[nodiscard]] Sums& sums(Index i) { return sums_[static_cast<std::size_t>(i)]; }
    [[nodiscard]] Task task(const RowBlock& block, Index number) const {
        const Blocks slabs{block.count, matrix_.slab_rows};
        const Index slab = number / tasks_across_.count(), part = number % tasks_across_.count();
        return {slabs.begin(slab), slabs.extent(slab), tasks_across_.begin(part),
                tasks_across_.extent(part)};
    }

    // As many as their sums' memory allows: few waits of threads for each other.
    [[nodiscard]] Index tasks_at_once(int threads) const {
        const Index numbers =
            columns_ * (std::min(matrix_.columns, kTaskColumns) + 2 * matrix_.slab_rows);
        const Index all = kSumNumbers / numbers;
        return std::clamp(all, Index{2} * threads, Index{64} * threads);
    }

    void prepare_right() {
        const Index padded = rounded_up(matrix_.columns, kLanes<Scalar>);
        factor_.setZero(padded, columns_);
        for (Index c = 0; c < columns_; ++c)
            factor_.col(c).head(matrix_.columns) =
                product_column(factors_, {matrix_.left_modes, source_.order()}, c)
                    .template cast<Scalar>();
        right_->rows = matrix_.rows;
        right_->values.resize(rounded_up(matrix_.rows, kRows), columns_);
        right_->outer.resize(0, 0);
    }

    void prepare_left() {
        left_->rows = matrix_.columns;
        left_->values.setZero(matrix_.columns, columns_);
        left_->outer.resize(0, 0);
        last_left_ = factor_of(factors_, matrix_.left_modes - 1).transpose();
    }

    // KR(left) for `rows` rows from `first` on, grouped by eight; absent rows are 0.
    void fill_weights(Index first, Index rows, Matrix& weights) const {
        weights.resize(kRows, rounded_up(rows, kRows) / kRows * columns_);
        if (rows % kRows != 0) weights.rightCols(columns_).setZero();
        const Index length = last_left_.cols();
        VectorXd outer(columns_);
        for (Index row = 0; row < rows; ++row) {
            const Index inner = (first + row) % length;
            if (row == 0 || inner == 0) outer_product((first + row) / length, outer);
            Scalar* to = weights.data() + row / kRows * kRows * columns_ + row % kRows;
            const double* x = last_left_.data() + inner * columns_;
            for (Index c = 0; c < columns_; ++c)
                to[c * kRows] = static_cast<Scalar>(outer(c) * x[c]);
        }
    }

    // The product of the left modes but the last at one index tuple.
    void outer_product(Index tuple, VectorXd& product) const {
        product.setOnes();
        for (Index mode = matrix_.left_modes - 1; mode-- > 0;) {
            const MatrixXd& x = factor_of(factors_, mode);
            product.array() *= x.row(tuple % x.rows()).transpose().array();
            tuple /= x.rows();
        }
    }

    void work_on(const RowBlock& block, Index number, Sums& sums) {
        const Task part = task(block, number);
        const Index padded = rounded_up(part.columns, kLanes<Scalar>);
        if (left_ != nullptr) {
            sums.left.setZero(padded, columns_);
            fill_weights(block.first + part.first_row, part.rows, sums.weights);
        }
        const auto [right, right_stride] = right_sums(block, part, sums);
        const Blocks blocks = even_blocks(part.columns);
        for (Index i = 0; i < blocks.count(); ++i) {
            const Index column = part.first_column + blocks.begin(i);
            for (Index row = 0; row < part.rows; row += kRows) {
                const auto rows =
                    eight_rows(block, part.first_row + row, std::min<Index>(kRows, part.rows - row),
                               column, blocks.extent(i), sums.copied);
                if (right != nullptr)
                    row_products::times_right(rows, factor_.data() + column, factor_.rows(),
                                              columns_, right + row, right_stride, i > 0);
                if (left_ == nullptr) continue;
                const Scalar* weights = sums.weights.data() + row * columns_;
                Scalar* to = sums.left.data() + blocks.begin(i);
                if (right != nullptr)
                    row_products::times_left(rows, weights, columns_, to, padded);
                else
                    row_products::times_left<Scalar, true>(rows, weights, columns_, to, padded);
            }
        }
    }

    // Where a task writes its part of Y KR(right), and the distance of its columns. Where one task
    // has whole rows, its sums need no combining.
    [[nodiscard]] std::pair<double*, Index> right_sums(const RowBlock& block, const Task& part,
                                                       Sums& sums) {
        if (right_ == nullptr) return {nullptr, 0};
        if (tasks_across_.count() == 1)
            return {right_->values.data() + block.first + part.first_row, right_->values.rows()};
        sums.right.resize(matrix_.slab_rows, columns_);
        return {sums.right.data(), sums.right.rows()};
    }

    // Blocks of like size.
    [[nodiscard]] static Blocks even_blocks(Index columns) {
        const Index count = Blocks{columns, kBlockColumns<Scalar>}.count();
        return {columns, rounded_up((columns + count - 1) / count, kLanes<Scalar>)};
    }

    // Eight rows of the block in place, or copied where there are fewer than eight, where reading
    // whole vectors would leave the block, or where they are flags.
    [[nodiscard]] row_products::Rows<Scalar> eight_rows(const RowBlock& block, Index row,
                                                        Index count, Index column, Index width,
                                                        Matrix& copied) const {
        const Index vectors = (width + kLanes<Scalar> - 1) / kLanes<Scalar>;
        const Index padded = vectors * kLanes<Scalar>;
        const Index begin = row * matrix_.columns + column;
        const bool inside =
            begin + (kRows - 1) * matrix_.columns + padded <= block.count * matrix_.columns;
        if (content_ == Content::values && count == kRows && inside)
            return {block.values<Scalar>() + begin, matrix_.columns, vectors};
        copied.setZero(padded, kRows);
        for (Index i = 0; i < count; ++i)
            for (Index j = 0; j < width; ++j) {
                const Index entry = begin + i * matrix_.columns + j;
                copied(j, i) = content_ == Content::values
                                   ? block.values<Scalar>()[entry]
                                   : static_cast<Scalar>(block.observed[entry]);
            }
        return {copied.data(), copied.rows(), vectors};
    }

    void share(const RowBlock& block, GroupedSum& left_sum) {
        if (right_ == nullptr) {
            left_sum.share(block);
            return;
        }
        MatrixXd& values = right_->values;
        const PlacedRows rows(values.data(), matrix_.rows, columns_, {values.rows(), 1});
        left_sum.share(block, &rows);
    }

    void combine(const RowBlock& block, Index number, const Sums& sums, GroupedSum& left_sum) {
        const Task part = task(block, number);
        if (right_ != nullptr && tasks_across_.count() > 1) {
            auto to = right_->values.middleRows(block.first + part.first_row, part.rows);
            if (part.first_column == 0)
                to = sums.right.topRows(part.rows);
            else
                to += sums.right.topRows(part.rows);
        }
        if (left_ != nullptr)
            left_sum.add((block.first + part.first_row) / matrix_.slab_rows, part.first_column,
                         sums.left.topRows(part.columns).template cast<double>());
    }

    const TensorSource& source_;
    const Unfolding matrix_;
    Content content_;
    const Factors& factors_;
    Index columns_;
    PartialProduct* right_;
    PartialProduct* left_;
    Blocks tasks_across_;
    Matrix factor_;      // KR(right), columns of Y (padded with zeros) x C
    MatrixXd last_left_; // the last left mode's factor, C x N
    std::vector<Sums> sums_;
};

// The partial products of a tensor of ones: KR summed over the other group.
void ones_partial(const Factors& factors, ModeGroup summed, Index rows, PartialProduct& partial) {
    Eigen::RowVectorXd total = Eigen::RowVectorXd::Ones(factors.front().cols());
    for (Index mode = summed.first; mode < summed.last; ++mode)
        total.array() *= factor_of(factors, mode).colwise().sum().array();
    partial.rows = rows;
    partial.values = total.replicate(rows, 1);
    partial.outer.resize(0, 0);
}

} // namespace

struct SweepKernel::State {
    const TensorSource& source;
    Content content;
    PartialProduct right, left;

    [[nodiscard]] ModeGroup left_group() const { return {0, source.unfolded().left_modes}; }
    [[nodiscard]] ModeGroup right_group() const {
        return {source.unfolded().left_modes, source.order()};
    }

    void check(const Factors& factors) const {
        bool fits = static_cast<Index>(factors.size()) == source.order();
        for (std::size_t a = 0; fits && a < factors.size(); ++a)
            fits = factors[a].rows() == source.shape()[a] &&
                   factors[a].cols() == factors.front().cols();
        if (!fits) throw Error("the factors do not have the tensor's shape");
    }

    void pass(const Factors& factors, bool want_right, bool want_left, const Execution& run) {
        check(factors);
        if (content == Content::observed && !source.masked()) {
            if (want_right) ones_partial(factors, right_group(), source.unfolded().rows, right);
            if (want_left) ones_partial(factors, left_group(), source.unfolded().columns, left);
        } else if (source.storage() == Storage::float32) {
            Pass<float>(source, content, factors, want_right ? &right : nullptr,
                        want_left ? &left : nullptr)
                .run(run);
        } else {
            Pass<double>(source, content, factors, want_right ? &right : nullptr,
                         want_left ? &left : nullptr)
                .run(run);
        }
    }
};

SweepKernel::SweepKernel(const TensorSource& source, Content content)
    : state_(new State{source, content, {}, {}}) {}
SweepKernel::~SweepKernel() = default;
SweepKernel::SweepKernel(SweepKernel&&) noexcept = default;
SweepKernel& SweepKernel::operator=(SweepKernel&&) noexcept = default;

Index SweepKernel::split() const {
    return state_->source.unfolded().left_modes;
}

void SweepKernel::right_partial(const Factors& factors, const Execution& run) {
    state_->pass(factors, true, false, run);
}

void SweepKernel::left_partial(const Factors& factors, const Execution& run) {
    state_->pass(factors, false, true, run);
}

MatrixXd SweepKernel::contract(Index mode, const Factors& factors, const Execution& run) {
    state_->check(factors);
    const bool of_left_group = mode < split();
    PartialProduct& partial = of_left_group ? state_->right : state_->left;
    if (partial.rows == 0 || partial.values.cols() != factors.front().cols())
        throw std::logic_error("MTTKRP: no partial product of so many columns was formed");
    return contract_partial(partial, factors,
                            of_left_group ? state_->left_group() : state_->right_group(), mode,
                            threads_worth(static_cast<double>(partial.values.size()), run));
}

MatrixXd SweepKernel::in_sweep(Index mode, const Factors& factors, const Execution& run) {
    if (mode == 0) right_partial(factors, run);
    if (mode == split()) left_partial(factors, run);
    return contract(mode, factors, run);
}

std::vector<MatrixXd> SweepKernel::all_modes(const Factors& factors, const Execution& run) {
    state_->pass(factors, true, true, run);
    std::vector<MatrixXd> results;
    for (Index mode = 0; mode < state_->source.order(); ++mode)
        results.push_back(contract(mode, factors, run));
    return results;
}

MatrixXd mttkrp(const TensorSource& source, Index mode, const Factors& factors,
                const Execution& run, Content content) {
    SweepKernel kernel(source, content);
    if (mode < kernel.split())
        kernel.right_partial(factors, run);
    else
        kernel.left_partial(factors, run);
    return kernel.contract(mode, factors, run);
}

std::vector<VectorXd> observed_counts(const TensorSource& source, const Execution& run) {
    Factors ones;
    for (const Index length : source.shape()) ones.emplace_back(MatrixXd::Ones(length, 1));
    std::vector<VectorXd> counts;
    for (const MatrixXd& column : SweepKernel(source, Content::observed).all_modes(ones, run))
        counts.emplace_back(column.col(0));
    return counts;
}

} // namespace assay::tensor_amp
