// Runs against theory that is computed here, by plain sums: state evolution of priors that are not
// Gaussian and of assumptions that are wrong, and the replica-symmetric free entropy.
#include "instance.hpp"

#include <assay/tensor_amp/amp.hpp>
#include <assay/tensor_amp/mttkrp.hpp>

#include <catch2/catch.hpp>

#include <Eigen/Cholesky>
#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace assay;
using namespace assay::tensor_amp;
using namespace tensor_test;

namespace {

// A prior as values and their weights, of sum 1.
struct Atoms {
    VectorXd value, weight;
    [[nodiscard]] double mean() const { return weight.dot(value); }
    [[nodiscard]] double square() const { return weight.dot(value.cwiseAbs2()); }
};
Atoms two_atoms(double first, double weight, double second) {
    return {(VectorXd(2) << first, second).finished(),
            (VectorXd(2) << weight, 1 - weight).finished()};
}
// `weight` of a density between two values, the rest at 0.
Atoms density_atoms(double low, double high, const std::function<double(double)>& density,
                    double weight = 1) {
    constexpr Index count = 1500;
    Atoms atoms{VectorXd(count + 1), VectorXd(count + 1)};
    for (Index k = 0; k < count; ++k) {
        atoms.value(k) = low + (high - low) * (static_cast<double>(k) + 0.5) / count;
        atoms.weight(k) = density(atoms.value(k));
    }
    atoms.value(count) = atoms.weight(count) = 0;
    atoms.weight *= weight / atoms.weight.sum();
    atoms.weight(count) = 1 - weight;
    return atoms;
}

// q = E f^2 and psi = E log Z of the channel B = h x + sqrt(h) z, over a grid of B:
//     q = Int (sum w x N(B; h x, h))^2 / sum w N(B; h x, h).
struct Channel {
    double q = 0, psi = 0;
};
Channel channel(const Atoms& atoms, double h) {
    const double root = std::sqrt(h);
    const double low = std::min(0.0, h * atoms.value.minCoeff()) - 9 * root;
    const double high = std::max(0.0, h * atoms.value.maxCoeff()) + 9 * root;
    const double step = root / 12;
    Channel result;
    for (double b = low; b < high; b += step) {
        const Eigen::ArrayXd terms =
            atoms.weight.array() * (-(b - h * atoms.value.array()).square() / (2 * h)).exp();
        const double sum = terms.sum() / std::sqrt(2 * M_PI * h);
        if (!(sum > 1e-250)) continue;
        const double first = (terms * atoms.value.array()).sum() / std::sqrt(2 * M_PI * h);
        result.q += step * first * first / sum;
        result.psi += step * sum * (std::log(sum) + b * b / (2 * h) + 0.5 * std::log(2 * M_PI * h));
    }
    return result;
}

// Values of which an equal share lies in each part of the prior, in a random order.
MatrixXd even_factor(const Atoms& atoms, Index rows, std::uint64_t seed, std::uint64_t mode) {
    std::vector<Index> by_value(static_cast<std::size_t>(atoms.value.size()));
    std::iota(by_value.begin(), by_value.end(), Index{0});
    std::sort(by_value.begin(), by_value.end(),
              [&](Index a, Index b) { return atoms.value(a) < atoms.value(b); });
    const Random random(seed, "tensor-amp/test-order");
    std::vector<std::pair<double, double>> values;
    std::size_t k = 0;
    double below = atoms.weight(by_value[0]);
    for (Index i = 0; i < rows; ++i) {
        const double level = (static_cast<double>(i) + 0.5) / static_cast<double>(rows);
        while (below < level && k + 1 < by_value.size()) below += atoms.weight(by_value[++k]);
        values.emplace_back(random.uniform(static_cast<std::uint64_t>(i), {mode, 0, 0}),
                            atoms.value(by_value[k]));
    }
    std::sort(values.begin(), values.end());
    MatrixXd factor(rows, 1);
    for (Index i = 0; i < rows; ++i) factor(i, 0) = values[static_cast<std::size_t>(i)].second;
    return factor;
}

// M and Q of every mode after every sweep, averaged over instances.
using ByMode = std::vector<MatrixXd>;
struct Path {
    std::vector<ByMode> m, q; // by sweep
};
using Begin = std::function<Factors(const Instance&)>;
Path path_of(const std::vector<Instance>& instances, double noise, const AmpSettings& settings,
             const Begin& begin) {
    const auto sweeps = static_cast<std::size_t>(settings.max_iterations - 1);
    const auto count = static_cast<double>(instances.size());
    const Index rank = instances.front().priors.front()->rank();
    const Index true_rank = instances.front().truth.front().cols();
    const std::size_t order = instances.front().shape.size();
    Path mean{{sweeps, ByMode(order, MatrixXd::Zero(rank, true_rank))},
              {sweeps, ByMode(order, MatrixXd::Zero(rank, rank))}};
    for (const Instance& one : instances) {
        const MemoryTensor source(one.tensor);
        AmpProblem problem;
        problem.source = &source;
        problem.priors = one.priors;
        problem.noise_variance = noise;
        std::size_t sweep = 0;
        problem.after_sweep = [&](const std::vector<AmpState>& states) {
            for (std::size_t a = 0; sweep < sweeps && a < order; ++a) {
                const MatrixXd& x = states.front().means()[a];
                mean.m[sweep][a] += overlap(x, one.truth[a]) / count;
                mean.q[sweep][a] += overlap(x, x) / count;
            }
            ++sweep;
        };
        static_cast<void>(run_amp(problem, {begin(one)}, settings, {}));
    }
    return mean;
}

Factors at_prior_means(const Instance& one) {
    Factors start;
    for (std::size_t a = 0; a < one.shape.size(); ++a)
        start.emplace_back(one.priors[a]->mean().transpose().replicate(one.shape[a], 1));
    return start;
}

double largest_difference(const ByMode& runs, const ByMode& theory) {
    double largest = 0;
    for (std::size_t a = 0; a < theory.size(); ++a)
        largest = std::max(largest, (runs[a] - theory[a]).cwiseAbs().maxCoeff());
    return largest;
}

// The same of one component: sweep x mode.
struct Followed {
    MatrixXd m, q;
};
Followed followed(const std::vector<Instance>& instances, double noise,
                  const AmpSettings& settings) {
    const Path path = path_of(instances, noise, settings, at_prior_means);
    const auto sweeps = static_cast<Index>(path.m.size());
    const auto order = static_cast<Index>(path.m.front().size());
    Followed mean{MatrixXd(sweeps, order), MatrixXd(sweeps, order)};
    for (Index sweep = 0; sweep < sweeps; ++sweep)
        for (Index a = 0; a < order; ++a) {
            const auto t = static_cast<std::size_t>(sweep), k = static_cast<std::size_t>(a);
            mean.m(sweep, a) = path.m[t][k](0, 0);
            mean.q(sweep, a) = path.q[t][k](0, 0);
        }
    return mean;
}

AmpSettings plain_settings(int sweeps) {
    AmpSettings settings;
    settings.damping = 1.0;
    settings.gauge = false;
    settings.tolerance = 0;
    settings.max_iterations = sweeps + 1;
    return settings;
}

// Product of all overlaps but one.
double others(const VectorXd& q, Index mode) {
    double product = 1;
    for (Index b = 0; b < q.size(); ++b)
        if (b != mode) product *= q(b);
    return product;
}

double unscaled_density(double x, double mean, double variance) {
    return std::exp(-(x - mean) * (x - mean) / (2 * variance));
}

// A prior of two components as rows of values and their weights.
struct States {
    MatrixXd value; // states x 2
    VectorXd weight;
    [[nodiscard]] MatrixXd square() const {
        return value.transpose() * weight.asDiagonal() * value;
    }
};

// Q = E f f^T of the channel B = H x + H^{1/2} z: a sum over the states of x, and over a grid of z.
MatrixXd pair_overlap(const States& states, const MatrixXd& h) {
    const MatrixXd root = h.llt().matrixL();
    const VectorXd half = 0.5 * (states.value * h).cwiseProduct(states.value).rowwise().sum();
    constexpr double step = 0.2, reach = 6;
    MatrixXd q = MatrixXd::Zero(2, 2);
    for (Index k = 0; k < states.weight.size(); ++k)
        for (double y = -reach; y < reach + step / 2; y += step)
            for (double z = -reach; z < reach + step / 2; z += step) {
                const VectorXd b =
                    h * states.value.row(k).transpose() + root * (VectorXd(2) << y, z).finished();
                const VectorXd exponent = states.value * b - half;
                const VectorXd posterior =
                    states.weight.array() * (exponent.array() - exponent.maxCoeff()).exp();
                const VectorXd f = states.value.transpose() * posterior / posterior.sum();
                const double density = std::exp(-0.5 * (y * y + z * z)) / (2 * M_PI);
                q += states.weight(k) * density * step * step * f * f.transpose();
            }
    return q;
}

// Rows of which each state has its share, in a random order.
MatrixXd even_rows(const States& states, Index rows, std::uint64_t seed, std::uint64_t mode) {
    const Random random(seed, "tensor-amp/test-order");
    std::vector<std::pair<double, Index>> order;
    Index k = 0;
    double below = states.weight(0);
    for (Index i = 0; i < rows; ++i) {
        const double level = (static_cast<double>(i) + 0.5) / static_cast<double>(rows);
        while (below < level && k + 1 < states.weight.size()) below += states.weight(++k);
        order.emplace_back(random.uniform(static_cast<std::uint64_t>(i), {mode, 0, 0}), k);
    }
    std::sort(order.begin(), order.end());
    MatrixXd factor(rows, 2);
    for (Index i = 0; i < rows; ++i)
        factor.row(i) = states.value.row(order[static_cast<std::size_t>(i)].second);
    return factor;
}

// Of three states that are no product of two components: their values, and weights behind them.
MatrixXd three_states() {
    return (MatrixXd(3, 3) << 1, 0.5, 0.3, -1, 0.5, 0.3, 0, -1, 0.4).finished();
}
MatrixXd read_three_states(const std::string& /*path*/) {
    return three_states();
}

struct PairCase {
    const char* prior;
    States states;
    double noise;
};
std::vector<PairCase> pair_cases() {
    States signs{MatrixXd(9, 2), VectorXd(9)};
    for (Index k = 0; k < 3; ++k)
        for (Index l = 0; l < 3; ++l) {
            signs.value.row(3 * k + l) << static_cast<double>(k - 1), static_cast<double>(l - 1);
            signs.weight(3 * k + l) = (k == 1 ? 0.4 : 0.3) * (l == 1 ? 0.4 : 0.3);
        }
    return {{"sparse-rademacher:rho=0.6", signs, 0.045},
            {"discrete:file=three", {three_states().leftCols(2), three_states().col(2)}, 0.06},
            {"one-hot:probabilities=[0.4,0.6]",
             {MatrixXd::Identity(2, 2), (VectorXd(2) << 0.4, 0.6).finished()},
             0.06}};
}

struct Case {
    const char* prior;
    Atoms atoms;
    double noise;
};
std::vector<Case> cases() {
    return {{"rademacher:p=0.8", two_atoms(1, 0.8, -1), 0.3},
            {"bernoulli:rho=0.4", two_atoms(1, 0.4, 0), 0.02},
            {"gauss-bernoulli:rho=0.4,mean=1.2,var=0.5",
             density_atoms(
                 -5, 7, [](double x) { return unscaled_density(x, 1.2, 0.5); }, 0.4),
             0.1},
            {"exponential:rate=1", density_atoms(0, 25, [](double x) { return std::exp(-x); }), 2},
            {"nonneg-gauss:mean=0.3,var=1",
             density_atoms(0, 8, [](double x) { return unscaled_density(x, 0.3, 1); }), 0.6}};
}

// Of one prior in every mode; `draw` gives the factor of a mode's length, of a seed and mode.
template <class Draw>
std::vector<Instance> drawn_instances(const Shape& shape, const PriorPointer& prior, double noise,
                                      std::uint64_t count, const Draw& draw) {
    std::vector<Instance> instances(count);
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        Instance& instance = instances[seed];
        instance.shape = shape;
        instance.priors.assign(shape.size(), prior);
        for (std::uint64_t a = 0; a < shape.size(); ++a)
            instance.truth.push_back(draw(shape[a], seed, a));
        make_tensor(instance, noise, seed);
    }
    return instances;
}

} // namespace

