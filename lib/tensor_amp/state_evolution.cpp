#include <assay/tensor_amp/state_evolution.hpp>

#include <assay/core/error.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>
#include <assay/tensor_amp/sparse_prior.hpp>
#include <assay/tensor_amp/vector_channel.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::tensor_amp {
namespace {

double change_between(const Overlaps& a, const Overlaps& b) {
    double change = 0, scale = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        change = std::max(change, (a[i] - b[i]).cwiseAbs().maxCoeff());
        scale = std::max(scale, a[i].cwiseAbs().maxCoeff());
    }
    return scale > 0 ? change / scale : change;
}

bool finite(const Overlaps& overlaps) {
    return std::all_of(overlaps.begin(), overlaps.end(),
                       [](const MatrixXd& one) { return one.allFinite(); });
}

void check_start(const Overlaps& start, Index modes, Index rows, Index columns) {
    if (static_cast<Index>(start.size()) != modes)
        throw Error(
            concat("starting overlaps of ", start.size(), " modes; ", modes, " are expected"));
    for (const MatrixXd& one : start) {
        if (one.rows() != rows || one.cols() != columns)
            throw Error(concat("starting overlap of ", one.rows(), " x ", one.cols(), "; ", rows,
                               " x ", columns, " is expected"));
        if (!one.allFinite()) throw Error("a starting overlap is not finite");
    }
}

std::vector<MatrixXd> second_moments(const Ensemble& ensemble) {
    std::vector<MatrixXd> moments;
    for (const PriorPointer& prior : ensemble.priors) moments.push_back(prior->second_moment());
    return moments;
}

// Whether exchanging two components leaves a prior as it is.
bool exchangeable(const MatrixXd& invariant, Index k, Index l) {
    MatrixXd other = invariant;
    other.row(k).swap(other.row(l));
    other.col(k).swap(other.col(l));
    return (other - invariant).cwiseAbs().maxCoeff() <= 1e-14 * invariant.cwiseAbs().maxCoeff();
}

using State = std::vector<double>; // values and, last, the log-weight
std::vector<State> sorted_states(const DiscretePrior& prior, Index k, Index l) {
    std::vector<State> states;
    for (Index i = 0; i < prior.values().rows(); ++i) {
        State state;
        for (const double value : prior.values().row(i)) state.push_back(value);
        std::swap(state[at(k)], state[at(l)]);
        state.push_back(prior.log_weights()(i));
        states.push_back(std::move(state));
    }
    std::sort(states.begin(), states.end());
    return states;
}

bool exchangeable(const Prior& prior, Index k, Index l) {
    if (const auto* gaussian = dynamic_cast<const GaussianPrior*>(&prior))
        return exchangeable(gaussian->covariance(), k, l) &&
               exchangeable(MatrixXd(gaussian->mean().asDiagonal()), k, l);
    if (const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior))
        return sorted_states(*discrete, k, l) == sorted_states(*discrete, k, k);
    return dynamic_cast<const GaussBernoulliPrior*>(&prior) != nullptr;
}

// Components whose estimates are the same: no prior tells them apart, and they start alike. They
// stay so for ever, on an unstable manifold where the components are specialised elsewhere;
// averaging over them keeps rounding from leaving it.
class EqualEstimates {
  public:
    EqualEstimates(const Ensemble& ensemble, const Overlaps& start) : label_(at(ensemble.rank())) {
        for (Index k = 0; k < ensemble.rank(); ++k) {
            label_[at(k)] = k;
            for (Index l = 0; l < k && label_[at(k)] == k; ++l)
                if (equal(ensemble, start, k, l)) label_[at(k)] = label_[at(l)];
        }
    }

    void average(MatrixXd& overlap) const {
        const MatrixXd given = overlap;
        for (Index k = 0; k < overlap.rows(); ++k)
            for (Index l = 0; l < overlap.cols(); ++l) overlap(k, l) = mean_of_class(given, k, l);
    }

  private:
    static bool equal(const Ensemble& ensemble, const Overlaps& start, Index k, Index l) {
        const bool alike = std::all_of(start.begin(), start.end(), [&](const MatrixXd& q) {
            return (q.row(k) - q.row(l)).cwiseAbs().maxCoeff() <= 1e-14 * q.cwiseAbs().maxCoeff();
        });
        return alike && std::all_of(ensemble.priors.begin(), ensemble.priors.end(),
                                    [&](const PriorPointer& p) { return exchangeable(*p, k, l); });
    }
    [[nodiscard]] double mean_of_class(const MatrixXd& overlap, Index k, Index l) const {
        double sum = 0, count = 0;
        for (Index i = 0; i < overlap.rows(); ++i)
            for (Index j = 0; j < overlap.cols(); ++j)
                if (label_[at(i)] == label_[at(k)] && label_[at(j)] == label_[at(l)]) {
                    sum += overlap(i, j);
                    ++count;
                }
        return sum / count;
    }

