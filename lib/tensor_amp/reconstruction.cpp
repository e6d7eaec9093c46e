#include <assay/tensor_amp/reconstruction.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::tensor_amp {
namespace {

constexpr Index kPredictedEntriesABlock = 1 << 14;

std::vector<Index> chosen(const std::vector<Index>& wanted, Index length, Index mode) {
    if (wanted.empty()) {
        std::vector<Index> all(at(length));
        std::iota(all.begin(), all.end(), Index{0});
        return all;
    }
    for (const Index i : wanted)
        if (i < 0 || i >= length)
            throw Error(concat("slice ", i, " of mode ", mode, ", which has ", length));
    return wanted;
}

MatrixXd rows_of(const MatrixXd& matrix, const std::vector<Index>& rows) {
    MatrixXd picked(static_cast<Index>(rows.size()), matrix.cols());
    for (Index i = 0; i < picked.rows(); ++i) picked.row(i) = matrix.row(rows[at(i)]);
    return picked;
}

// E u^n for n = 0 .. most (columns) of normal u of these means and variances (rows).
MatrixXd normal_moments(const VectorXd& mean, const VectorXd& variance, Index most) {
    MatrixXd moments = MatrixXd::Ones(mean.size(), most + 1);
    for (Index n = 1; n <= most; ++n) {
        moments.col(n) = mean.cwiseProduct(moments.col(n - 1));
        if (n > 1)
            moments.col(n) +=
                static_cast<double>(n - 1) * variance.cwiseProduct(moments.col(n - 2));
    }
    return moments;
}

} // namespace

Reconstruction::Reconstruction(const FitResult& fit, const Selection& selection)
    : scale_(signal_scale(fit.shape)), symmetric_(fit.symmetric) {
    if (fit.symmetric && fit.center.size() > 0)
        throw Error("a symmetric fit has no means that were taken off");
    if (!selection.empty() && selection.size() != fit.shape.size())
        throw Error(
            concat("slices of ", selection.size(), " modes; the tensor has ", fit.shape.size()));
    for (Index a = 0; a < static_cast<Index>(fit.shape.size()); ++a) {
        const std::vector<Index> none;
        indices_.push_back(
            chosen(selection.empty() ? none : selection[at(a)], fit.shape[at(a)], a));
        shape_.push_back(static_cast<Index>(indices_.back().size()));
        factors_.push_back(rows_of(fit.factors[at(a)], indices_.back()));
        if (fit.covariances.empty()) continue;
        const MatrixXd& covariance = fit.covariances[at(a)];
        covariances_.push_back(covariance.rows() == 1 ? covariance
                                                      : rows_of(covariance, indices_.back()));
    }
    center_ = fit.center;
    center_mode_ = fit.center_mode;
    if (center_.size() == 0 || center_mode_ < 0) return;
    if (center_mode_ >= static_cast<Index>(shape_.size()) ||
        center_.size() != fit.shape[at(center_mode_)])
        throw Error("the means that were taken off the data do not fit the shape");
    center_ = rows_of(center_, indices_[at(center_mode_)]);
}

Index Reconstruction::slice_size() const {
    Index size = 1;
    for (std::size_t a = 1; a < shape_.size(); ++a) size *= shape_[a];
    return size;
}

void Reconstruction::predict(Index first, Index count, double* mean, double* deviation,
                             const Execution& run) const {
    if (deviation != nullptr && !has_deviation())
        throw Error("the fit has no posterior covariances, so no standard deviations");
    const Index columns = shape_.back(), rows = slice_size() / columns;
    const Blocks blocks{count * rows, std::max<Index>(1, kPredictedEntriesABlock / columns)};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        for (Index row = blocks.begin(block); row < blocks.begin(block) + blocks.extent(block);
             ++row)
            predict_row(first * rows + row, mean + row * columns,
                        deviation == nullptr ? nullptr : deviation + row * columns);
    });
}

// One row of the tensor seen as a matrix with the last mode as columns.
void Reconstruction::predict_row(Index row, double* mean, double* deviation) const {
    const std::size_t last = factors_.size() - 1;
    Place index(last + 1, 0);
    for (std::size_t a = last; a-- > 0;) {
        index[a] = row % shape_[a];
        row /= shape_[a];
    }
    const MatrixXd& columns = factors_[last];
    const Index rank = columns.cols();
    VectorXd product = VectorXd::Ones(rank);
    for (std::size_t a = 0; a < last; ++a)
        product.array() *= factors_[a].row(index[a]).transpose().array();
    Eigen::Map<VectorXd> means(mean, columns.rows());
    means = scale_ * (columns * product);
    if (center_.size() > 0) {
        if (center_mode_ < 0)
            means.array() += center_(0);
        else if (at(center_mode_) == last)
            means += center_;
        else
            means.array() += center_(index[at(center_mode_)]);
    }
    if (deviation != nullptr) deviate_row(index, product, deviation);
    if (!symmetric_) return;
    for (Index& column = index.back(); column < columns.rows(); ++column) {
        if (!has_equal_rows(index)) continue;
        const Moments moments = symmetric_moments(index);
        mean[column] = moments.mean;
        if (deviation != nullptr) deviation[column] = std::sqrt(std::max(0.0, moments.variance));
    }
}

