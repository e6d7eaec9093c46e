#include <assay/tensor_amp/diagnostics.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/recording.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace assay::tensor_amp {
namespace {

constexpr double kRankCut = 1e-12; // of the largest singular value
constexpr Index kMostBlocks = 64;

void check_inputs(const Shape& shape, const Factors& factors, const Center& center) {
    bool fits = factors.size() == shape.size();
    for (std::size_t a = 0; fits && a < shape.size(); ++a)
        fits = factors[a].rows() == shape[a] && factors[a].cols() == factors.front().cols();
    if (!fits) throw Error("the factors of the fit do not fit the shape of the data");
    if (center.means.size() == 0) return;
    const bool known = center.mode < static_cast<Index>(shape.size());
    const Index length = known && center.mode >= 0 ? shape[at(center.mode)] : 1;
    if (!known || center.means.size() != length)
        throw Error("the means that were taken off the data do not fit their shape");
}

// Columns of equal norm in all modes, the scale of the model taken in: What = sum prod.
Factors balanced(const Factors& factors, double scale) {
    Factors result = factors;
    const auto order = static_cast<double>(factors.size());
    for (Index rho = 0; rho < factors.front().cols(); ++rho) {
        double weight = scale;
        for (const MatrixXd& factor : factors) weight *= factor.col(rho).stableNorm();
        for (MatrixXd& factor : result) {
            if (weight > 0)
                factor.col(rho) *= std::pow(weight, 1 / order) / factor.col(rho).stableNorm();
            else
                factor.col(rho).setZero();
        }
    }
    return result;
}

MatrixXd pseudo_inverse(const MatrixXd& matrix) {
    const linalg::Svd svd = linalg::thin_svd(matrix);
    const double cut = kRankCut * svd.s(0);
    const VectorXd inverse =
        svd.s.unaryExpr([&](double s) { return s > cut && s > 0 ? 1 / s : 0.0; });
    return svd.v * inverse.asDiagonal() * svd.u.transpose();
}

// Sums over entries, of a block or of all.
struct Sums {
    double residual = 0, total = 0, square = 0, count = 0; // total and square about the shift
    double least = std::numeric_limits<double>::infinity(), most = -least;
    std::vector<VectorXd> residual_by, total_by, square_by, count_by; // by slices of each mode
    VectorXd core;                                                    // r^p, C order

    Sums& operator+=(const Sums& other) {
        if (other.residual_by.empty()) return *this;
        if (residual_by.empty()) return *this = other;
        residual += other.residual;
        total += other.total;
        square += other.square;
        count += other.count;
        least = std::min(least, other.least);
        most = std::max(most, other.most);
        for (std::size_t a = 0; a < residual_by.size(); ++a) {
            residual_by[a] += other.residual_by[a];
            total_by[a] += other.total_by[a];
            square_by[a] += other.square_by[a];
            count_by[a] += other.count_by[a];
        }
        core += other.core;
        return *this;
    }
};

// Entries of consecutive slices of the first mode; `observed` null where all are.
template <class Scalar>
struct EntrySlab {
    const Scalar* values;
    const std::uint8_t* observed;
    Index first, count;
};

// The pass over the data, one slice of the first mode after another.
class ResidualPass {
  public:
    ResidualPass(const Shape& shape, const Factors& factors, const Center& center,
                 const DiagnosisSettings& settings)
        : shape_(shape), factors_(balanced(factors, signal_scale(shape))), center_(center),
          settings_(settings) {
        const auto rank = static_cast<double>(factors.front().cols());
        if (settings.core_consistency && std::pow(rank, shape.size()) <= kLargestCore)
            for (const MatrixXd& factor : factors_) inverses_.push_back(pseudo_inverse(factor));
        columns_ = shape.back();
        for (std::size_t a = 1; a + 1 < shape.size(); ++a) rows_ *= shape[a];
        // Products of the middle modes' rows, the same for every slice of the first mode.
        middle_ = MatrixXd::Ones(rows_, factors_.front().cols());
        for (Index row = 0; row < rows_; ++row) {
            Index rest = row;
            for (auto factor = factors_.rbegin() + 1; factor != factors_.rend() - 1; ++factor) {
                middle_.row(row).array() *= factor->row(rest % factor->rows()).array();
                rest /= factor->rows();
            }
        }
    }