TEST_CASE("priors that are not Gaussian follow state evolution", "[tensor_amp][amp]") {
    // At twice the dimensions the largest difference falls from 0.05 to 0.01.
    const Shape shape{80, 100, 125};
    const VectorXd ratios = aspect_ratios(shape);
    constexpr int sweeps = 6, count = 10;
    for (const Case& one : cases()) {
        INFO(one.prior);
        const PriorPointer prior = parse_prior(one.prior, 1);
        CHECK(prior->mean()(0) == Approx(one.atoms.mean()).epsilon(1e-3));
        CHECK(prior->second_moment()(0, 0) == Approx(one.atoms.square()).epsilon(1e-3));
        const auto instances = drawn_instances(
            shape, prior, one.noise, count, [&](Index length, std::uint64_t seed, std::uint64_t a) {
                return even_factor(one.atoms, length, seed, a);
            });
        const Followed runs = followed(instances, one.noise, plain_settings(sweeps));
        VectorXd q = VectorXd::Constant(3, std::pow(one.atoms.mean(), 2));
        for (Index sweep = 0; sweep < sweeps; ++sweep) {
            for (Index a = 0; a < 3; ++a)
                q(a) = channel(one.atoms, others(q, a) / (ratios(a) * one.noise)).q;
            INFO("sweep " << sweep + 1 << "\ntheory " << q.transpose() << "\nM "
                          << runs.m.row(sweep) << "\nQ " << runs.q.row(sweep));
            const double tolerance = 0.07 * one.atoms.square();
            CHECK((runs.m.row(sweep) - q.transpose()).cwiseAbs().maxCoeff() < tolerance);
            CHECK((runs.q.row(sweep) - q.transpose()).cwiseAbs().maxCoeff() < tolerance);
        }
        // Neither the start nor the end of all accuracy.
        CHECK(q(0) > 1.2 * std::pow(one.atoms.mean(), 2));
        CHECK(q(0) < 0.98 * one.atoms.square());
    }
}

