#include <assay/tensor_amp/vector_channel.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/sobol.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <unsupported/Eigen/KroneckerProduct>

#include <algorithm>
#include <cmath>
#include <optional>

namespace assay::tensor_amp {
namespace {

constexpr double kLogRootTwoPi = 0.91893853320467274178;
constexpr double kTail = 8.5;       // standard deviations of the noise
constexpr double kFirstStep = 0.5;  // of the trapezoid, in standard deviations of the noise
constexpr double kSettled = 1e-6;   // change in the last halving; the error is about its square
constexpr double kMostPoints = 1e6; // of a trapezoid
constexpr Index kMostAxes = 3;      // of a trapezoid
constexpr int kShifts = 8;          // of Sobol points
constexpr std::uint32_t kShiftPoints = 2048;

// Sums over points: mass, log Z, f f^T and Sigma (x) Sigma, one after the other.
class Sums {
  public:
    Sums(Index rank, WithResponse response)
        : rank_(rank),
          values_(VectorXd::Zero(
              2 + rank * rank + (response == WithResponse::yes ? rank * rank * rank * rank : 0))) {}
    void add(const RowBelief& belief, const MatrixXd& overlap, double weight) {
        values_(0) += weight;
        values_(1) += weight * belief.log_partition;
        const Index square = rank_ * rank_;
        values_.segment(2, square).reshaped(rank_, rank_) += weight * overlap;
        if (values_.size() > 2 + square)
            values_.tail(square * square).reshaped(square, square) +=
                weight * Eigen::kroneckerProduct(belief.covariance, belief.covariance).eval();
    }
    [[nodiscard]] const VectorXd& values() const { return values_; }

  private:
    Index rank_;
    VectorXd values_;
};

ChannelAverages averages_of(const VectorXd& sums, Index rank) {
    const Index square = rank * rank;
    ChannelAverages averages;
    averages.free_entropy = sums(1);
    const MatrixXd overlap = sums.segment(2, square).reshaped(rank, rank);
    averages.overlap = 0.5 * (overlap + overlap.transpose());
    if (sums.size() > 2 + square)
        averages.response = sums.tail(square * square).reshaped(square, square);
    return averages;
}

// The symmetric root of Qhat, a continuous function of it: the error of Sobol points moves smoothly
// with Qhat then, and state evolution can come to rest.
MatrixXd root_of(const MatrixXd& qhat) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(qhat);
    return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).cwiseSqrt().asDiagonal() *
           solver.eigenvectors().transpose();
}

// B = basis u: the directions in which Qhat is not 0, scaled by its roots.
MatrixXd basis_of(const MatrixXd& qhat) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(qhat);
    const VectorXd& values = solver.eigenvalues();
    const double largest = values.size() > 0 ? values(values.size() - 1) : 0;
    std::vector<Index> kept;
    for (Index i = 0; i < values.size(); ++i)
        if (values(i) > 1e-14 * largest && values(i) > 0) kept.push_back(i);
    MatrixXd basis(qhat.rows(), static_cast<Index>(kept.size()));
    for (Index j = 0; j < basis.cols(); ++j) {
        const Index i = kept[static_cast<std::size_t>(j)];
        basis.col(j) = std::sqrt(values(i)) * solver.eigenvectors().col(i);
    }
    return basis;
}

struct Axis {
    double low = 0, high = 0;
};

// The range of u = basis^T x0 + z per axis; `spread` standard deviations of continuous priors.
std::vector<Axis> axes_of(const Prior& prior, const MatrixXd& basis, double spread) {
    std::vector<Axis> axes;
    const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior);
    const VectorXd mean = prior.mean();
    const MatrixXd covariance = prior.second_moment() - mean * mean.transpose();
    for (const auto& direction : basis.colwise()) {
        if (discrete != nullptr) {
            const VectorXd places = discrete->values() * direction;
            axes.push_back({places.minCoeff() - kTail, places.maxCoeff() + kTail});
            continue;
        }
        const double centre = direction.dot(mean);
        const double reach = spread * std::sqrt(1 + direction.dot(covariance * direction));
        axes.push_back({centre - reach, centre + reach});
    }
    return axes;
}

