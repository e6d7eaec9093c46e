#include <assay/tensor_amp/nonnegative_prior.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/tensor_amp/prior_text.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr double kInverseRootTwo = 0.70710678118654752440;

// A standard normal shifted by u and cut at zero: y >= 0 with density proportional to
// exp(-(y - u)^2 / 2).
struct CutNormal {
    double mean;       // u + phi(u) / Phi(u)
    double variance;   // 1 - L (L + u), L = phi(u) / Phi(u)
    double log_scaled; // u^2 / 2 + log Phi(u)
};

// Below this the closed form loses digits; the continued fraction of the Mills ratio has none to
// lose.
constexpr double kMillsTail = -3;

// With t = -u the Mills ratio is 1 / (t + k_1), k_j = j / (t + k_{j+1}); then the mean is k_1 and
// the variance k_1 (k_2 - k_1).
CutNormal tail(double u) {
    constexpr int depth = 200;
    const double t = -u;
    double following = 0;
    double next = 0;
    for (int j = depth; j >= 1; --j) {
        following = next;
        next = j / (t + next);
    }
    return {next, next * (following - next), -std::log(t + next) - kLogRootTwoPi};
}

CutNormal cut_normal(double u) {
    if (u < kMillsTail) return tail(u);
    const double logarithm = u > 8 ? std::log1p(-0.5 * std::erfc(u * kInverseRootTwo))
                                   : std::log(0.5 * std::erfc(-u * kInverseRootTwo));
    const double hazard = std::exp(-0.5 * u * u - kLogRootTwoPi - logarithm);
    return {u + hazard, 1 - hazard * (hazard + u), 0.5 * u * u + logarithm};
}

double log_cumulative(double u) {
    return cut_normal(u).log_scaled - 0.5 * u * u;
}

// The value that a cut normal exceeds with probability 1 - uniform. The logarithm of the survival
// function Phi(u - y) / Phi(u) is concave, so Newton's steps converge from any start.
double quantile(double u, double uniform) {
    const double target = log_cumulative(u) + std::log1p(-uniform);
    double y = std::max(u, 0.0); // where the hazard is of order one
    for (int step = 0; step < 100; ++step) {
        const CutNormal rest = cut_normal(u - y);
        const double hazard = rest.mean - (u - y);
        const double move = (rest.log_scaled - 0.5 * (u - y) * (u - y) - target) / hazard;
        y = std::max(y + move, 0.0);
        if (std::abs(move) <= 1e-14 * y) break;
    }
    return y;
}

void check_positive(const char* prior, const char* key, const VectorXd& values) {
    for (const double value : values)
        if (!(value > 0) || !std::isfinite(value))
            throw Error(concat(prior, ": ", key, " is ", value, "; it must be positive"));
}

std::string list_or_number(const VectorXd& values) {
    return (values.array() == values(0)).all() ? shown(values(0)) : shown(values);
}

// Second moments of the rows about 0, averaged, per component.
VectorXd mean_squares(const Belief& belief) {
    return (belief.mean.colwise().squaredNorm().transpose() + belief.summed_covariance.diagonal()) /
           static_cast<double>(belief.mean.rows());
}