TEST_CASE("two components that are not Gaussian follow state evolution from the truth",
          "[tensor_amp][amp]") {
    const Shape shape{80, 100, 125};
    const VectorXd ratios = aspect_ratios(shape);
    constexpr int sweeps = 6, count = 8;
    for (const PairCase& one : pair_cases()) {
        INFO(one.prior);
        const PriorPointer prior = parse_prior(one.prior, 2, read_three_states);
        CHECK((prior->second_moment() - one.states.square()).norm() < 1e-12);
        const auto instances = drawn_instances(
            shape, prior, one.noise, count, [&](Index length, std::uint64_t seed, std::uint64_t a) {
                return even_rows(one.states, length, seed, a);
            });
        const Path runs = path_of(instances, one.noise, plain_settings(sweeps),
                                  [](const Instance& instance) { return instance.truth; });
        ByMode q(3, one.states.square());
        for (std::size_t sweep = 0; sweep < sweeps; ++sweep) {
            for (Index a = 0; a < 3; ++a)
                q[static_cast<std::size_t>(a)] =
                    pair_overlap(one.states, hadamard_except(q, {a}) / (ratios(a) * one.noise));
            const double tolerance = 0.05 * one.states.square().trace();
            INFO("sweep " << sweep + 1 << "\ntheory\n"
                          << q[0] << "\nM\n"
                          << runs.m[sweep][0] << "\nQ\n"
                          << runs.q[sweep][0]);
            CHECK(largest_difference(runs.m[sweep], q) < tolerance);
            CHECK(largest_difference(runs.q[sweep], q) < tolerance);
        }
        // Neither everything nor nothing is known of the components at the end.
        const VectorXd share = q[0].diagonal().cwiseQuotient(one.states.square().diagonal());
        INFO("share " << share.transpose());
        CHECK(share.maxCoeff() < 0.97);
        CHECK(share.minCoeff() > 0.5);
    }
}

