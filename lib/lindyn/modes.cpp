#include <assay/lindyn/modes.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/dense_operator.hpp>

#include <algorithm>
#include <type_traits>

namespace assay::lindyn {
namespace {

constexpr double kNegligible = 1e-12;          // singular values below this share are rounding
constexpr double kFine = 1e-10, kRough = 1e-5; // residuals of streamed triplets, by precision
constexpr double kWide = 1e-4;                 // residual of the widest input direction
constexpr Index kTile = 256;                   // rows or columns of one product

void check_count(Index count, Index all) {
    if (count > all) throw Error(concat("--modes ", count, ": there are ", all, " modes"));
}

linalg::Svd decompose(const Matrix& syx, Index count) {
    const Index all = std::min(syx.rows(), syx.cols());
    check_count(count, all);
    const bool few = count > 0 && 4 * count <= all && all > 100;
    if (few) return linalg::leading_svd(dense_operator(syx), count, 0);
    linalg::Svd svd = linalg::thin_svd(syx);
    if (count > 0) {
        svd.u.conservativeResize(Eigen::NoChange, count);
        svd.v.conservativeResize(Eigen::NoChange, count);
        svd.s.conservativeResize(count);
    }
    return svd;
}

Vector residuals(const linalg::LinearOperator& syx, const linalg::Svd& svd) {
    const Matrix forth = syx.apply(svd.v) - svd.u * svd.s.asDiagonal(),
                 back = syx.apply_transpose(svd.u) - svd.v * svd.s.asDiagonal();
    return forth.colwise().norm().cwiseMax(back.colwise().norm()).transpose();
}

// `variance` d of each v.
Modes modes_of(linalg::Svd svd, const linalg::LinearOperator& syx, Vector variance,
               double output_power, linalg::Eigenvalue widest, double degeneracy) {
    if (!(svd.s(0) > 0)) throw Error("inputs and targets are uncorrelated: no mode");
    Modes modes;
    modes.residual = residuals(syx, svd);
    modes.s = std::move(svd.s);
    modes.u = std::move(svd.u);
    modes.v = std::move(svd.v);
    modes.input_variance = std::move(variance);
    modes.asymptote.resize(modes.count());
    for (Index a = 0; a < modes.count(); ++a)
        modes.asymptote(a) = modes.s(a) > kNegligible * modes.s(0) && modes.input_variance(a) > 0
                                 ? modes.s(a) / modes.input_variance(a)
                                 : 0.0;
    modes.group = group_equal(modes.s, degeneracy);
    modes.output_power = output_power;
    modes.widest = widest;
    return modes;
}

linalg::Eigenvalue widest_input(const Statistics& statistics) {
    if (statistics.has_scalar_inputs()) return {statistics.input_scale, 0};
    const auto product = [&](const Matrix& block) { return statistics.input_product(block); };
    return linalg::largest_eigenvalue(statistics.inputs(), product, kWide);
}

Modes modes_of(const Statistics& statistics, const ModeOptions& options) {
    linalg::Svd svd = decompose(statistics.syx, options.count);
    Vector variance =
        svd.v.cwiseProduct(statistics.input_product(svd.v)).colwise().sum().transpose();
    Modes modes = modes_of(std::move(svd), dense_operator(statistics.syx), std::move(variance),
                           statistics.output_power, widest_input(statistics), options.degeneracy);
    modes.power = statistics.syx.squaredNorm();
    return modes;
}

// ---- matrix-free

template <class Scalar>
using RowBlock = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Products of the correlations with blocks of vectors, a pass through the samples each. Tiles of
// rows and columns do not depend on the number of threads.
template <class Scalar>
class StreamedCorrelations {
  public:
    StreamedCorrelations(const SampleSource& source, Normalisation normalisation,
                         BlockPrecision precision, const Execution& run)
        : source_(source), blocks_(sample_blocks(source, precision)),
          divisor_(sample_divisor(source, normalisation)), run_(run) {}