Index cells_of(const Axis& axis, double step) {
    return static_cast<Index>(std::ceil((axis.high - axis.low) / step));
}

double points_of(const std::vector<Axis>& axes, double step) {
    double points = 1;
    for (const Axis& axis : axes) points *= static_cast<double>(cells_of(axis, step) + 1);
    return points;
}

// Where the states of a discrete prior lie in u; nothing is found far from all of them.
class StatePlaces {
  public:
    StatePlaces(const Prior& prior, const MatrixXd& basis) {
        const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior);
        if (discrete != nullptr && discrete->values().rows() <= kMostPlaces)
            places_ = (discrete->values() * basis).transpose();
    }
    [[nodiscard]] bool far_from_all(const VectorXd& u) const {
        return places_.cols() > 0 &&
               (places_.colwise() - u).colwise().squaredNorm().minCoeff() > kTail * kTail;
    }

  private:
    static constexpr Index kMostPlaces = 256;
    MatrixXd places_; // a column a state
};

// Posterior means and log Z of a discrete prior at many u with one Qhat: what depends on Qhat alone
// is found once. (Covariances are for the prior's own denoiser.)
class StateMeans {
  public:
    StateMeans(const DiscretePrior& prior, const MatrixXd& qhat, const MatrixXd& basis)
        : values_(prior.values().transpose()),
          offsets_(prior.log_weights() -
                   0.5 * (prior.values() * qhat).cwiseProduct(prior.values()).rowwise().sum()),
          places_(prior.values() * basis) {}
    [[nodiscard]] RowBelief at(const VectorXd& u) const {
        VectorXd weights = offsets_;
        weights.noalias() += places_ * u;
        const double most = weights.maxCoeff();
        weights = (weights.array() - most).exp();
        const double total = weights.sum();
        return {values_ * weights / total, {}, most + std::log(total), {}};
    }

  private:
    MatrixXd values_; // a column a state
    VectorXd offsets_;
    MatrixXd places_; // a row a state
};

std::optional<StateMeans> state_means(const Prior& prior, const MatrixXd& qhat,
                                      const MatrixXd& basis, WithResponse response) {
    const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior);
    if (discrete == nullptr || response == WithResponse::yes) return std::nullopt;
    return StateMeans(*discrete, qhat, basis);
}

struct Channel {
    const Prior& prior;
    const MatrixXd& qhat;
    MatrixXd basis;
    StatePlaces places;
    std::optional<StateMeans> states;
    WithResponse response;
    const Execution& run;

    [[nodiscard]] Index rank() const { return qhat.rows(); }

    // One slab of the grid: all points with index `first` on the first axis.
    [[nodiscard]] VectorXd slab(const std::vector<Axis>& axes, double step, Index first) const {
        Sums sums(rank(), response);
        const auto dimensions = static_cast<Index>(axes.size());
        std::vector<Index> place(axes.size(), 0);
        place[0] = first;
        VectorXd u(dimensions);
        const double cell = std::pow(step, static_cast<double>(dimensions));
        for (;;) {
            for (Index d = 0; d < dimensions; ++d) {
                const auto at = static_cast<std::size_t>(d);
                u(d) = axes[at].low + static_cast<double>(place[at]) * step;
            }
            if (!places.far_from_all(u)) add_point(sums, u, cell);
            std::size_t axis = axes.size();
            while (axis > 1 && place[axis - 1] == cells_of(axes[axis - 1], step)) place[--axis] = 0;
            if (axis <= 1) return sums.values();
            ++place[axis - 1];
        }
    }

    void add_point(Sums& sums, const VectorXd& u, double cell) const {
        const RowBelief belief = states ? states->at(u) : prior.denoise(qhat, basis * u);
        const double density = std::exp(belief.log_partition - 0.5 * u.squaredNorm() -
                                        kLogRootTwoPi * static_cast<double>(u.size()));
        if (density > 1e-25)
            sums.add(belief, belief.mean * belief.mean.transpose(), density * cell);
    }

    [[nodiscard]] VectorXd trapezoid(const std::vector<Axis>& axes, double step) const {
        const Index slabs = cells_of(axes[0], step) + 1;
        std::vector<VectorXd> parts(static_cast<std::size_t>(slabs));
        parallel_blocks(slabs, run.threads, [&](Index i) {
            run.monitor->stop_if_interrupted();
            parts[static_cast<std::size_t>(i)] = slab(axes, step, i);
        });
        return tree_sum(std::move(parts));
    }
};