// The shift u at which a cut normal has E[y]^2 / E[y^2] = ratio, which rises with u.
double shift_of_ratio(double ratio) {
    double low = -30;
    double high = 60;
    for (int step = 0; step < 200; ++step) {
        const double middle = 0.5 * (low + high);
        const CutNormal cut = cut_normal(middle);
        (cut.mean * cut.mean / (cut.mean * cut.mean + cut.variance) < ratio ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

} // namespace

VectorXd NonnegativePrior::mean() const {
    VectorXd values(rank_);
    for (Index k = 0; k < rank_; ++k) values(k) = scalar(k, 0, 0).mean;
    return values;
}

MatrixXd NonnegativePrior::second_moment() const {
    const VectorXd means = mean();
    MatrixXd moment = means * means.transpose();
    for (Index k = 0; k < rank_; ++k) moment(k, k) += scalar(k, 0, 0).variance;
    return moment;
}

RowBelief NonnegativePrior::denoise(const MatrixXd& precision, const VectorXd& field) const {
    constexpr int most_sweeps = 50;
    constexpr double settled = 1e-8;
    constexpr double damping = 0.5;
    RowBelief belief;
    belief.mean = VectorXd::Zero(rank_);
    belief.covariance = MatrixXd::Zero(rank_, rank_);
    std::vector<ScalarBelief> parts(static_cast<std::size_t>(rank_));
    for (int sweep = 0; sweep < (rank_ == 1 ? 1 : most_sweeps); ++sweep) {
        double change = 0;
        for (Index k = 0; k < rank_; ++k) {
            const double others =
                precision.row(k).dot(belief.mean) - precision(k, k) * belief.mean(k);
            ScalarBelief& part = parts[static_cast<std::size_t>(k)];
            part = scalar(k, precision(k, k), field(k) - others);
            const double target =
                sweep == 0 ? part.mean : damping * part.mean + (1 - damping) * belief.mean(k);
            change = std::max(change, std::abs(target - belief.mean(k)));
            belief.mean(k) = target;
        }
        if (change <= settled * (1e-300 + belief.mean.cwiseAbs().maxCoeff())) break;
    }
    for (Index k = 0; k < rank_; ++k) {
        const ScalarBelief& part = parts[static_cast<std::size_t>(k)];
        belief.covariance(k, k) = part.variance;
        belief.log_partition += part.log_partition;
    }
    // Each pair's coupling stands in both fields: once too often.
    const MatrixXd coupling = precision - MatrixXd(precision.diagonal().asDiagonal());
    belief.log_partition += 0.5 * belief.mean.dot(coupling * belief.mean);
    return belief;
}

TruncatedGaussianPrior::TruncatedGaussianPrior(VectorXd location, VectorXd variance)
    : NonnegativePrior(location.size()), location_(std::move(location)),
      variance_(std::move(variance)) {
    check_positive("nonneg-gauss", "var", variance_);
    if (!location_.allFinite()) throw Error("nonneg-gauss: mean is not finite");
}

std::string TruncatedGaussianPrior::describe() const {
    return "nonneg-gauss:mean=" + list_or_number(location_) + ",var=" + list_or_number(variance_);
}

ScalarBelief TruncatedGaussianPrior::scalar(Index component, double precision, double field) const {
    const double variance = variance_(component);
    const double location = location_(component);
    const double spread = 1 / (precision + 1 / variance);
    const double root = std::sqrt(spread);
    const CutNormal after = cut_normal(root * (field + location / variance));
    const CutNormal before = cut_normal(location / std::sqrt(variance));
    return {root * after.mean, spread * after.variance,
            0.5 * std::log(spread / variance) + after.log_scaled - before.log_scaled};
}

VectorXd TruncatedGaussianPrior::sample(const Random& random, std::uint64_t row,
                                        std::uint64_t mode) const {
    VectorXd values(rank());
    for (Index k = 0; k < rank(); ++k) {
        const double root = std::sqrt(variance_(k));
        values(k) = root * quantile(location_(k) / root,
                                    random.uniform(row, {mode, static_cast<std::uint64_t>(k), 0}));
    }
    return values;
}

PriorPointer TruncatedGaussianPrior::maximised(const Belief& belief, bool tie_components) const {
    VectorXd means = belief.mean.colwise().mean().transpose();
    VectorXd squares = mean_squares(belief);
    if (tie_components) {
        means.setConstant(means.mean());
        squares.setConstant(squares.mean());
    }
    VectorXd location(rank());
    VectorXd variance(rank());
    for (Index k = 0; k < rank(); ++k) {
        const double u = shift_of_ratio(means(k) * means(k) / squares(k));
        const CutNormal cut = cut_normal(u);
        const double root = std::sqrt(squares(k) / (cut.mean * cut.mean + cut.variance));
        location(k) = u * root;
        variance(k) = root * root;
    }
    return std::make_shared<TruncatedGaussianPrior>(location, variance);
}

ExponentialPrior::ExponentialPrior(VectorXd rate)
    : NonnegativePrior(rate.size()), rate_(std::move(rate)) {
    check_positive("exponential", "rate", rate_);
}

std::string ExponentialPrior::describe() const {
    return "exponential:rate=" + list_or_number(rate_);
}

ScalarBelief ExponentialPrior::scalar(Index component, double precision, double field) const {
    const double rate = rate_(component);
    if (!(precision > 0)) {
        // Without precision only the field tilts the exponential; it cannot outweigh the rate.
        const double left = field < rate ? rate - field : rate;
        return {1 / left, 1 / (left * left), std::log(rate / left)};
    }
    const double root = 1 / std::sqrt(precision);
    const CutNormal cut = cut_normal(root * (field - rate));
    return {root * cut.mean, root * root * cut.variance,
            std::log(rate * root) + kLogRootTwoPi + cut.log_scaled};
}

VectorXd ExponentialPrior::sample(const Random& random, std::uint64_t row,
                                  std::uint64_t mode) const {
    VectorXd values(rank());
    for (Index k = 0; k < rank(); ++k)
        values(k) = random.exponential(row, {mode, static_cast<std::uint64_t>(k), 0}) / rate_(k);
    return values;
}

PriorPointer ExponentialPrior::maximised(const Belief& belief, bool tie_components) const {
    VectorXd means = belief.mean.colwise().mean().transpose();
    if (tie_components) means.setConstant(means.mean());
    return std::make_shared<ExponentialPrior>(means.cwiseMax(1e-150).cwiseInverse());
}

} // namespace assay::tensor_amp
