// Separation of components with equal prior means (4.6 of the theory), declared in thresholds.hpp.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/state_evolution.hpp>
#include <assay/tensor_amp/thresholds.hpp>
#include <assay/tensor_amp/vector_channel.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

void check_components(const Ensemble& ensemble) {
    check_ensemble(ensemble);
    if (ensemble.rank() < 2) throw Error("rank 1; components separate at rank 2 or more");
    for (const PriorPointer& prior : ensemble.priors) {
        const VectorXd mean = prior->mean();
        if ((mean.array() - mean(0)).abs().maxCoeff() > 1e-12 * (1 + std::abs(mean(0))))
            throw Error(concat(prior->describe(),
                               ": components have different means, so that they are separate from "
                               "the start; equal ones are expected"));
    }
}

bool has_means(const Ensemble& ensemble) {
    const Overlaps start = prior_mean_start(ensemble);
    return std::none_of(start.begin(), start.end(), [](const MatrixXd& q) { return q.isZero(0); });
}

// The variance where every mode has the same Gaussian prior of covariance var I and the shape is
// cubic.
std::optional<double> common_variance(const Ensemble& ensemble) {
    if (!is_cubic(ensemble) || !is_gaussian(ensemble)) return std::nullopt;
    const auto& first = dynamic_cast<const GaussianPrior&>(ensemble.prior(0));
    const double variance = first.covariance()(0, 0);
    for (Index a = 0; a < ensemble.order(); ++a) {
        const auto& prior = dynamic_cast<const GaussianPrior&>(ensemble.prior(a));
        const MatrixXd expected = variance * MatrixXd::Identity(ensemble.rank(), ensemble.rank());
        if (!prior.covariance().isApprox(expected, 1e-14) || prior.mean() != first.mean())
            return std::nullopt;
    }
    return variance;
}

// Unit variance, m = mean^2: with x = b / (p - 1), b = m + x / (1 + r x), Delta = (p - 1) b^{p-2}.
double cubic_threshold(Index order, Index rank, double m) {
    const double k = static_cast<double>(order - 1), r = static_cast<double>(rank);
    const double linear = k - r * m - 1;
    const double root = std::sqrt(linear * linear + 4 * r * k * m);
    const double x = linear > 0 ? 2 * m / (linear + root) : (root - linear) / (2 * r * k);
    return k * std::pow(k * x, k - 1);
}

// Takes the part along 11^T out of every mode's perturbation, and what is not symmetric.
void leave_sum_alone(VectorXd& perturbation, Index modes, Index rank) {
    for (Index a = 0; a < modes; ++a) {
        auto one = perturbation.segment(a * rank * rank, rank * rank).reshaped(rank, rank);
        const MatrixXd symmetric = 0.5 * (one + one.transpose());
        one = symmetric.array() - symmetric.mean();
    }
}

} // namespace

double specialisation_eigenvalue(const Ensemble& ensemble, double noise_var, const Execution& run) {
    check_components(ensemble);
    const Index modes = ensemble.order(), rank = ensemble.rank(), square = rank * rank;
    StateEvolutionSettings settings;
    settings.noise_var = noise_var;
    const Overlaps q =
        state_evolution(ensemble, settings, prior_mean_start(ensemble), run).q.back();
    std::vector<MatrixXd> responses;
    for (Index a = 0; a < modes; ++a) {
        const double scale = 1 / (ensemble.aspect(a) * noise_var);
        responses.push_back(scale * channel_averages(ensemble.prior(a),
                                                     scale * hadamard_except(q, {a}),
                                                     WithResponse::yes, run)
                                        .response);
    }
    // The Jacobian plus one, whose largest eigenvalue is simple also for two modes.
    const auto apply = [&](const VectorXd& from) {
        VectorXd to = from;
        for (Index a = 0; a < modes; ++a) {
            MatrixXd change = MatrixXd::Zero(rank, rank);
            for (Index b = 0; b < modes; ++b)
                if (b != a)
                    change.array() += hadamard_except(q, {a, b}).array() *
                                      from.segment(b * square, square).reshaped(rank, rank).array();
            to.segment(a * square, square) += responses[at(a)] * change.reshaped();
        }
        leave_sum_alone(to, modes, rank);
        return to;
    };
    const Random random(0, "tensor-amp/specialisation");
    VectorXd vector(modes * square);
    for (Index i = 0; i < vector.size(); ++i)
        vector(i) =
            random.uniform(static_cast<std::uint64_t>(i)) + (i % (rank + 1) == 0 ? 1.0 : 0.0);
    leave_sum_alone(vector, modes, rank);
    vector.normalize();
    double eigenvalue = 0;
    for (int step = 0; step < 5000; ++step) {
        const VectorXd next = apply(vector);
        const double size = next.norm(), before = eigenvalue;
        eigenvalue = size - 1;
        vector = next / size;
        if (std::abs(eigenvalue - before) < 1e-13 * size) break;
    }
    return eigenvalue;
}

std::optional<double> specialisation_threshold(const Ensemble& ensemble, const Execution& run) {
    check_components(ensemble);
    if (!has_means(ensemble)) return std::nullopt;
    if (const auto variance = common_variance(ensemble)) {
        const double mean = ensemble.prior(0).mean()(0);
        return cubic_threshold(ensemble.order(), ensemble.rank(), mean * mean / *variance) *
               std::pow(*variance, static_cast<double>(ensemble.order()));
    }
    // The largest noise at which they separate: down from where they surely do not.
    const auto separate = [&](double log_noise) {
        return specialisation_eigenvalue(ensemble, std::exp(log_noise), run) > 1;
    };
    double power = 1;
    for (const PriorPointer& prior : ensemble.priors) power *= prior->second_moment()(0, 0);
    constexpr double step = 0.7;
    double high = std::log(power) + 5;
    while (separate(high)) high += step;
    double low = high - step;
    for (; !separate(low); low -= step) {
        if (low < std::log(power) - 60) return std::nullopt;
        high = low;
    }
    while (high - low > 1e-10) {
        const double middle = 0.5 * (low + high);
        (separate(middle) ? low : high) = middle;
    }
    return std::exp(0.5 * (low + high));
}

} // namespace assay::tensor_amp