    // Slices to be taken together, by the shape alone: slabs begin at multiples of it.
    [[nodiscard]] Index slices_together() const {
        return (shape_.front() + kMostBlocks - 1) / kMostBlocks;
    }

    // Entries of one slice, and of all.
    [[nodiscard]] Index slice_size() const { return rows_ * columns_; }
    [[nodiscard]] Index size() const { return slice_size() * shape_.front(); }

    // Slabs in ascending order, the first from slice 0.
    template <class Scalar>
    void add(const EntrySlab<Scalar>& slab, const Execution& run) {
        const Blocks blocks{slab.count, slices_together()};
        if (slab.first == 0) choose_shift(slab, blocks.extent(0));
        std::vector<Sums> parts(at(blocks.count()));
        run.monitor->stop_if_interrupted();
        parallel_blocks(blocks.count(), run.threads, [&](Index block) {
            const Index skipped = blocks.begin(block) * slice_size();
            parts[at(block)] = of_slices(EntrySlab<Scalar>{
                slab.values + skipped, slab.observed == nullptr ? nullptr : slab.observed + skipped,
                slab.first + blocks.begin(block), blocks.extent(block)});
        });
        for (const Sums& part : parts) sums_ += part;
    }

    [[nodiscard]] Diagnosis result() const;

  private:
    // One of the first values: sums about it lose no digits to a large mean.
    template <class Scalar>
    void choose_shift(const EntrySlab<Scalar>& slab, Index slices) {
        if (settings_.symmetric) return; // the first entry repeats an index: it says nothing
        for (Index i = 0; i < slices * slice_size(); ++i)
            if (slab.observed == nullptr || slab.observed[i] != 0) {
                shift_ = static_cast<double>(slab.values[i]);
                return;
            }
    }

    template <class Scalar>
    [[nodiscard]] Sums of_slices(const EntrySlab<Scalar>& slab) const {
        Sums sums = empty_sums();
        const Index size = slice_size();
        for (Index i = 0; i < slab.count; ++i) {
            const RowMatrix residual = add_residuals(
                EntrySlab<Scalar>{slab.values + i * size,
                                  slab.observed == nullptr ? nullptr : slab.observed + i * size,
                                  slab.first + i, 1},
                sums);
            if (!inverses_.empty()) add_core(slab.first + i, residual, sums);
        }
        return sums;
    }

    [[nodiscard]] Sums empty_sums() const {
        Sums sums;
        for (const Index length : shape_)
            for (auto* const part :
                 {&sums.residual_by, &sums.total_by, &sums.square_by, &sums.count_by})
                part->emplace_back(VectorXd::Zero(length));
        if (!inverses_.empty()) {
            Index size = 1;
            for (const MatrixXd& inverse : inverses_) size *= inverse.rows();
            sums.core = VectorXd::Zero(size);
        }
        return sums;
    }

    // What was taken off entry `column` of the row at `index`.
    [[nodiscard]] double mean_at(const std::vector<Index>& index, Index column) const {
        if (center_.means.size() == 0) return 0;
        if (center_.mode < 0) return center_.means(0);
        return center_.means(at(center_.mode) + 1 == shape_.size() ? column
                                                                   : index[at(center_.mode)]);
    }

    // Whether entry `column` of the row at `index` belongs to the data.
    [[nodiscard]] bool counts(const std::vector<Index>& index, Index column) const {
        if (!settings_.symmetric) return true;
        for (std::size_t a = 0; a < index.size(); ++a)
            if (index[a] == column ||
                std::find(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(a),
                          index[a]) != index.begin() + static_cast<std::ptrdiff_t>(a))
                return false;
        return true;
    }

