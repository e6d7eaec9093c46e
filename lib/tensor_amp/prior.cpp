#include <assay/tensor_amp/prior.hpp>

#include <assay/core/error.hpp>
#include <assay/tensor_amp/prior_text.hpp>

#include <Eigen/Cholesky>

namespace assay::tensor_amp {

Belief Belief::of_rows(Index rows, Index rank) {
    Belief belief;
    belief.mean.resize(rows, rank);
    belief.covariance.resize(rows, rank * rank);
    belief.summed_covariance = MatrixXd::Zero(rank, rank);
    return belief;
}

void Belief::set_row(Index row, const RowBelief& belief) {
    mean.row(row) = belief.mean.transpose();
    covariance.row(row) = belief.covariance.reshaped().transpose();
    summed_covariance += belief.covariance;
    log_partition += belief.log_partition;
    if (belief.active.size() == 0) return;
    if (active.size() == 0) active = VectorXd::Zero(belief.active.size());
    active += belief.active;
}

Belief Prior::denoise_rows(const MatrixXd& precision, const MatrixXd& fields) const {
    Belief belief = Belief::of_rows(fields.rows(), rank());
    for (Index i = 0; i < fields.rows(); ++i)
        belief.set_row(i, denoise(precision, fields.row(i).transpose()));
    return belief;
}

GaussianPrior::GaussianPrior(VectorXd mean, MatrixXd covariance)
    : mean_(std::move(mean)), covariance_(std::move(covariance)) {
    const Index r = mean_.size();
    if (covariance_.rows() != r || covariance_.cols() != r)
        throw Error(concat("a Gaussian prior has a mean of ", r, " and a covariance of ",
                           covariance_.rows(), " x ", covariance_.cols(), " components"));
    const Eigen::LLT<MatrixXd> factor(covariance_);
    const bool symmetric = (covariance_ - covariance_.transpose()).cwiseAbs().maxCoeff() <=
                           1e-12 * covariance_.cwiseAbs().maxCoeff();
    if (!covariance_.allFinite() || !mean_.allFinite() || !symmetric ||
        factor.info() != Eigen::Success)
        throw Error("the covariance of a Gaussian prior is not positive definite");
    cholesky_ = factor.matrixL();
    precision_ = factor.solve(MatrixXd::Identity(r, r));
    log_determinant_ = 2 * cholesky_.diagonal().array().log().sum();
}

std::string GaussianPrior::describe() const {
    const bool equal_means = (mean_.array() == mean_(0)).all();
    std::string text = "gauss:mean=" + (equal_means ? shown(mean_(0)) : shown(mean_));
    const MatrixXd isotropic = covariance_(0, 0) * MatrixXd::Identity(rank(), rank());
    return covariance_ == isotropic ? text + ",var=" + shown(covariance_(0, 0))
                                    : text + ",cov=" + shown(covariance_);
}

MatrixXd GaussianPrior::second_moment() const {
    return covariance_ + mean_ * mean_.transpose();
}

VectorXd GaussianPrior::sample(const Random& random, std::uint64_t row, std::uint64_t mode) const {
    VectorXd normal(rank());
    for (Index k = 0; k < rank(); ++k)
        normal(k) = random.normal(row, {mode, static_cast<std::uint64_t>(k), 0});
    return mean_ + cholesky_ * normal;
}

RowBelief GaussianPrior::denoise(const MatrixXd& precision, const VectorXd& field) const {
    const Belief belief = denoise_rows(precision, field.transpose());
    return {belief.mean.transpose(), belief.summed_covariance, belief.log_partition, {}};
}

// Sigma = (A + cov^-1)^-1, mean Sigma J with J = B + cov^-1 mean;
// log Z = J^T Sigma J / 2 + (log det Sigma - log det cov - mean^T cov^-1 mean) / 2.
Belief GaussianPrior::denoise_rows(const MatrixXd& precision, const MatrixXd& fields) const {
    const Index r = rank();
    const Eigen::LLT<MatrixXd> factor(precision + precision_);
    const MatrixXd sigma = factor.solve(MatrixXd::Identity(r, r));
    const VectorXd pull = precision_ * mean_;
    const MatrixXd total = fields.rowwise() + pull.transpose();
    const double log_sigma = -2 * factor.matrixLLT().diagonal().array().log().sum();
    Belief belief;
    belief.mean.noalias() = total * sigma;
    belief.covariance = sigma.reshaped().transpose();
    const auto rows = static_cast<double>(fields.rows());
    belief.summed_covariance = rows * sigma;
    belief.log_partition = 0.5 * (total.cwiseProduct(belief.mean).sum() +
                                  rows * (log_sigma - log_determinant_ - mean_.dot(pull)));
    return belief;
}

PriorPointer GaussianPrior::maximised(const Belief& belief, bool tie_components) const {
    const auto rows = static_cast<double>(belief.mean.rows());
    const VectorXd mean = belief.mean.colwise().mean().transpose();
    const MatrixXd centred = belief.mean.rowwise() - mean.transpose();
    MatrixXd covariance = (centred.transpose() * centred + belief.summed_covariance) / rows;
    const auto components = static_cast<double>(rank());
    const double average = covariance.trace() / components;
    if (tie_components) covariance = average * MatrixXd::Identity(rank(), rank());
    // Rows that are all equal leave no variance; a prior needs some.
    covariance.diagonal().array() += 1e-9 * average + 1e-12 * mean.squaredNorm() / components;
    covariance = (0.5 * (covariance + covariance.transpose())).eval();
    return std::make_shared<GaussianPrior>(mean, covariance);
}

} // namespace assay::tensor_amp
