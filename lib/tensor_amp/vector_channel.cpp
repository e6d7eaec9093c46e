#include <assay/tensor_amp/vector_channel.hpp>

#include <assay/core/constants.hpp>
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

namespace assay::tensor_amp {
namespace {

constexpr double kFieldTail = 8.5;      // standard deviations of the noise
constexpr double kFirstFieldStep = 1;   // of the trapezoid, in standard deviations of the noise
constexpr double kUsualStep = 0.25;     // with which it settles but for steep denoisers
constexpr double kSettledChange = 1e-6; // change in the last halving; the error is about its square
constexpr double kMostPoints = 1e7;     // of a trapezoid
constexpr Index kMostAxes = 3;          // of a trapezoid
constexpr int kShifts = 8;              // of Sobol points
constexpr std::uint32_t kShiftPoints = 2048;

// `sums` as those of mixture_sums.
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

// The range of u = basis^T x0 + z per axis; `spread` standard deviations of continuous priors.
std::vector<FieldAxis> axes_of(const Prior& prior, const MatrixXd& basis, double spread) {
    std::vector<FieldAxis> axes;
    const auto* discrete = dynamic_cast<const DiscretePrior*>(&prior);
    const VectorXd mean = prior.mean();
    const MatrixXd covariance = prior.second_moment() - mean * mean.transpose();
    for (const auto& direction : basis.colwise()) {
        if (discrete != nullptr) {
            const VectorXd places = discrete->values() * direction;
            axes.push_back({places.minCoeff() - kFieldTail, places.maxCoeff() + kFieldTail});
            continue;
        }
        const double centre = direction.dot(mean);
        const double reach = spread * std::sqrt(1 + direction.dot(covariance * direction));
        axes.push_back({centre - reach, centre + reach});
    }
    return axes;
}

double points_of(const std::vector<FieldAxis>& axes, double step) {
    double points = 1;
    for (const FieldAxis& axis : axes) points *= static_cast<double>(axis.points(step));
    return points;
}

// The trapezoid over the whole range, halved until it has settled or grown too large.
struct Settled {
    VectorXd sums;
    VectorXd change;
};
Settled settled_sums(const std::vector<MixtureTerm>& terms, const std::vector<FieldAxis>& axes,
                     WithResponse response, const Execution& run) {
    const Index rank = terms.front().base.size();
    double step = kFirstFieldStep;
    Settled result{mixture_sums(terms, axes, step, response, run), {}};
    for (;;) {
        step /= 2;
        const VectorXd finer = mixture_sums(terms, axes, step, response, run);
        result.change = (finer - result.sums).cwiseAbs();
        result.sums = finer;
        const double scale = std::max(1.0, finer.segment(2, rank * rank).cwiseAbs().maxCoeff());
        if (result.change.maxCoeff() <= kSettledChange * scale ||
            points_of(axes, step / 2) > kMostPoints)
            return result;
    }
}

ChannelAverages by_trapezoid(const Prior& prior, const MatrixXd& basis,
                             const std::vector<MixtureTerm>& terms, double spread,
                             WithResponse response, const Execution& run) {
    const Settled settled = settled_sums(terms, axes_of(prior, basis, spread), response, run);
    // Tails outside the range: widen it.
    if (std::abs(settled.sums(0) - 1) > 1e-7) {
        if (spread > 60)
            throw Error(concat(prior.describe(), ": the integral over fields misses ",
                               std::abs(settled.sums(0) - 1), " of its mass"));
        return by_trapezoid(prior, basis, terms, 1.6 * spread, response, run);
    }
    const Index rank = prior.rank();
    ChannelAverages averages = averages_of(settled.sums, rank);
    averages.overlap_error = settled.change.segment(2, rank * rank).maxCoeff();
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

// Sums over one shift of the points, as those of mixture_sums.
VectorXd sobol_sums(const Prior& prior, const MatrixXd& qhat, const MatrixXd& root, Index shift,
                    WithResponse response) {
    const Index rank = prior.rank(), square = rank * rank;
    const auto dimensions = static_cast<int>(rank) + 1;
    const RowSource source(prior);
    const Random shifts(0, "tensor-amp/sobol-shift");
    MatrixXd fields(kShiftPoints, rank);
    VectorXd z(rank);
    for (std::uint32_t i = 0; i < kShiftPoints; ++i) {
        std::vector<double> point = sobol_point(dimensions, i);
        for (int d = 0; d < dimensions; ++d) {
            double& x = point[static_cast<std::size_t>(d)];
            x += shifts.uniform(static_cast<std::uint64_t>(d), {static_cast<std::uint64_t>(shift)});
            x = std::clamp(x - std::floor(x), 1e-15, 1 - 1e-15);
            if (d > 0) z(d - 1) = normal_quantile(x);
        }
        const auto number = static_cast<std::uint64_t>(shift) * kShiftPoints + i;
        fields.row(i) = (qhat * source.row(number, point[0]) + root * z).transpose();
    }
    const Belief belief = prior.denoise_rows(qhat, fields);
    const bool responds = response == WithResponse::yes;
    VectorXd sums = VectorXd::Zero(2 + square + (responds ? square * square : 0));
    sums(0) = 1;
    sums(1) = belief.log_partition / kShiftPoints;
    // E f f^T = E x x^T - E Sigma, which varies less from point to point.
    sums.segment(2, square) =
        (prior.second_moment() - belief.summed_covariance / kShiftPoints).reshaped();
    for (Index i = 0; responds && i < fields.rows(); ++i) {
        const MatrixXd covariance = belief.covariance.row(i).reshaped(rank, rank);
        sums.tail(square * square).reshaped(square, square) +=
            Eigen::kroneckerProduct(covariance, covariance).eval() / kShiftPoints;
    }
    return sums;
}

ChannelAverages by_sobol(const Prior& prior, const MatrixXd& qhat, WithResponse response,
                         const Execution& run) {
    const Index rank = prior.rank();
    if (rank + 1 > kSobolDimensions)
        throw Error(concat(prior.describe(), ": ", rank,
                           " components; state evolution of a prior that is not Gaussian takes at "
                           "most ",
                           kSobolDimensions - 1));
    const MatrixXd root = root_of(qhat);
    std::vector<VectorXd> means(kShifts);
    parallel_blocks(kShifts, run.threads, [&](Index shift) {
        run.monitor->stop_if_interrupted();
        means[static_cast<std::size_t>(shift)] = sobol_sums(prior, qhat, root, shift, response);
    });
    const VectorXd mean = tree_sum(means) / kShifts;
    VectorXd square = VectorXd::Zero(mean.size());
    for (const VectorXd& one : means) square += (one - mean).cwiseAbs2();
    const VectorXd error = (square / (kShifts * (kShifts - 1.0))).cwiseSqrt();
    ChannelAverages averages = averages_of(mean, rank);
    averages.overlap_error = error.segment(2, rank * rank).maxCoeff();
    averages.free_entropy_error = error(1);
    return averages;
}

// Where nothing is seen.
ChannelAverages blind_averages(const Prior& prior, const MatrixXd& qhat, WithResponse response) {
    const RowBelief belief = prior.denoise(qhat, VectorXd::Zero(prior.rank()));
    ChannelAverages averages;
    averages.overlap = belief.mean * belief.mean.transpose();
    averages.free_entropy = belief.log_partition;
    if (response == WithResponse::yes)
        averages.response = Eigen::kroneckerProduct(belief.covariance, belief.covariance);
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
    if (basis.cols() == 0) return blind_averages(prior, qhat, response);
    constexpr double usual_spread = 9;
    if (basis.cols() <= kMostAxes &&
        points_of(axes_of(prior, basis, usual_spread), kUsualStep) <= kMostPoints)
        return by_trapezoid(prior, basis, mixture_terms(prior, qhat, basis), usual_spread, response,
                            run);
    return by_sobol(prior, qhat, response, run);
}

} // namespace assay::tensor_amp