    // The residual of one slice of the first mode (rows: middle modes, columns: the last), 0 where
    // nothing was observed.
    template <class Scalar>
    RowMatrix add_residuals(const EntrySlab<Scalar>& slice, Sums& sums) const {
        const MatrixXd left = middle_.array().rowwise() * factors_.front().row(slice.first).array();
        RowMatrix residual = -left * factors_.back().transpose();
        const std::size_t last = shape_.size() - 1;
        std::vector<Index> index(last, 0);
        index[0] = slice.first;
        for (Index row = 0; row < rows_; ++row) {
            Index rest = row;
            for (std::size_t a = last; a-- > 1;) {
                index[a] = rest % shape_[a];
                rest /= shape_[a];
            }
            double square = 0, total = 0, data = 0, count = 0;
            for (Index k = 0; k < columns_; ++k) {
                const Index flat = row * columns_ + k;
                if ((slice.observed != nullptr && slice.observed[flat] == 0) || !counts(index, k)) {
                    residual(row, k) = 0;
                    continue;
                }
                const double value = static_cast<double>(slice.values[flat]) - mean_at(index, k);
                const double y = value - shift_;
                const double r = residual(row, k) += value;
                sums.least = std::min(sums.least, value);
                sums.most = std::max(sums.most, value);
                square += r * r;
                total += y;
                data += y * y;
                ++count;
                sums.residual_by[last](k) += r * r;
                sums.total_by[last](k) += y;
                sums.square_by[last](k) += y * y;
                sums.count_by[last](k) += 1;
            }
            for (std::size_t a = 0; a < last; ++a) {
                sums.residual_by[a](index[a]) += square;
                sums.total_by[a](index[a]) += total;
                sums.square_by[a](index[a]) += data;
                sums.count_by[a](index[a]) += count;
            }
            sums.residual += square;
            sums.total += total;
            sums.square += data;
            sums.count += count;
        }
        return residual;
    }

    // Adds slice i's part of residual x_1 X_1^+ ... x_p X_p^+, mode after mode from the last.
    void add_core(Index i, const RowMatrix& residual, Sums& sums) const {
        RowMatrix seen = residual * inverses_.back().transpose(); // rows x r
        for (std::size_t a = inverses_.size() - 1; a-- > 1;) {
            const Index length = shape_[a], outer = seen.rows() / length,
                        rank = inverses_[a].rows(), inner = seen.cols();
            RowMatrix next(outer, rank * inner);
            for (Index o = 0; o < outer; ++o)
                Eigen::Map<RowMatrix>(next.data() + o * rank * inner, rank, inner).noalias() =
                    inverses_[a] *
                    Eigen::Map<const RowMatrix>(seen.data() + o * length * inner, length, inner);
            seen = std::move(next);
        }
        const MatrixXd& first = inverses_.front();
        Eigen::Map<RowMatrix>(sums.core.data(), first.rows(), seen.size()).noalias() +=
            first.col(i) * Eigen::Map<const Eigen::RowVectorXd>(seen.data(), seen.size());
    }

    Shape shape_;
    Factors factors_; // balanced
    Center center_;
    DiagnosisSettings settings_;
    std::vector<MatrixXd> inverses_; // empty where there is no core, or it is too large
    Index columns_ = 1, rows_ = 1;
    double shift_ = 0;
    MatrixXd middle_;
    Sums sums_;
};

// Adds sum_rho prod_a column rho of matrix a, times `factor`, to a core in C order.
void add_outer(const std::vector<MatrixXd>& matrices, double factor, VectorXd& core) {
    for (Index rho = 0; rho < matrices.front().cols(); ++rho) {
        VectorXd product = VectorXd::Constant(1, factor);
        for (const MatrixXd& matrix : matrices) {
            const RowMatrix next = product * matrix.col(rho).transpose();
            product = Eigen::Map<const VectorXd>(next.data(), next.size());
        }
        core += product;
    }
}

double core_consistency(VectorXd core, const Factors& factors,
                        const std::vector<MatrixXd>& inverses) {
    std::vector<MatrixXd> seen, identity;
    for (std::size_t a = 0; a < factors.size(); ++a) {
        seen.emplace_back(inverses[a] * factors[a]);
        identity.emplace_back(MatrixXd::Identity(inverses[a].rows(), inverses[a].rows()));
    }
    add_outer(seen, 1, core);
    add_outer(identity, -1, core);
    return 100 * (1 - core.squaredNorm() / static_cast<double>(factors.front().cols()));
}

VectorXd shares(const Factors& factors) {
    const MatrixXd product = hadamard_except(gram_matrices(factors), {});
    const double total = product.sum();
    return total > 0 ? VectorXd(product.rowwise().sum() / total) : VectorXd::Zero(product.rows());
}

SliceResiduals slices_of(const Sums& sums, std::size_t mode, double mean) {
    SliceResiduals slices;
    slices.count = sums.count_by[mode];
    const auto count = slices.count.array();
    slices.variance = sums.residual_by[mode].array() / count; // 0 / 0 is NaN
    slices.data =
        ((sums.square_by[mode] - 2 * mean * sums.total_by[mode]).array() / count + mean * mean)
            .max(0.0);
    return slices;
}

// Hands the pass whole groups of slices, of blocks that end anywhere.
template <class Scalar>
class GroupGatherer {
  public:
    GroupGatherer(ResidualPass& pass, const Execution& run)
        : pass_(&pass), run_(&run), group_(pass.slices_together() * pass.slice_size()) {}