    [[nodiscard]] linalg::LinearOperator op() const {
        const Index width = source_.inputs() == 0 ? source_.samples() : source_.inputs();
        return {source_.outputs(), width, [this](const Matrix& right) { return apply(right); },
                [this](const Matrix& left) { return apply_transpose(left); }};
    }
    // |X v|^2 of each column, over the divisor.
    [[nodiscard]] Vector input_power(const Matrix& v) const {
        if (source_.inputs() == 0) return Vector::Constant(v.cols(), 1 / divisor_);
        Vector power = Vector::Zero(v.cols());
        each_block([&](Index first, Index count) {
            power += seen(inputs(first, count), v.cast<Scalar>())
                         .template cast<double>()
                         .colwise()
                         .squaredNorm()
                         .transpose();
        });
        return power / divisor_;
    }
    // The largest eigenvalue of Sx.
    [[nodiscard]] linalg::Eigenvalue widest_input() const {
        if (source_.inputs() == 0) return {1 / divisor_, 0};
        return linalg::largest_eigenvalue(
            source_.inputs(), [this](const Matrix& right) { return input_product(right); }, kWide);
    }
    [[nodiscard]] double output_power() const {
        double power = 0;
        each_block([&](Index first, Index count) {
            power += targets(first, count).template cast<double>().squaredNorm();
        });
        return power / divisor_;
    }

  private:
    using Block = RowBlock<Scalar>;
    [[nodiscard]] Block inputs(Index first, Index count) const {
        if constexpr (std::is_same_v<Scalar, float>)
            return source_.read_inputs_float(first, count);
        else
            return source_.read_inputs(first, count);
    }
    [[nodiscard]] Block targets(Index first, Index count) const {
        if constexpr (std::is_same_v<Scalar, float>)
            return source_.read_targets_float(first, count);
        else
            return source_.read_targets(first, count);
    }
    template <class Body>
    void each_block(const Body& body) const {
        ++passes_;
        for (Index b = 0; b < blocks_.count(); ++b) {
            run_.monitor->stop_if_interrupted();
            body(blocks_.begin(b), blocks_.extent(b));
            run_.monitor->progress({static_cast<double>(blocks_.begin(b) + blocks_.extent(b)),
                                    static_cast<double>(source_.samples()), "samples",
                                    concat("pass ", passes_)});
        }
    }
    // rows * vectors, in tiles of rows.
    [[nodiscard]] Block seen(const Block& rows, const Block& vectors) const {
        Block product(rows.rows(), vectors.cols());
        const Blocks tiles{rows.rows(), kTile};
        parallel_blocks(tiles.count(), run_.threads, [&](Index t) {
            product.middleRows(tiles.begin(t), tiles.extent(t)).noalias() =
                rows.middleRows(tiles.begin(t), tiles.extent(t)) * vectors;
        });
        return product;
    }
    // sum += rows^T factors, in tiles of the sum's rows.
    void add(const Block& rows, const Block& factors, Matrix& sum) const {
        const Blocks tiles{rows.cols(), kTile};
        parallel_blocks(tiles.count(), run_.threads, [&](Index t) {
            sum.middleRows(tiles.begin(t), tiles.extent(t)) +=
                (rows.middleCols(tiles.begin(t), tiles.extent(t)).transpose() * factors)
                    .eval()
                    .template cast<double>();
        });
    }
    [[nodiscard]] Matrix apply(const Matrix& right) const {
        Matrix sum = Matrix::Zero(source_.outputs(), right.cols());
        each_block([&](Index first, Index count) {
            const Block factors = source_.inputs() == 0
                                      ? Block(right.middleRows(first, count).cast<Scalar>())
                                      : seen(inputs(first, count), right.cast<Scalar>());
            add(targets(first, count), factors, sum);
        });
        return sum / divisor_;
    }
    [[nodiscard]] Matrix input_product(const Matrix& right) const {
        Matrix sum = Matrix::Zero(source_.inputs(), right.cols());
        each_block([&](Index first, Index count) {
            const Block rows = inputs(first, count);
            add(rows, seen(rows, right.cast<Scalar>()), sum);
        });
        return sum / divisor_;
    }
    [[nodiscard]] Matrix apply_transpose(const Matrix& left) const {
        const bool one_hot = source_.inputs() == 0;
        Matrix sum = Matrix::Zero(one_hot ? source_.samples() : source_.inputs(), left.cols());
        each_block([&](Index first, Index count) {
            const Block factors = seen(targets(first, count), left.cast<Scalar>());
            if (one_hot)
                sum.middleRows(first, count) = factors.template cast<double>();
            else
                add(inputs(first, count), factors, sum);
        });
        return sum / divisor_;
    }