    std::vector<Index> label_;
};

// Sweeps of `update(mode, sources)` from `state` until nothing moves; `record` sees every sweep.
template <class State, class Update, class Change, class Record>
EvolutionStatus iterate(State state, Index modes, const StateEvolutionSettings& settings,
                        const Execution& run, const Update& update, const Change& change,
                        const Record& record) {
    for (Index sweep = 0; sweep < settings.max_iterations; ++sweep) {
        run.monitor->stop_if_interrupted();
        const State old = state;
        for (Index a = 0; a < modes; ++a)
            update(a, settings.schedule == Schedule::parallel ? old : state, state);
        record(state);
        const double moved = change(state, old);
        if (!std::isfinite(moved)) return EvolutionStatus::diverged;
        if (moved <= settings.tolerance) return EvolutionStatus::converged;
    }
    return EvolutionStatus::max_iterations;
}

} // namespace

Overlaps prior_mean_start(const Ensemble& ensemble) {
    Overlaps start;
    for (const PriorPointer& prior : ensemble.priors) {
        VectorXd mean = prior->mean();
        // Means of discrete priors are sums: their rounding is no information.
        const VectorXd scale = prior->second_moment().diagonal().cwiseSqrt();
        for (Index k = 0; k < mean.size(); ++k)
            if (std::abs(mean(k)) <= 1e-12 * scale(k)) mean(k) = 0;
        start.emplace_back(mean * mean.transpose());
    }
    return start;
}

Overlaps informed_start(const Ensemble& ensemble) {
    return second_moments(ensemble);
}

std::string status_word(EvolutionStatus status) {
    switch (status) {
    case EvolutionStatus::converged:
        return "converged";
    case EvolutionStatus::diverged:
        return "diverged";
    case EvolutionStatus::max_iterations:
        break;
    }
    return "max-iter";
}

StateEvolution state_evolution(const Ensemble& ensemble, const StateEvolutionSettings& settings,
                               const Overlaps& start, const Execution& run) {
    check_ensemble(ensemble);
    check_noise(settings.noise_var);
    check_start(start, ensemble.order(), ensemble.rank(), ensemble.rank());
    const EqualEstimates equal_estimates(ensemble, start);
    const Overlaps blind = prior_mean_start(ensemble);
    StateEvolution result;
    result.q.push_back(start);
    result.status = iterate(
        start, ensemble.order(), settings, run,
        [&](Index a, const Overlaps& sources, Overlaps& state) {
            const MatrixXd qhat =
                hadamard_except(sources, {a}) / (ensemble.aspect(a) * settings.noise_var);
            if (qhat.isZero(0)) {
                state[at(a)] = blind[at(a)];
                return;
            }
            const ChannelAverages averages =
                channel_averages(ensemble.prior(a), qhat, WithResponse::no, run);
            result.overlap_error = std::max(result.overlap_error, averages.overlap_error);
            state[at(a)] = averages.overlap;
            equal_estimates.average(state[at(a)]);
        },
        change_between, [&](const Overlaps& state) { result.q.push_back(state); });
    const Overlaps& last = result.q.back();
    const std::vector<MatrixXd> moments = second_moments(ensemble);
    result.mse.resize(ensemble.order());
    for (Index a = 0; a < ensemble.order(); ++a)
        result.mse(a) = (moments[at(a)] - last[at(a)]).trace();
    result.signal_error = 1 - hadamard_total(last) / hadamard_total(moments);
    result.free_entropy = free_entropy(ensemble, settings.noise_var, last, run);
    return result;
}

double free_entropy(const Ensemble& ensemble, double noise_var, const Overlaps& q,
                    const Execution& run) {
    check_noise(noise_var);
    double sum = 0;
    for (Index a = 0; a < ensemble.order(); ++a) {
        const MatrixXd qhat = hadamard_except(q, {a}) / (ensemble.aspect(a) * noise_var);
        sum += ensemble.aspect(a) *
               channel_averages(ensemble.prior(a), qhat, WithResponse::no, run).free_entropy;
    }
    return sum - static_cast<double>(ensemble.order() - 1) / (2 * noise_var) * hadamard_total(q);
}

MismatchedStart prior_mean_start(const Ensemble& truth, const Assumptions& assumed) {
    MismatchedStart start;
    for (Index a = 0; a < truth.order(); ++a) {
        const VectorXd mean = assumed.priors[at(a)]->mean();
        start.m.emplace_back(mean * truth.prior(a).mean().transpose());
        start.q.emplace_back(mean * mean.transpose());
    }
    return start;
}

MismatchedStart informed_start(const Ensemble& truth, const Assumptions& assumed) {
    MismatchedStart start;
    const Index rank = assumed.priors.front()->rank(), shared = std::min(rank, truth.rank());
    for (Index a = 0; a < truth.order(); ++a) {
        const MatrixXd moment = truth.prior(a).second_moment();
        MatrixXd m = MatrixXd::Zero(rank, truth.rank()), q = MatrixXd::Zero(rank, rank);
        m.topRows(shared) = moment.topRows(shared);
        q.topLeftCorner(shared, shared) = moment.topLeftCorner(shared, shared);
        start.m.push_back(std::move(m));
        start.q.push_back(std::move(q));
    }
    return start;
}