// `product`: of the means of all modes but the last.
void Reconstruction::deviate_row(const Place& index, const VectorXd& product,
                                 double* deviation) const {
    const std::size_t last = factors_.size() - 1;
    const MatrixXd& columns = factors_[last];
    const Index rank = columns.cols();
    // o (x x^T + S) - o x x^T and o x x^T of the modes before the last.
    MatrixXd excess = MatrixXd::Zero(rank, rank);
    const MatrixXd square = product * product.transpose();
    MatrixXd before = MatrixXd::Ones(rank, rank);
    for (std::size_t a = 0; a < last; ++a) {
        const auto x = factors_[a].row(index[a]);
        const MatrixXd& rows = covariances_[a];
        const MatrixXd s = rows.row(rows.rows() == 1 ? 0 : index[a]).reshaped(rank, rank);
        const MatrixXd outer = x.transpose() * x;
        excess = excess.cwiseProduct(outer + s) + before.cwiseProduct(s);
        before.array() *= outer.array();
    }
    const MatrixXd& s = covariances_[last];
    const VectorXd weights = (excess + square).reshaped();
    const VectorXd spread = s * weights;
    VectorXd variance = (columns * excess).cwiseProduct(columns).rowwise().sum();
    if (s.rows() == 1)
        variance.array() += spread(0);
    else
        variance += spread;
    // Number by number: Eigen's roots of whole AVX-512 vectors differ in the last bit, and where
    // vectors begin depends on the place of the row in memory.
    for (Index i = 0; i < columns.rows(); ++i)
        deviation[i] = std::abs(scale_) * std::sqrt(std::max(0.0, variance(i)));
}

// How many modes have the row that this mode has; 0 where an earlier mode has it.
Index Reconstruction::times_of(std::size_t mode, const Place& place) const {
    const auto row = [&](std::size_t a) { return indices_[a][at(place[a])]; };
    Index times = 0;
    for (std::size_t a = 0; a < place.size(); ++a) {
        if (row(a) != row(mode)) continue;
        if (a < mode) return 0;
        ++times;
    }
    return times;
}

bool Reconstruction::has_equal_rows(const Place& place) const {
    for (std::size_t a = 0; a < place.size(); ++a)
        if (times_of(a, place) != 1) return true;
    return false;
}

Reconstruction::Moments Reconstruction::symmetric_moments(const Place& place) const {
    const Index rank = factors_.front().cols();
    VectorXd product = VectorXd::Ones(rank);
    MatrixXd before = MatrixXd::Ones(rank, rank), excess = MatrixXd::Zero(rank, rank);
    for (std::size_t a = 0; a < place.size(); ++a) {
        const Index times = times_of(a, place);
        if (times == 0) continue;
        MatrixXd s = MatrixXd::Zero(rank, rank);
        if (has_deviation()) {
            const MatrixXd& rows = covariances_[a];
            s = rows.row(rows.rows() == 1 ? 0 : place[a]).reshaped(rank, rank);
        }
        const MatrixXd moments =
            normal_moments(factors_[a].row(place[a]).transpose(), s.diagonal(), times);
        const auto outer = [&](Index n) -> MatrixXd {
            return moments.col(n) * moments.col(n).transpose();
        };
        MatrixXd spread = MatrixXd::Zero(rank, rank), power = MatrixXd::Ones(rank, rank);
        for (Index k = 1; k <= times; ++k) {
            const auto left = static_cast<double>(times - k + 1);
            power = left * left / static_cast<double>(k) * power.cwiseProduct(s);
            spread += power.cwiseProduct(outer(times - k));
        }
        excess = excess.cwiseProduct(outer(times) + spread) + before.cwiseProduct(spread);
        before.array() *= outer(times).array();
        product.array() *= moments.col(times).array();
    }
    return {scale_ * product.sum(), scale_ * scale_ * excess.sum()};
}

} // namespace assay::tensor_amp