namespace {

// Mismatched state evolution of Gaussian modes, of an assumed mean and covariance beside the true
// ones, of other ranks perhaps:
//     M = K (Mhat S0 + u m0^T), T = Qhat Delta / Delta_e, u = P mean,
//     Q = K (Mhat S0 Mhat^T + T + Mhat m0 u^T + u m0^T Mhat^T + u u^T) K, K = (P + Qhat)^-1.
struct Gaussian {
    VectorXd mean;
    MatrixXd covariance;
};
struct Mismatch {
    Gaussian truth, assumed;
    double noise;
    void sweep(const VectorXd& ratios, ByMode& m, ByMode& q) const {
        const MatrixXd precision = assumed.covariance.inverse();
        const VectorXd u = precision * assumed.mean;
        const MatrixXd square = truth.covariance + truth.mean * truth.mean.transpose();
        for (Index a = 0; a < ratios.size(); ++a) {
            const MatrixXd mhat = hadamard_except(m, {a}) / (ratios(a) * noise);
            const MatrixXd qhat = hadamard_except(q, {a}) / (ratios(a) * noise);
            const MatrixXd k = (precision + qhat).inverse();
            const MatrixXd cross = mhat * truth.mean * u.transpose();
            const auto mode = static_cast<std::size_t>(a);
            m[mode] = k * (mhat * square + u * truth.mean.transpose());
            q[mode] = k *
                      (mhat * square * mhat.transpose() + qhat + cross + cross.transpose() +
                       u * u.transpose()) *
                      k;
        }
    }
};

} // namespace