    const SampleSource& source_;
    Blocks blocks_;
    double divisor_;
    const Execution& run_;
    mutable Index passes_ = 0; // so far; how many there will be is not known
};

template <class Scalar>
Modes streamed_modes(const SampleSource& source, Normalisation normalisation,
                     const ModeOptions& options, BlockPrecision precision, const Execution& run) {
    const StreamedCorrelations<Scalar> correlations(source, normalisation, precision, run);
    const linalg::LinearOperator op = correlations.op();
    check_count(options.count, std::min(op.rows, op.cols));
    const double power = correlations.output_power();
    if (!(power > 0)) throw Error("all targets are 0; there is nothing to learn");
    linalg::Svd svd =
        linalg::leading_svd(op, options.count, 0, std::is_same_v<Scalar, float> ? kRough : kFine);
    Vector variance = correlations.input_power(svd.v);
    Modes modes = modes_of(std::move(svd), op, std::move(variance), power,
                           correlations.widest_input(), options.degeneracy);
    // Syx of one-hot items is their table over the divisor.
    if (source.inputs() == 0) modes.power = power / sample_divisor(source, normalisation);
    return modes;
}

} // namespace

Index Modes::rank() const {
    return (s.array() > kNegligible * s(0)).count();
}

Modes find_modes(const Statistics& statistics, const ModeOptions& options) {
    Modes modes = modes_of(statistics, options);
    fix_signs(modes.u, modes.v);
    return modes;
}

Modes find_modes(const SampleSource& source, Normalisation normalisation,
                 const ModeOptions& options, BlockPrecision precision, const Execution& run) {
    if (options.count < 1)
        throw Error("correlations that are not formed have their first modes only; --modes K is "
                    "expected");
    Modes modes = precision == BlockPrecision::float32
                      ? streamed_modes<float>(source, normalisation, options, precision, run)
                      : streamed_modes<double>(source, normalisation, options, precision, run);
    fix_signs(modes.u, modes.v);
    return modes;
}

Modes find_modes(const Whitened& whitened, const ModeOptions& options) {
    Modes modes = modes_of(whitened.statistics, options);
    modes.v = whitened.basis * modes.v;
    fix_signs(modes.u, modes.v);
    return modes;
}

Vector strengths(const Modes& modes, const Matrix& map) {
    return modes.u.cwiseProduct(map * modes.v).colwise().sum().transpose();
}

void fix_signs(Matrix& u, Matrix& v) {
    for (Index a = 0; a < v.cols(); ++a) {
        const double largest = v.col(a).cwiseAbs().maxCoeff();
        Index first = 0;
        // Entries equal but for rounding are ties, so that the sign is that of exact arithmetic.
        while (std::abs(v(first, a)) < largest * (1 - 1e-9)) ++first;
        if (v(first, a) < 0) {
            v.col(a) *= -1;
            u.col(a) *= -1;
        }
    }
}

std::vector<std::int32_t> group_equal(const Vector& descending, double degeneracy) {
    std::vector<std::int32_t> group(static_cast<std::size_t>(descending.size()), 0);
    for (Index a = 1; a < descending.size(); ++a) {
        const bool apart = descending(a - 1) - descending(a) > degeneracy * descending(a - 1) &&
                           descending(a - 1) > kNegligible * descending(0);
        group[static_cast<std::size_t>(a)] =
            group[static_cast<std::size_t>(a - 1)] + (apart ? 1 : 0);
    }
    return group;
}

Matrix group_means(const Matrix& by_mode, const std::vector<std::int32_t>& group) {
    const Index groups = group.empty() ? 0 : group.back() + 1;
    Matrix sums = Matrix::Zero(by_mode.rows(), groups);
    Vector members = Vector::Zero(groups);
    for (Index a = 0; a < by_mode.cols(); ++a) {
        const Index g = group[static_cast<std::size_t>(a)];
        sums.col(g) += by_mode.col(a);
        members(g) += 1;
    }
    return sums * members.cwiseInverse().asDiagonal();
}

} // namespace assay::lindyn