    void add(const Scalar* values, const std::uint8_t* observed, Index count) {
        if (!values_.empty()) { // what the last block left
            const Index taken = std::min(count, group_ - static_cast<Index>(values_.size()));
            keep(values, observed, taken);
            values += taken;
            if (observed != nullptr) observed += taken;
            count -= taken;
            if (static_cast<Index>(values_.size()) == group_ || at_end(0)) {
                hand_over(values_.data(), observed_.empty() ? nullptr : observed_.data(),
                          static_cast<Index>(values_.size()));
                values_.clear();
                observed_.clear();
            }
        }
        const Index whole = at_end(count) ? count : count / group_ * group_;
        if (whole > 0) hand_over(values, observed, whole);
        keep(values + whole, observed == nullptr ? nullptr : observed + whole, count - whole);
    }

  private:
    // Whether with `count` more entries all are there.
    [[nodiscard]] bool at_end(Index count) const {
        return done_ + static_cast<Index>(values_.size()) + count == pass_->size();
    }
    void keep(const Scalar* values, const std::uint8_t* observed, Index count) {
        values_.insert(values_.end(), values, values + count);
        if (observed != nullptr) observed_.insert(observed_.end(), observed, observed + count);
    }
    void hand_over(const Scalar* values, const std::uint8_t* observed, Index count) {
        const Index slice = pass_->slice_size();
        pass_->add(EntrySlab<Scalar>{values, observed, done_ / slice, count / slice}, *run_);
        done_ += count;
    }

    ResidualPass* pass_;
    const Execution* run_;
    Index group_, done_ = 0; // entries
    std::vector<Scalar> values_;
    std::vector<std::uint8_t> observed_;
};

Diagnosis ResidualPass::result() const {
    if (!(sums_.count > 0)) throw Error("nothing of the data is observed");
    Diagnosis result;
    const double mean = sums_.total / sums_.count; // about the shift
    const double spread = std::max(0.0, sums_.square - sums_.total * mean);
    result.constant = sums_.least == sums_.most;
    result.observed = sums_.count;
    result.explained_variance = result.constant ? 0 : 1 - sums_.residual / spread;
    result.residual_variance = sums_.residual / sums_.count;
    result.share = shares(factors_);
    for (std::size_t a = 0; a < shape_.size(); ++a)
        result.slices.push_back(slices_of(sums_, a, mean));
    if (!inverses_.empty())
        result.core_consistency = core_consistency(sums_.core, factors_, inverses_);
    return result;
}

} // namespace

Diagnosis diagnose(const DenseTensor& tensor, const Factors& factors, const Execution& run,
                   const Center& center, const DiagnosisSettings& settings) {
    check_inputs(tensor.shape, factors, center);
    ResidualPass pass(tensor.shape, factors, center, settings);
    pass.add(EntrySlab<double>{tensor.values.data(),
                               tensor.observed.empty() ? nullptr : tensor.observed.data(), 0,
                               tensor.shape.front()},
             run);
    return pass.result();
}

Diagnosis diagnose(const TensorSource& source, const Factors& factors, const Execution& run,
                   const Center& center, const DiagnosisSettings& settings) {
    check_inputs(source.shape(), factors, center);
    if (source.share().ranks > 1) throw std::logic_error("diagnose: ranks share the tensor");
    const Phase phase(*run.monitor, "residuals");
    ResidualPass pass(source.shape(), factors, center, settings);
    GroupGatherer<float> floats(pass, run);
    GroupGatherer<double> doubles(pass, run);
    source.visit(Content::values, [&](const RowBlock& block) {
        const Index entries = block.count * source.unfolded().columns;
        if (source.storage() == Storage::float32)
            floats.add(block.floats, block.observed, entries);
        else
            doubles.add(block.doubles, block.observed, entries);
        run.monitor->progress({static_cast<double>(block.first + block.count),
                               static_cast<double>(source.unfolded().rows), "rows", ""});
    });
    return pass.result();
}

