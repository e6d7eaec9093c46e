#include <assay/lindyn/statistics.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace assay::lindyn {
namespace {

constexpr double kBlockBytes = double{1 << 23};
constexpr Index kTileColumns = 256; // columns of one product
constexpr double kWhite = 1e-8;     // departure from white that is rounding
constexpr double kDropped = 1e-10;  // eigenvalues of Sx below this share are no direction
constexpr double kSymmetric = 1e-8; // relative asymmetry of a given Sx that is rounding
constexpr double kNegative = 1e-10; // relative negative eigenvalue that is rounding

template <class Scalar>
using BlockRows = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Scalar>
BlockRows<Scalar> read_block(const SampleSource& source, bool targets, Index first, Index count) {
    if constexpr (std::is_same_v<Scalar, float>)
        return targets ? source.read_targets_float(first, count)
                       : source.read_inputs_float(first, count);
    else
        return targets ? source.read_targets(first, count) : source.read_inputs(first, count);
}

// sum += left^T right.
template <class Left, class Right, class Sum>
void add_transposed(const Left& left, const Right& right, Sum&& sum) {
    if constexpr (std::is_same_v<typename Left::Scalar, float>)
        sum += (left.transpose() * right).eval().template cast<double>();
    else
        sum.noalias() += left.transpose() * right;
}

// sum += left^T right, in tiles of columns that do not depend on the number of threads.
template <class Scalar>
void add_product(const BlockRows<Scalar>& left, const BlockRows<Scalar>& right, Matrix& sum,
                 int threads) {
    const Blocks tiles{right.cols(), kTileColumns};
    parallel_blocks(tiles.count(), threads, [&](Index t) {
        add_transposed(left, right.middleCols(tiles.begin(t), tiles.extent(t)),
                       sum.middleCols(tiles.begin(t), tiles.extent(t)));
    });
}

// The same for left = right, upper triangle of tiles only.
template <class Scalar>
void add_square(const BlockRows<Scalar>& rows, Matrix& sum, int threads) {
    const Blocks tiles{rows.cols(), kTileColumns};
    parallel_blocks(tiles.count(), threads, [&](Index t) {
        const Index end = tiles.begin(t) + tiles.extent(t);
        add_transposed(rows.leftCols(end), rows.middleCols(tiles.begin(t), tiles.extent(t)),
                       sum.block(0, tiles.begin(t), end, tiles.extent(t)));
    });
}

// All samples into sums that are zero; returns sum |y|^2.
template <class Scalar>
double sum_samples(const SampleSource& source, const Blocks& blocks, Statistics& s,
                   const Execution& run) {
    const bool one_hot = source.inputs() == 0;
    std::vector<double> powers;
    for (Index b = 0; b < blocks.count(); ++b) {
        run.monitor->stop_if_interrupted();
        const Index first = blocks.begin(b), count = blocks.extent(b);
        const BlockRows<Scalar> targets = read_block<Scalar>(source, true, first, count);
        powers.push_back(targets.template cast<double>().squaredNorm());
        if (one_hot) {
            s.syx.middleCols(first, count) = targets.transpose().template cast<double>();
        } else {
            const BlockRows<Scalar> inputs = read_block<Scalar>(source, false, first, count);
            add_product<Scalar>(targets, inputs, s.syx, run.threads);
            add_square<Scalar>(inputs, s.sxx, run.threads);
        }
        run.monitor->progress({static_cast<double>(first + count),
                               static_cast<double>(source.samples()), "samples", ""});
    }
    return tree_sum(powers);
}

Matrix dense_inputs(const Statistics& s) {
    return s.has_scalar_inputs() ? Matrix(s.input_scale * Matrix::Identity(s.inputs(), s.inputs()))
                                 : s.sxx;
}

} // namespace

std::string normalisation_name(Normalisation normalisation) {
    return normalisation == Normalisation::mean ? "mean" : "sum";
}

Normalisation normalisation_of(const std::string& name) {
    return name == "sum" ? Normalisation::sum : Normalisation::mean;
}

Matrix Statistics::input_product(const Matrix& columns) const {
    return has_scalar_inputs() ? Matrix(input_scale * columns) : Matrix(sxx * columns);
}

double Statistics::input_power() const {
    return has_scalar_inputs() ? input_scale * static_cast<double>(inputs()) : sxx.trace();
}

Blocks sample_blocks(const SampleSource& source, BlockPrecision precision) {
    const double number = precision == BlockPrecision::float32 ? 4 : 8;
    const double row = number * static_cast<double>(source.inputs() + source.outputs());
    const auto rows = static_cast<Index>(kBlockBytes / row);
    // Short enough in single precision that sums within a block lose little.
    const Index most = precision == BlockPrecision::float32 ? 2048 : 65536;
    return {source.samples(), std::clamp<Index>(rows, 16, most)};
}

double sample_divisor(const SampleSource& source, Normalisation normalisation) {
    return normalisation == Normalisation::mean ? static_cast<double>(source.samples()) : 1.0;
}