TEST_CASE("a wrong prior and a wrong rank follow the mismatched state evolution",
          "[tensor_amp][amp]") {
    const Shape shape{90, 120, 150};
    const VectorXd ratios = aspect_ratios(shape);
    constexpr int sweeps = 5, count = 6;
    struct Wrong {
        const char *truth, *assumed;
        Index rank, assumed_rank;
        double noise;
    };
    for (const Wrong& one :
         {Wrong{"gauss:mean=0.6", "gauss:mean=0.3,var=0.3", 1, 1, 0.3},
          Wrong{"gauss:mean=[0.8,0.3]", "gauss:mean=0.6", 2, 1, 0.5},
          Wrong{"gauss:mean=0.7", "gauss:mean=[0.6,-0.3],cov=[[1,0.2],[0.2,0.5]]", 1, 2, 0.5}}) {
        const PriorPointer assumed = parse_prior(one.assumed, one.assumed_rank);
        std::vector<Instance> instances;
        Mismatch theory{{}, {}, one.noise};
        const auto moments = [](const Prior& prior) {
            const VectorXd mean = prior.mean();
            return Gaussian{mean, prior.second_moment() - mean * mean.transpose()};
        };
        for (std::uint64_t seed = 0; seed < count; ++seed) {
            instances.push_back(make_instance(shape, {one.truth}, one.rank, one.noise, seed, true));
            theory.truth = moments(*instances.back().priors.front());
            instances.back().priors.assign(3, assumed);
        }
        theory.assumed = moments(*assumed);
        const Path runs = path_of(instances, one.noise, plain_settings(sweeps), at_prior_means);
        ByMode m(3, theory.assumed.mean * theory.truth.mean.transpose()),
            q(3, theory.assumed.mean * theory.assumed.mean.transpose());
        for (std::size_t sweep = 0; sweep < sweeps; ++sweep) {
            theory.sweep(ratios, m, q);
            INFO(one.truth << " taken for " << one.assumed << ", sweep " << sweep + 1 << "\nM\n"
                           << m[0] << "\nruns\n"
                           << runs.m[sweep][0] << "\nQ\n"
                           << q[0] << "\nruns\n"
                           << runs.q[sweep][0]);
            CHECK(largest_difference(runs.m[sweep], m) < 0.06);
            CHECK(largest_difference(runs.q[sweep], q) < 0.09);
        }
        // There was something to follow; under a wrong prior M and Q part.
        CHECK((m[0] - theory.assumed.mean * theory.truth.mean.transpose()).norm() > 0.1);
        if (one.rank == one.assumed_rank) CHECK((m[0] - q[0]).norm() > 0.1);
    }
}

TEST_CASE("a wrong noise variance follows the mismatched state evolution", "[tensor_amp][amp]") {
    // Gaussian, with assumed precision P and noise Delta_e:
    //     M = K (Mhat S0 + u m0), Q = K^2 (Mhat^2 S0 + T + 2 Mhat m0 u + u^2), T = Qhat Delta /
    //     Delta_e.
    const Shape shape{90, 120, 150};
    const VectorXd ratios = aspect_ratios(shape);
    constexpr int sweeps = 5, count = 6;
    constexpr double mean = 0.6, truth = 0.5;
    for (const double assumed : {0.25, 1.0}) {
        std::vector<Instance> instances;
        for (std::uint64_t seed = 0; seed < count; ++seed)
            instances.push_back(make_instance(shape, {"gauss:mean=0.6"}, 1, truth, seed, true));
        AmpSettings settings = plain_settings(sweeps);
        settings.onsager_noise = truth;
        const Followed runs = followed(instances, assumed, settings);
        VectorXd m = VectorXd::Constant(3, mean * mean), q = m;
        for (Index sweep = 0; sweep < sweeps; ++sweep) {
            for (Index a = 0; a < 3; ++a) {
                const double mhat = others(m, a) / (ratios(a) * assumed);
                const double qhat = others(q, a) / (ratios(a) * assumed);
                const double k = 1 / (1 + qhat), s0 = 1 + mean * mean;
                m(a) = k * (mhat * s0 + mean * mean);
                q(a) = k * k *
                       (mhat * mhat * s0 + qhat * truth / assumed + 2 * mhat * mean * mean +
                        mean * mean);
            }
            INFO("assumed " << assumed << " sweep " << sweep + 1 << "\nM " << m.transpose()
                            << "\nruns " << runs.m.row(sweep) << "\nQ " << q.transpose()
                            << "\nruns " << runs.q.row(sweep));
            CHECK((runs.m.row(sweep) - m.transpose()).cwiseAbs().maxCoeff() < 0.06);
            CHECK((runs.q.row(sweep) - q.transpose()).cwiseAbs().maxCoeff() < 0.09);
        }
        // The reaction of the assumed noise does not.
        settings.onsager_noise.reset();
        const Followed naive = followed(instances, assumed, settings);
        CHECK((naive.q.row(sweeps - 1) - q.transpose()).cwiseAbs().maxCoeff() > 0.09);
    }
}