// The trapezoid over the whole range, halved until it has settled or grown too large.
struct Settled {
    VectorXd sums;
    VectorXd change;
};
Settled settle(const Channel& channel, const std::vector<Axis>& axes) {
    double step = kFirstStep;
    Settled result{channel.trapezoid(axes, step), {}};
    for (;;) {
        step /= 2;
        const VectorXd finer = channel.trapezoid(axes, step);
        result.change = (finer - result.sums).cwiseAbs();
        result.sums = finer;
        const double scale = std::max(1.0, finer.segment(2, channel.rank()).cwiseAbs().maxCoeff());
        if (result.change.maxCoeff() <= kSettled * scale || points_of(axes, step / 2) > kMostPoints)
            return result;
    }
}

ChannelAverages by_trapezoid(const Channel& channel, double spread) {
    const std::vector<Axis> axes = axes_of(channel.prior, channel.basis, spread);
    const Settled settled = settle(channel, axes);
    // Tails outside the range: widen it.
    if (std::abs(settled.sums(0) - 1) > 1e-7) {
        if (spread > 60)
            throw Error(concat(channel.prior.describe(), ": the integral over fields misses ",
                               std::abs(settled.sums(0) - 1), " of its mass"));
        return by_trapezoid(channel, 1.6 * spread);
    }
    ChannelAverages averages = averages_of(settled.sums, channel.rank());
    averages.overlap_error = settled.change.segment(2, channel.rank() * channel.rank()).maxCoeff();
    averages.free_entropy_error = settled.change(1);
    return averages;
}

// The inverse of the standard normal distribution: a rational start (Abramowitz, Stegun 26.2.23)
// and two of Halley's steps.
double normal_quantile(double p) {
    const double tail = std::min(p, 1 - p);
    const double t = std::sqrt(-2 * std::log(tail));
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int step = 0; step < 2; ++step) {
        const double error = 0.5 * std::erfc(-x * std::sqrt(0.5)) - tail;
        const double ratio = error * std::exp(0.5 * x * x + kLogRootTwoPi);
        x -= ratio / (1 + 0.5 * x * ratio);
    }
    return p < 0.5 ? x : -x;
}

// Rows of the prior: discrete states by their first Sobol coordinate, others by random numbers.
class RowSource {
  public:
    explicit RowSource(const Prior& prior)
        : prior_(prior), discrete_(dynamic_cast<const DiscretePrior*>(&prior)),
          random_(0, "tensor-amp/channel") {}
    [[nodiscard]] VectorXd row(std::uint64_t number, double coordinate) const {
        if (discrete_ == nullptr) return prior_.sample(random_, number, 0);
        const VectorXd& weights = discrete_->log_weights();
        double reached = 0;
        Index state = 0;
        for (; state + 1 < weights.size(); ++state) {
            reached += std::exp(weights(state));
            if (coordinate < reached) break;
        }
        return discrete_->values().row(state).transpose();
    }

  private:
    const Prior& prior_;
    const DiscretePrior* discrete_;
    Random random_;
};

