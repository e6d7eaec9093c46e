#include <assay/tensor_amp/scalar_channel.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/trapezoid.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr double kStateTail = 10; // standard deviations of the noise around a state
constexpr double kWidest = 1e4;   // standard deviations of the field, for any continuous prior
constexpr double kSeparated = 60; // h gap^2 / 8 above which states are never confused

struct ScalarMoments {
    double mean, variance;
};
ScalarMoments scalar_moments(const Prior& prior) {
    const double mean = prior.mean()(0);
    return {mean, std::max(prior.second_moment()(0, 0) - mean * mean, 0.0)};
}

void check_scalar(const Prior& prior) {
    if (prior.rank() != 1)
        throw Error(concat(prior.describe(), ": rank ", prior.rank(), "; rank 1 is expected"));
    check_exact(prior);
}

// The denoiser at rank 1 without a new matrix a call.
class ScalarDenoiser {
  public:
    ScalarDenoiser(const Prior& prior, double precision)
        : prior_(prior), precision_(MatrixXd::Constant(1, 1, precision)), field_(1) {}
    const RowBelief& operator()(double field) {
        field_(0) = field;
        belief_ = prior_.denoise(precision_, field_);
        return belief_;
    }

  private:
    const Prior& prior_;
    MatrixXd precision_;
    VectorXd field_;
    RowBelief belief_;
};

// States of positive weight, rising.
std::vector<double> states_of(const DiscretePrior& prior) {
    std::vector<double> states;
    for (Index k = 0; k < prior.values().rows(); ++k)
        if (std::isfinite(prior.log_weights()(k))) states.push_back(prior.values()(k, 0));
    std::sort(states.begin(), states.end());
    states.erase(std::unique(states.begin(), states.end()), states.end());
    return states;
}

// Where u = root x0 + z lies.
struct Support {
    std::vector<Interval> intervals;
    bool stretched;
    double noise;
};
Support support_of(const Prior& prior, double root) {
    if (const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior)) {
        std::vector<Interval> around;
        double furthest = 0;
        for (const double x : states_of(*discrete)) {
            around.push_back({root * x - kStateTail, root * x + kStateTail});
            furthest = std::max(furthest, std::abs(root * x));
        }
        return {joined(std::move(around)), false, 1e-15 * furthest * furthest};
    }
    const ScalarMoments moments = scalar_moments(prior);
    const double spread = kWidest * std::sqrt(1 + root * root * moments.variance);
    const double centre = root * moments.mean;
    return {{{centre - spread, centre + spread}}, true, 1e-15 * centre * centre};
}

// Distance of the closest states.
double smallest_gap(const std::vector<double>& states) {
    double gap = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; i < states.size(); ++i) gap = std::min(gap, states[i] - states[i - 1]);
    return gap;
}

// States that the noise never confuses: q = E x^2, psi = E[log w(x) + h x^2 / 2].
ScalarOverlap separated_overlap(const DiscretePrior& prior, double h) {
    ScalarOverlap overlap;
    const auto& values = prior.values();
    for (const double x : states_of(prior)) {
        double weight = 0;
        for (Index k = 0; k < values.rows(); ++k)
            if (values(k, 0) == x) weight += std::exp(prior.log_weights()(k));
        overlap.q += weight * x * x;
        overlap.psi += weight * (std::log(weight) + 0.5 * h * x * x);
    }
    return overlap;
}

ScalarOverlap gaussian_overlap(const Prior& prior, double h) {
    const auto [mean, variance] = scalar_moments(prior);
    const double damping = 1 / (1 + variance * h);
    return {mean * mean + variance * variance * h * damping,
            variance * variance * damping * damping,
            0.5 * (h * (mean * mean + variance) - std::log1p(variance * h))};
}

double log_normal(double u) {
    return -0.5 * u * u - kLogRootTwoPi;
}

} // namespace

void check_exact(const Prior& prior) {
    if (!prior.exact())
        throw Error(concat(prior.describe(), " at rank ", prior.rank(),
                           ": the denoiser is an approximation; theory needs an exact one"));
}

ScalarOverlap scalar_overlap(const Prior& prior, double h) {
    check_scalar(prior);
    if (!(h >= 0) || !std::isfinite(h))
        throw Error(concat("precision ", h, "; a number of 0 or more is expected"));
    if (prior.gaussian()) return gaussian_overlap(prior, h);
    if (h == 0) {
        const auto [mean, variance] = scalar_moments(prior);
        return {mean * mean, variance * variance, 0};
    }
    if (const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior)) {
        const double gap = smallest_gap(states_of(*discrete));
        if (h * gap * gap > 8 * kSeparated) return separated_overlap(*discrete, h);
    }
    const double root = std::sqrt(h);
    const Support support = support_of(prior, root);
    ScalarDenoiser denoise(prior, h);
    const Eigen::Array4d total = integrate(
        [&](double u) {
            const RowBelief& belief = denoise(root * u);
            const double density = std::exp(log_normal(u) + belief.log_partition);
            const double mean = belief.mean(0), variance = belief.covariance(0, 0);
            // Where nothing is left the logarithm may be infinite.
            if (!(density > 0)) return Eigen::Array4d(Eigen::Array4d::Zero());
            return Eigen::Array4d(density * Eigen::Array4d(1, mean * mean, variance * variance,
                                                           belief.log_partition));
        },
        support.intervals, support.stretched, support.noise);
    return {total(1), total(2), total(3)};
}

MismatchedOverlap mismatched_overlap(const Prior& truth, const Prior& assumed, double mhat,
                                     double qhat, double t) {
    check_scalar(truth);
    check_scalar(assumed);
    ScalarDenoiser denoise(assumed, qhat);
    if (!(t > 0)) {
        const double mean = denoise(0).mean(0);
        return {mean * truth.mean()(0), mean * mean};
    }
    // In u = B / sqrt(t) the data are ratio x0 + z.
    const double ratio = mhat / std::sqrt(t);
    const Support support = support_of(truth, ratio);
    ScalarDenoiser posterior(truth, ratio * ratio);
    const double root = std::sqrt(t);
    const Eigen::Array4d total = integrate(
        [&](double u) {
            const RowBelief& true_belief = posterior(ratio * u);
            const double density = std::exp(log_normal(u) + true_belief.log_partition);
            if (!(density > 0)) return Eigen::Array4d(Eigen::Array4d::Zero());
            const double estimate = denoise(root * u).mean(0);
            return Eigen::Array4d(density * Eigen::Array4d(1, estimate * true_belief.mean(0),
                                                           estimate * estimate, 0));
        },
        support.intervals, support.stretched, support.noise);
    return {total(1), total(2)};
}

} // namespace assay::tensor_amp