namespace {

bool repeats_an_index(Index entry, const Shape& shape) {
    std::array<Index, 8> index{};
    auto* end = index.begin();
    for (std::size_t a = shape.size(); a-- > 0; entry /= shape[a]) {
        const Index here = entry % shape[a];
        if (std::find(index.begin(), end, here) != end) return true;
        *end++ = here;
    }
    return false;
}

// Rows first .. first + count - 1 of the Khatri-Rao product of modes begin .. end - 1.
MatrixXd product_rows(const Factors& factors, Index begin, Index end, Index first, Index count) {
    MatrixXd rows = MatrixXd::Ones(count, factors.front().cols());
    for (Index row = 0; row < count; ++row)
        for (Index a = end, rest = first + row; a-- > begin;) {
            const MatrixXd& factor = factors[at(a)];
            rows.row(row).array() *= factor.row(rest % factor.rows()).array();
            rest /= factor.rows();
        }
    return rows;
}

// Of the entries of some rows: squared residuals, their sum and squares about a shift, their
// number.
class ResidualSums {
  public:
    ResidualSums(const TensorSource& source, const Factors& factors, bool symmetric)
        : source_(source), matrix_(source.unfolded()), symmetric_(symmetric),
          factors_(balanced(factors, signal_scale(source.shape()))),
          right_(product_rows(factors_, matrix_.left_modes, source.order(), 0, matrix_.columns)) {}

    // The first value that was observed in the first slab, of the rank that has it: sums about it
    // lose no digits to a large mean.
    void choose_shift(const RowBlock& block) {
        if (chosen_) return;
        chosen_ = true;
        bool found = false;
        if (block.first == 0 && block.count > 0)
            for_each_observed(slab_of(block, 0, matrix_), matrix_.columns,
                              [&](Index entry, double y) {
                                  if (found || !counts(entry)) return;
                                  shift_ = y;
                                  found = true;
                              });
        if (source_.share().ranks > 1) ranks::exchange({{&shift_, sizeof shift_, 0}});
    }

    void add(const RowBlock& slab, MatrixXd& sums) const {
        // Rows whose fitted values exist at a time.
        const Index together = std::clamp<Index>((Index{1} << 18U) / matrix_.columns, 1, 32);
        const Blocks pieces{slab.count, together};
        for (Index piece = 0; piece < pieces.count(); ++piece) {
            RowBlock rows = slab_of(slab, piece, {1, 0, matrix_.columns, together, 1});
            const RowMatrix fitted =
                product_rows(factors_, 0, matrix_.left_modes, rows.first, rows.count) *
                right_.transpose();
            const Index first = rows.first * matrix_.columns;
            for_each_observed(rows, matrix_.columns, [&](Index entry, double value) {
                if (!counts(entry)) return;
                const double residual = value - fitted.data()[entry - first], y = value - shift_;
                sums(0) += residual * residual;
                sums(1) += y;
                sums(2) += y * y;
                ++sums(3);
            });
        }
    }

  private:
    [[nodiscard]] bool counts(Index entry) const {
        return !symmetric_ || !repeats_an_index(entry, source_.shape());
    }

    const TensorSource& source_;
    const Unfolding& matrix_;
    bool symmetric_, chosen_ = false;
    Factors factors_;
    MatrixXd right_;
    double shift_ = 0;
};

} // namespace

double explained_variance(const TensorSource& source, const Factors& factors, const Execution& run,
                          bool symmetric) {
    check_inputs(source.shape(), factors, {});
    const Phase phase(*run.monitor, "residuals");
    ResidualSums residuals(source, factors, symmetric);
    const MatrixXd sums = sum_over_slabs(
        source, 4, 1, run, [&](const RowBlock& slab, MatrixXd& part) { residuals.add(slab, part); },
        [&](const RowBlock& block) { residuals.choose_shift(block); });
    if (!(sums(3) > 0)) throw Error("nothing of the data is observed");
    const double spread = sums(2) - sums(1) * (sums(1) / sums(3));
    // All values are equal: what is left is rounding.
    constexpr double rounding = 1e-14;
    return spread > rounding * sums(2) ? 1 - sums(0) / spread : 0;
}

} // namespace assay::tensor_amp
