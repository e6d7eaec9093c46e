#include <assay/tensor_amp/discrete_prior.hpp>

#include <assay/core/error.hpp>
#include <assay/tensor_amp/prior_text.hpp>

#include <cmath>

namespace assay::tensor_amp {
namespace {

// All r-tuples over `letters`, the first component running fastest, and their log-probabilities
// when components are independent with `log_letter`.
struct States {
    MatrixXd values;
    VectorXd weights;
};

States independent_components(const std::vector<double>& letters,
                              const std::vector<double>& probabilities, Index rank) {
    Index count = 1;
    for (Index k = 0; k < rank; ++k) {
        count *= static_cast<Index>(letters.size());
        if (count > kMostStates)
            throw Error(concat(letters.size(), " values in each of ", rank,
                               " components are more than ", kMostStates, " states"));
    }
    States states{MatrixXd(count, rank), VectorXd::Ones(count)};
    for (Index s = 0; s < count; ++s) {
        Index rest = s;
        for (Index k = 0; k < rank; ++k) {
            const auto letter = static_cast<std::size_t>(rest % static_cast<Index>(letters.size()));
            rest /= static_cast<Index>(letters.size());
            states.values(s, k) = letters[letter];
            states.weights(s) *= probabilities[letter];
        }
    }
    return states;
}

void check_probability(const char* prior, const char* key, double value) {
    if (!(value > 0 && value < 1))
        throw Error(concat(prior, ": ", key, " is ", value, "; it must lie between 0 and 1"));
}

// Away from 0 and 1, so that a learned probability stays a legal one.
double inside(double probability) {
    return std::min(std::max(probability, 1e-9), 1 - 1e-9);
}

} // namespace

DiscretePrior::DiscretePrior(MatrixXd values, const VectorXd& weights, std::string description,
                             Family family)
    : values_(std::move(values)), description_(std::move(description)), family_(family) {
    if (values_.rows() < 1 || values_.rows() > kMostStates || weights.size() != values_.rows())
        throw Error(concat("a discrete prior has ", values_.rows(), " values and ", weights.size(),
                           " weights; as many of both are needed, 1 to ", kMostStates));
    if (!values_.allFinite() || !(weights.array() >= 0).all() || !(weights.sum() > 0) ||
        !std::isfinite(weights.sum()))
        throw Error("a discrete prior needs finite values, and weights that are not negative and "
                    "do not sum to 0");
    log_weights_ = (weights / weights.sum()).array().log();
}

VectorXd DiscretePrior::mean() const {
    return values_.transpose() * log_weights_.array().exp().matrix();
}

MatrixXd DiscretePrior::second_moment() const {
    return values_.transpose() * log_weights_.array().exp().matrix().asDiagonal() * values_;
}

VectorXd DiscretePrior::sample(const Random& random, std::uint64_t row, std::uint64_t mode) const {
    const double target = random.uniform(row, {mode, 0, 0});
    double reached = 0;
    Index state = 0;
    for (; state + 1 < values_.rows(); ++state) {
        reached += std::exp(log_weights_(state));
        if (target < reached) break;
    }
    return values_.row(state).transpose();
}

RowBelief DiscretePrior::weigh(const VectorXd& exponents) const {
    const double largest = exponents.maxCoeff();
    const VectorXd posterior = (exponents.array() - largest).exp();
    const double total = posterior.sum();
    RowBelief belief;
    belief.log_partition = largest + std::log(total);
    belief.mean = values_.transpose() * posterior / total;
    const MatrixXd centred = values_.rowwise() - belief.mean.transpose();
    belief.covariance = centred.transpose() * (posterior / total).asDiagonal() * centred;
    return belief;
}

RowBelief DiscretePrior::denoise(const MatrixXd& precision, const VectorXd& field) const {
    return weigh(log_weights_ + values_ * field -
                 0.5 * (values_ * precision).cwiseProduct(values_).rowwise().sum());
}

Belief DiscretePrior::denoise_rows(const MatrixXd& precision, const MatrixXd& fields) const {
    const VectorXd offsets =
        log_weights_ - 0.5 * (values_ * precision).cwiseProduct(values_).rowwise().sum();
    Belief belief = Belief::of_rows(fields.rows(), rank());
    for (Index i = 0; i < fields.rows(); ++i)
        belief.set_row(i, weigh(offsets + values_ * fields.row(i).transpose()));
    return belief;
}

PriorPointer DiscretePrior::maximised(const Belief& belief, bool) const {
    const auto entries = static_cast<double>(belief.mean.size());
    switch (family_) {
    case Family::rademacher:
        return rademacher_prior(rank(), inside(0.5 * (1 + belief.mean.sum() / entries)));
    case Family::bernoulli:
        return bernoulli_prior(rank(), inside(belief.mean.sum() / entries));
    case Family::sparse_rademacher:
        return sparse_rademacher_prior(
            rank(),
            inside((belief.mean.squaredNorm() + belief.summed_covariance.trace()) / entries));
    case Family::one_hot:
        return one_hot_prior(belief.mean.colwise().mean().transpose());
    case Family::fixed:
        break;
    }
    return std::make_shared<DiscretePrior>(*this);
}

PriorPointer rademacher_prior(Index rank, double probability) {
    check_probability("rademacher", "p", probability);
    const States states = independent_components({1, -1}, {probability, 1 - probability}, rank);
    return std::make_shared<DiscretePrior>(states.values, states.weights,
                                           "rademacher:p=" + shown(probability),
                                           DiscretePrior::Family::rademacher);
}

PriorPointer bernoulli_prior(Index rank, double density) {
    check_probability("bernoulli", "rho", density);
    const States states = independent_components({0, 1}, {1 - density, density}, rank);
    return std::make_shared<DiscretePrior>(states.values, states.weights,
                                           "bernoulli:rho=" + shown(density),
                                           DiscretePrior::Family::bernoulli);
}

PriorPointer sparse_rademacher_prior(Index rank, double density) {
    check_probability("sparse-rademacher", "rho", density);
    const States states =
        independent_components({0, 1, -1}, {1 - density, density / 2, density / 2}, rank);
    return std::make_shared<DiscretePrior>(states.values, states.weights,
                                           "sparse-rademacher:rho=" + shown(density),
                                           DiscretePrior::Family::sparse_rademacher);
}

PriorPointer one_hot_prior(const VectorXd& probabilities) {
    if (!((probabilities.array() >= 0).all() && probabilities.sum() > 0))
        throw Error("one-hot: probabilities must not be negative, nor all 0");
    return std::make_shared<DiscretePrior>(
        MatrixXd::Identity(probabilities.size(), probabilities.size()), probabilities,
        "one-hot:probabilities=" + shown(VectorXd(probabilities / probabilities.sum())),
        DiscretePrior::Family::one_hot);
}

} // namespace assay::tensor_amp