double statistics_bytes(const SampleSource& source) {
    const bool one_hot = source.inputs() == 0;
    const auto width = static_cast<double>(one_hot ? source.samples() : source.inputs());
    return 8 * width * (static_cast<double>(source.outputs()) + (one_hot ? 0 : width));
}

Statistics accumulate(const SampleSource& source, Normalisation normalisation, const Execution& run,
                      BlockPrecision precision) {
    if (source.samples() < 1) throw Error("there is no sample");
    const bool one_hot = source.inputs() == 0;
    const Index width = one_hot ? source.samples() : source.inputs();
    check_memory(statistics_bytes(source),
                 concat("correlations of ", width, " inputs and ", source.outputs(), " outputs"));
    Statistics s;
    s.samples = source.samples();
    s.normalisation = normalisation;
    s.syx = Matrix::Zero(source.outputs(), width);
    if (!one_hot) s.sxx = Matrix::Zero(width, width);
    const Blocks blocks = sample_blocks(source, precision);
    const double power = precision == BlockPrecision::float32
                             ? sum_samples<float>(source, blocks, s, run)
                             : sum_samples<double>(source, blocks, s, run);
    const double by = sample_divisor(source, normalisation);
    s.syx /= by;
    s.output_power = power / by;
    s.input_scale = one_hot ? 1 / by : 0;
    if (!one_hot) {
        s.sxx /= by;
        s.sxx.triangularView<Eigen::StrictlyLower>() = s.sxx.transpose();
    }
    if (!(s.output_power > 0)) throw Error("all targets are 0; there is nothing to learn");
    return s;
}

void need_formed(const Statistics& s) {
    if (!s.formed())
        throw Error(concat("the correlations of ", s.inputs(), " inputs and ", s.outputs(),
                           " outputs were not formed (modes --memory); only what closed forms say "
                           "of their first modes is known"));
}

void check_statistics(const Statistics& s) {
    if (!s.syx.allFinite()) throw Error("sigma_yx: not all numbers are finite");
    if (s.syx.isZero(0)) throw Error("sigma_yx: all numbers are 0; there is nothing to learn");
    if (s.has_scalar_inputs()) return;
    if (!s.sxx.allFinite()) throw Error("sigma_xx: not all numbers are finite");
    if (s.sxx.rows() != s.inputs() || s.sxx.cols() != s.inputs())
        throw Error(concat("sigma_xx: ", s.sxx.rows(), " x ", s.sxx.cols(), "; ", s.inputs(), " x ",
                           s.inputs(), " is expected beside sigma_yx of ", s.outputs(), " x ",
                           s.inputs()));
    const double asymmetry = (s.sxx - s.sxx.transpose()).norm() / s.sxx.norm();
    if (!(asymmetry <= kSymmetric))
        throw Error(concat("sigma_xx: not symmetric (relative difference ", asymmetry,
                           "); a covariance is expected"));
    const Vector values =
        Eigen::SelfAdjointEigenSolver<Matrix>(s.sxx, Eigen::EigenvaluesOnly).eigenvalues();
    if (values(0) < -kNegative * values(values.size() - 1))
        throw Error(
            concat("sigma_xx: eigenvalue ", values(0), " is negative; a covariance is expected"));
}

double whiteness(const Statistics& s) {
    if (s.has_scalar_inputs()) return 0;
    Matrix rest = s.sxx;
    rest.diagonal().array() -= s.sxx.trace() / static_cast<double>(s.inputs());
    return rest.norm() / s.sxx.norm();
}

double commutation(const Statistics& s) {
    if (s.has_scalar_inputs()) return 0;
    // [Sx, M] = A - A^T with A = Sx Syx^T Syx, for both are symmetric.
    const Matrix a = (s.sxx * s.syx.transpose()) * s.syx;
    return (a - a.transpose()).norm() / (s.sxx.norm() * s.syx.squaredNorm());
}

std::optional<double> white_scale(const Statistics& s) {
    if (s.has_scalar_inputs()) return s.input_scale;
    if (!s.formed()) return std::nullopt;
    if (whiteness(s) > kWhite) return std::nullopt;
    return s.sxx.trace() / static_cast<double>(s.inputs());
}

Whitened whiten(const Statistics& s) {
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen(dense_inputs(s));
    if (eigen.info() != Eigen::Success) throw Error("whitening: no convergence");
    const Vector& values = eigen.eigenvalues(); // ascending
    const double largest = values(values.size() - 1);
    if (!(largest > 0)) throw Error("whitening: the inputs are all 0");
    const Index rank = (values.array() > kDropped * largest).count();
    Whitened w;
    w.basis = eigen.eigenvectors().rightCols(rank);
    w.root = w.basis * values.tail(rank).cwiseSqrt().cwiseInverse().asDiagonal();
    w.statistics.syx = s.syx * w.root;
    w.statistics.input_scale = 1;
    w.statistics.output_power = s.output_power;
    w.statistics.samples = s.samples;
    w.statistics.normalisation = s.normalisation;
    return w;
}

} // namespace assay::lindyn