ChannelAverages by_sobol(const Channel& channel) {
    const MatrixXd root = root_of(channel.qhat);
    // E f f^T = E x x^T - E Sigma, which varies less from point to point.
    const MatrixXd moment = channel.prior.second_moment();
    const auto dimensions = static_cast<int>(root.cols()) + 1;
    if (dimensions > kSobolDimensions)
        throw Error(concat(channel.prior.describe(), ": ", dimensions - 1,
                           " components; state evolution of a prior that is not Gaussian takes at "
                           "most ",
                           kSobolDimensions - 1));
    const RowSource source(channel.prior);
    const Random shifts(0, "tensor-amp/sobol-shift");
    std::vector<VectorXd> means(kShifts);
    parallel_blocks(kShifts, channel.run.threads, [&](Index s) {
        channel.run.monitor->stop_if_interrupted();
        Sums sums(channel.rank(), channel.response);
        VectorXd z(dimensions - 1);
        for (std::uint32_t i = 0; i < kShiftPoints; ++i) {
            std::vector<double> point = sobol_point(dimensions, i);
            for (int d = 0; d < dimensions; ++d) {
                double& x = point[static_cast<std::size_t>(d)];
                x += shifts.uniform(static_cast<std::uint64_t>(d), {static_cast<std::uint64_t>(s)});
                x = std::clamp(x - std::floor(x), 1e-15, 1 - 1e-15);
                if (d > 0) z(d - 1) = normal_quantile(x);
            }
            const auto number = static_cast<std::uint64_t>(s) * kShiftPoints + i;
            const VectorXd field = channel.qhat * source.row(number, point[0]) + root * z;
            const RowBelief belief = channel.prior.denoise(channel.qhat, field);
            sums.add(belief, moment - belief.covariance, 1.0 / kShiftPoints);
        }
        means[static_cast<std::size_t>(s)] = sums.values();
    });
    const VectorXd mean = tree_sum(means) / kShifts;
    VectorXd square = VectorXd::Zero(mean.size());
    for (const VectorXd& one : means) square += (one - mean).cwiseAbs2();
    const VectorXd error = (square / (kShifts * (kShifts - 1.0))).cwiseSqrt();
    ChannelAverages averages = averages_of(mean, channel.rank());
    averages.overlap_error = error.segment(2, channel.rank() * channel.rank()).maxCoeff();
    averages.free_entropy_error = error(1);
    return averages;
}

ChannelAverages gaussian_averages(const GaussianPrior& prior, const MatrixXd& qhat,
                                  WithResponse response) {
    const Index rank = prior.rank();
    const MatrixXd& covariance = prior.covariance();
    const Eigen::LLT<MatrixXd> factor(prior.precision() + qhat);
    const MatrixXd posterior = factor.solve(MatrixXd::Identity(rank, rank));
    // E x x^T - posterior, in a form that is exact at Qhat = 0.
    const MatrixXd gained = covariance * qhat * posterior;
    ChannelAverages averages;
    averages.overlap =
        prior.mean() * prior.mean().transpose() + 0.5 * (gained + gained.transpose());
    if (response == WithResponse::yes)
        averages.response = Eigen::kroneckerProduct(posterior, posterior);
    const double log_determinant =
        2 * factor.matrixLLT().diagonal().array().log().sum() -
        2 * Eigen::LLT<MatrixXd>(prior.precision()).matrixLLT().diagonal().array().log().sum();
    averages.free_entropy =
        0.5 * (qhat.cwiseProduct(prior.second_moment()).sum() - log_determinant);
    return averages;
}

ChannelAverages rank_one_averages(const Prior& prior, double h) {
    const ScalarOverlap overlap = scalar_overlap(prior, h);
    ChannelAverages averages;
    averages.overlap = MatrixXd::Constant(1, 1, overlap.q);
    averages.response = MatrixXd::Constant(1, 1, overlap.slope);
    averages.free_entropy = overlap.psi;
    return averages;
}

} // namespace

ChannelAverages channel_averages(const Prior& prior, const MatrixXd& qhat, WithResponse response,
                                 const Execution& run) {
    check_exact(prior);
    if (const auto* gaussian = dynamic_cast<const GaussianPrior*>(&prior))
        return gaussian_averages(*gaussian, qhat, response);
    if (prior.rank() == 1) return rank_one_averages(prior, qhat(0, 0));
    const MatrixXd basis = basis_of(qhat);
    const Channel channel{
        prior,    qhat, basis, {prior, basis}, state_means(prior, qhat, basis, response),
        response, run};
    if (channel.basis.cols() == 0) {
        Sums sums(prior.rank(), response);
        const RowBelief belief = prior.denoise(qhat, VectorXd::Zero(prior.rank()));
        sums.add(belief, belief.mean * belief.mean.transpose(), 1);
        return averages_of(sums.values(), prior.rank());
    }
    constexpr double usual_spread = 9;
    if (channel.basis.cols() <= kMostAxes &&
        points_of(axes_of(prior, channel.basis, usual_spread), kFirstStep / 2) <= kMostPoints)
        return by_trapezoid(channel, usual_spread);
    return by_sobol(channel);
}

} // namespace assay::tensor_amp