namespace {

struct FieldStatistics {
    MatrixXd mhat, qhat, noise; // B = mhat x0 + noise^{1/2} z at precision qhat
};

// M and Q after the denoiser of a Gaussian prior has seen Gaussian truth.
void gaussian_step(const Prior& truth, const GaussianPrior& assumed, const FieldStatistics& field,
                   MatrixXd& m, MatrixXd& q) {
    const Index rank = assumed.rank();
    const MatrixXd posterior = Eigen::LLT<MatrixXd>(assumed.precision() + field.qhat)
                                   .solve(MatrixXd::Identity(rank, rank));
    const VectorXd pull = assumed.precision() * assumed.mean();
    const MatrixXd second = truth.second_moment();
    const MatrixXd cross = field.mhat * truth.mean() * pull.transpose();
    m = posterior * (field.mhat * second + pull * truth.mean().transpose());
    q = posterior *
        (field.mhat * second * field.mhat.transpose() + field.noise + cross + cross.transpose() +
         pull * pull.transpose()) *
        posterior;
}

void mismatched_step(const Prior& truth, const Prior& assumed, const FieldStatistics& field,
                     MatrixXd& m, MatrixXd& q) {
    const auto* gaussian = dynamic_cast<const GaussianPrior*>(&assumed);
    if (truth.gaussian() && gaussian != nullptr) {
        gaussian_step(truth, *gaussian, field, m, q);
        return;
    }
    const MismatchedOverlap overlap =
        mismatched_overlap(truth, assumed, field.mhat(0, 0), field.qhat(0, 0), field.noise(0, 0));
    m = MatrixXd::Constant(1, 1, overlap.m);
    q = MatrixXd::Constant(1, 1, overlap.q);
}

void check_assumptions(const Ensemble& truth, const Assumptions& assumed) {
    check_noise(assumed.noise_var, "assumed noise_var");
    check_ensemble({truth.aspect, assumed.priors});
    for (Index a = 0; a < truth.order(); ++a) {
        const Prior& prior = *assumed.priors[at(a)];
        if (!(truth.prior(a).gaussian() && prior.gaussian()) &&
            (truth.rank() > 1 || prior.rank() > 1))
            throw Error(concat(prior.describe(), " assumed for ", truth.prior(a).describe(),
                               ": mismatched state evolution above rank 1 takes Gaussian priors"));
    }
}

} // namespace

StateEvolution mismatched_evolution(const Ensemble& truth, const Assumptions& assumed,
                                    const StateEvolutionSettings& settings,
                                    const MismatchedStart& start, const Execution& run) {
    check_ensemble(truth);
    check_noise(settings.noise_var);
    check_assumptions(truth, assumed);
    const Index rank = assumed.priors.front()->rank();
    check_start(start.m, truth.order(), rank, truth.rank());
    check_start(start.q, truth.order(), rank, rank);
    StateEvolution result;
    result.q.push_back(start.q);
    result.m.push_back(start.m);
    result.status = iterate(
        start, truth.order(), settings, run,
        [&](Index a, const MismatchedStart& sources, MismatchedStart& state) {
            const double scale = 1 / (truth.aspect(a) * assumed.noise_var);
            FieldStatistics field;
            field.mhat = scale * hadamard_except(sources.m, {a});
            field.qhat = scale * hadamard_except(sources.q, {a});
            field.noise = settings.noise_var / assumed.noise_var * field.qhat;
            mismatched_step(truth.prior(a), *assumed.priors[at(a)], field, state.m[at(a)],
                            state.q[at(a)]);
        },
        [](const MismatchedStart& a, const MismatchedStart& b) {
            if (!finite(a.m) || !finite(a.q)) return std::numeric_limits<double>::infinity();
            return std::max(change_between(a.m, b.m), change_between(a.q, b.q));
        },
        [&](const MismatchedStart& state) {
            result.q.push_back(state.q);
            result.m.push_back(state.m);
        });
    const Overlaps& m = result.m.back();
    const Overlaps& q = result.q.back();
    const std::vector<MatrixXd> moments = second_moments(truth);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    result.mse = VectorXd::Constant(truth.order(), nan);
    if (rank == truth.rank())
        for (Index a = 0; a < truth.order(); ++a)
            result.mse(a) = (moments[at(a)] - 2 * m[at(a)] + q[at(a)]).trace();
    const double power = hadamard_total(moments);
    result.signal_error = (hadamard_total(q) - 2 * hadamard_total(m) + power) / power;
    result.free_entropy = nan;
    return result;
}

} // namespace assay::tensor_amp