TEST_CASE("the mean Bethe free entropy is the replica-symmetric value", "[tensor_amp][amp]") {
    // Phi = sum_a n_a psi_a(h_a) - (p - 1) prod q / (2 Delta) at the fixed point.
    const Shape shape{50, 60, 75};
    const VectorXd ratios = aspect_ratios(shape);
    constexpr int count = 24;
    std::vector<Case> all = cases();
    all.push_back({"gauss:mean=0.7,var=1",
                   density_atoms(-7, 8, [](double x) { return unscaled_density(x, 0.7, 1); }),
                   0.5});
    for (const Case& one : all) {
        VectorXd q = VectorXd::Constant(3, std::pow(one.atoms.mean(), 2));
        double phi = 0;
        for (int sweep = 0; sweep < 60; ++sweep) {
            phi = 0;
            for (Index a = 0; a < 3; ++a) {
                const Channel c = channel(one.atoms, others(q, a) / (ratios(a) * one.noise));
                q(a) = c.q;
                phi += ratios(a) * c.psi;
            }
            phi -= q.prod() / one.noise;
        }
        VectorXd bethe(count);
        for (std::uint64_t seed = 0; seed < count; ++seed) {
            const Instance instance = make_instance(shape, {one.prior}, 1, one.noise, seed + 50);
            const MemoryTensor source(instance.tensor);
            Factors start;
            for (const Index length : shape)
                start.emplace_back(MatrixXd::Constant(length, 1, one.atoms.mean()));
            AmpProblem problem;
            problem.source = &source;
            problem.priors = instance.priors;
            problem.noise_variance = one.noise;
            const AmpState state = run_amp(problem, {start}, {}, {}).front();
            CHECK(state.status() == AmpStatus::converged);
            bethe(static_cast<Index>(seed)) = state.free_entropy();
        }
        const double error =
            std::sqrt((bethe.array() - bethe.mean()).square().sum() / (count - 1) / count);
        INFO(one.prior << ": " << bethe.mean() << " +- " << error << ", theory " << phi);
        CHECK(std::abs(bethe.mean() - phi) < 2.5 * error);
        CHECK(error < 0.5 * std::abs(phi));
    }
}

TEST_CASE("the parallel schedule without noise turns over by (p - 1)(1 - 2q)",
          "[tensor_amp][amp]") {
    // A small deviation of all overlaps alike comes back as -(p - 1) of itself where q is 1; a
    // damping eta makes it 1 - eta p, which shrinks below 2 / p.
    const Shape shape{60, 60, 60};
    for (const auto& [damping, stable] : {std::pair{0.6, true}, std::pair{0.75, false}}) {
        const Instance one = make_instance(shape, {"gauss"}, 1, 1e-4, 3, true);
        const MemoryTensor source(one.tensor);
        Factors start = one.truth;
        for (MatrixXd& factor : start) factor *= 1.02;
        AmpProblem problem;
        problem.source = &source;
        problem.priors = one.priors;
        problem.noise_variance = 1e-4;
        AmpSettings settings = plain_settings(40);
        settings.schedule = Schedule::parallel;
        settings.damping = damping;
        std::vector<double> changes;
        problem.after_sweep = [&](const std::vector<AmpState>& states) {
            changes.push_back(states.front().trace().back().change);
        };
        static_cast<void>(run_amp(problem, {start}, settings, {}));
        INFO("damping " << damping << ": " << changes[5] << " to " << changes.back());
        CHECK((changes.back() < 0.01 * changes[5]) == stable);
        if (stable)
            for (std::size_t t = 6; t < 10; ++t)
                CHECK(changes[t] / changes[t - 1] ==
                      Approx(std::abs(1 - damping * 3)).margin(0.12));
    }
}
