#include <assay/tensor_amp/sparse_prior.hpp>

#include <assay/core/error.hpp>
#include <assay/tensor_amp/prior_text.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {

GaussBernoulliPrior::GaussBernoulliPrior(Index rank, double density, double slab_mean,
                                         double slab_variance)
    : rank_(rank), density_(density), slab_mean_(slab_mean), slab_variance_(slab_variance) {
    if (!(density > 0 && density < 1))
        throw Error(concat("gauss-bernoulli: rho is ", density, "; it must lie between 0 and 1"));
    if (!(slab_variance > 0) || !std::isfinite(slab_variance) || !std::isfinite(slab_mean))
        throw Error(concat("gauss-bernoulli: var is ", slab_variance, "; it must be positive"));
    if (rank < 1 || rank > kLargestSparseRank)
        throw Error(concat("gauss-bernoulli: rank ", rank, " is above ", kLargestSparseRank));
}

std::string GaussBernoulliPrior::describe() const {
    return "gauss-bernoulli:rho=" + shown(density_) + ",mean=" + shown(slab_mean_) +
           ",var=" + shown(slab_variance_);
}

VectorXd GaussBernoulliPrior::mean() const {
    return VectorXd::Constant(rank_, density_ * slab_mean_);
}

MatrixXd GaussBernoulliPrior::second_moment() const {
    MatrixXd moment = MatrixXd::Constant(rank_, rank_, std::pow(density_ * slab_mean_, 2));
    moment.diagonal().setConstant(density_ * (slab_variance_ + slab_mean_ * slab_mean_));
    return moment;
}

VectorXd GaussBernoulliPrior::sample(const Random& random, std::uint64_t row,
                                     std::uint64_t mode) const {
    VectorXd values(rank_);
    for (Index k = 0; k < rank_; ++k) {
        const auto component = static_cast<std::uint64_t>(k);
        const bool active = random.uniform(row, {mode, component, 1}) < density_;
        values(k) = active ? slab_mean_ + std::sqrt(slab_variance_) *
                                              random.normal(row, {mode, component, 0})
                           : 0.0;
    }
    return values;
}

std::vector<GaussBernoulliPrior::Support>
GaussBernoulliPrior::supports(const MatrixXd& precision) const {
    std::vector<Support> sets(std::size_t{1} << rank_);
    const double log_active = std::log(density_);
    const double log_zero = std::log1p(-density_);
    for (std::size_t bits = 0; bits < sets.size(); ++bits) {
        Support& set = sets[bits];
        for (Index k = 0; k < rank_; ++k)
            if ((bits >> k) & 1U) set.members.push_back(k);
        const auto size = static_cast<Index>(set.members.size());
        const auto members = static_cast<double>(size);
        set.offset = members * log_active + (static_cast<double>(rank_) - members) * log_zero;
        if (size == 0) continue;
        MatrixXd inverse = precision(set.members, set.members);
        inverse.diagonal().array() += 1 / slab_variance_;
        const Eigen::LLT<MatrixXd> factor(inverse);
        set.covariance = factor.solve(MatrixXd::Identity(size, size));
        set.offset -=
            factor.matrixLLT().diagonal().array().log().sum() +
            0.5 * members * (std::log(slab_variance_) + slab_mean_ * slab_mean_ / slab_variance_);
    }
    return sets;
}

RowBelief GaussBernoulliPrior::posterior(const std::vector<Support>& sets,
                                         const VectorXd& field) const {
    const VectorXd total = field.array() + slab_pull();
    VectorXd exponents(static_cast<Index>(sets.size()));
    MatrixXd means = MatrixXd::Zero(rank_, exponents.size());
    for (Index s = 0; s < exponents.size(); ++s) {
        const Support& set = sets[static_cast<std::size_t>(s)];
        exponents(s) = set.offset;
        if (set.members.empty()) continue;
        const VectorXd pull = total(set.members);
        const VectorXd mean = set.covariance * pull;
        means(set.members, s) = mean;
        exponents(s) += 0.5 * pull.dot(mean);
    }
    const double largest = exponents.maxCoeff();
    VectorXd weights = (exponents.array() - largest).exp();
    const double sum = weights.sum();
    weights /= sum;
    RowBelief row;
    row.log_partition = largest + std::log(sum);
    row.mean = means * weights;
    const MatrixXd centred = means.colwise() - row.mean;
    row.covariance = centred * weights.asDiagonal() * centred.transpose();
    row.active = VectorXd::Zero(rank_);
    for (Index s = 0; s < exponents.size(); ++s) {
        const Support& set = sets[static_cast<std::size_t>(s)];
        if (set.members.empty()) continue;
        row.covariance(set.members, set.members) += weights(s) * set.covariance;
        row.active(set.members).array() += weights(s);
    }
    return row;
}

RowBelief GaussBernoulliPrior::denoise(const MatrixXd& precision, const VectorXd& field) const {
    return posterior(supports(precision), field);
}

Belief GaussBernoulliPrior::denoise_rows(const MatrixXd& precision, const MatrixXd& fields) const {
    const std::vector<Support> sets = supports(precision);
    Belief belief = Belief::of_rows(fields.rows(), rank_);
    for (Index i = 0; i < fields.rows(); ++i)
        belief.set_row(i, posterior(sets, fields.row(i).transpose()));
    return belief;
}

PriorPointer GaussBernoulliPrior::maximised(const Belief& belief, bool) const {
    const auto entries = static_cast<double>(belief.mean.size());
    const double active = std::max(belief.active.sum(), 1e-9 * entries);
    // A zero contributes nothing to either sum, so these are the slab's own moments.
    const double mean = belief.mean.sum() / active;
    const double second = (belief.mean.squaredNorm() + belief.summed_covariance.trace()) / active;
    const double density = std::min(std::max(active / entries, 1e-9), 1 - 1e-9);
    return std::make_shared<GaussBernoulliPrior>(
        rank_, density, mean, std::max(second - mean * mean, 1e-9 * second + 1e-300));
}

} // namespace assay::tensor_amp
