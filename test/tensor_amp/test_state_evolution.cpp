// State evolution against closed forms, independent integrals, sampled averages and published
// numbers.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>
#include <assay/tensor_amp/state_evolution.hpp>
#include <assay/tensor_amp/vector_channel.hpp>

#include <Eigen/Cholesky>
#include <catch2/catch.hpp>
#include <tensor_amp/ensemble.hpp>

#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using tensor_amp_test::ensemble_of;

namespace {

StateEvolutionSettings at_noise(double noise_var) {
    StateEvolutionSettings settings;
    settings.noise_var = noise_var;
    return settings;
}

MatrixXd example_precision(Index rank) {
    MatrixXd root(rank, rank);
    for (Index i = 0; i < rank; ++i)
        for (Index j = 0; j < rank; ++j)
            root(i, j) =
                std::sin(1.0 + 2.3 * static_cast<double>(i) + 0.7 * static_cast<double>(j));
    return root * root.transpose();
}

// E f f^T and E log Z by sampling.
struct Sampled {
    MatrixXd overlap, error;
    double free_entropy = 0, free_entropy_error = 0;
};
Sampled sampled(const Prior& prior, const MatrixXd& qhat, Index count) {
    const MatrixXd root = Eigen::LLT<MatrixXd>(qhat).matrixL();
    const Random random(5, "tensor-amp/test-channel");
    MatrixXd square = MatrixXd::Zero(qhat.rows(), qhat.cols());
    Sampled s{square, square};
    for (Index i = 0; i < count; ++i) {
        const auto row = static_cast<std::uint64_t>(i);
        VectorXd z(qhat.rows());
        for (Index k = 0; k < z.size(); ++k)
            z(k) = random.normal(row, {9, static_cast<std::uint64_t>(k), 7});
        const RowBelief belief =
            prior.denoise(qhat, qhat * prior.sample(random, row, 0) + root * z);
        const MatrixXd one = belief.mean * belief.mean.transpose();
        s.overlap += one;
        square += one.cwiseAbs2();
        s.free_entropy += belief.log_partition;
        s.free_entropy_error += belief.log_partition * belief.log_partition;
    }
    const auto n = static_cast<double>(count);
    s.overlap /= n;
    s.error = ((square / n - s.overlap.cwiseAbs2()) / n).cwiseSqrt();
    s.free_entropy /= n;
    s.free_entropy_error =
        std::sqrt((s.free_entropy_error / n - s.free_entropy * s.free_entropy) / n);
    return s;
}

} // namespace

TEST_CASE("averages of vector channels agree with samples", "[tensor_amp]") {
    struct Setting {
        const char* prior;
        Index rank;
    };
    for (const Setting& s :
         {Setting{"gauss:mean=[0.5,-1],cov=[[1,0.3],[0.3,2]]", 2}, Setting{"rademacher:p=0.7", 2},
          Setting{"gauss-bernoulli:rho=0.2,mean=1", 2}, Setting{"one-hot", 3},
          Setting{"sparse-rademacher:rho=0.3", 4}, Setting{"gauss-bernoulli:rho=0.3", 4}}) {
        INFO(s.prior);
        const PriorPointer prior = parse_prior(s.prior, s.rank);
        const MatrixXd qhat = example_precision(s.rank) + 0.1 * MatrixXd::Identity(s.rank, s.rank);
        const ChannelAverages averages = channel_averages(*prior, qhat, WithResponse::no);
        const Sampled samples = sampled(*prior, qhat, 40000);
        CHECK(((averages.overlap - samples.overlap).cwiseAbs() - 4.5 * samples.error).maxCoeff() <
              5 * averages.overlap_error);
        CHECK_THAT(averages.free_entropy,
                   WithinAbs(samples.free_entropy,
                             4.5 * samples.free_entropy_error + 5 * averages.free_entropy_error));
        CHECK(averages.overlap_error < (s.rank > 3 ? 1e-2 : 1e-5));
    }
}

TEST_CASE("independent components in a diagonal channel are scalar channels", "[tensor_amp]") {
    for (const char* text : {"rademacher:p=0.6", "bernoulli:rho=0.2", "gauss-bernoulli:rho=0.3"})
        for (const Index rank : {2, 3}) {
            INFO(text << " " << rank);
            VectorXd h(rank);
            for (Index k = 0; k < rank; ++k) h(k) = 0.5 + 1.3 * static_cast<double>(k);
            const ChannelAverages averages =
                channel_averages(*parse_prior(text, rank), h.asDiagonal(), WithResponse::yes);
            const ChannelAverages means =
                channel_averages(*parse_prior(text, rank), h.asDiagonal(), WithResponse::no);
            CHECK((means.overlap - averages.overlap).cwiseAbs().maxCoeff() < 1e-12);
            CHECK_THAT(means.free_entropy, WithinRel(averages.free_entropy, 1e-12));
            const PriorPointer one = parse_prior(text, 1);
            double psi = 0;
            for (Index k = 0; k < rank; ++k) {
                const ScalarOverlap scalar = scalar_overlap(*one, h(k));
                CHECK_THAT(averages.overlap(k, k), WithinRel(scalar.q, 1e-6));
                CHECK_THAT(averages.response(k * rank + k, k * rank + k),
                           WithinRel(scalar.slope, 1e-5));
                psi += scalar.psi;
            }
            CHECK_THAT(averages.free_entropy, WithinRel(psi, 1e-6));
            const double mean = one->mean()(0);
            // Other components are independent: E f_k f_l = mean^2.
            CHECK_THAT(averages.overlap(0, 1), WithinAbs(mean * mean, 1e-7));
        }
}

TEST_CASE("vector channels agree with a plain sum over a grid", "[tensor_amp]") {
    // The prior's own denoiser at every point of B = L u, L the Cholesky factor of Qhat.
    for (const char* text :
         {"sparse-rademacher:rho=0.4", "gauss-bernoulli:rho=0.4,mean=0.7,var=0.5",
          "one-hot:probabilities=[0.2,0.3,0.5]"}) {
        INFO(text);
        const PriorPointer prior = parse_prior(text, 3);
        const MatrixXd qhat = 0.6 * example_precision(3) + 0.2 * MatrixXd::Identity(3, 3);
        const MatrixXd root = Eigen::LLT<MatrixXd>(qhat).matrixL();
        MatrixXd overlap = MatrixXd::Zero(3, 3), response = MatrixXd::Zero(9, 9);
        double mass = 0, psi = 0;
        const double step = 0.45, reach = 12;
        for (double x = -reach; x <= reach; x += step)
            for (double y = -reach; y <= reach; y += step)
                for (double z = -reach; z <= reach; z += step) {
                    const Eigen::Vector3d u(x, y, z);
                    if (u.norm() > reach) continue;
                    const RowBelief belief = prior->denoise(qhat, root * u);
                    const double density = std::exp(belief.log_partition - 0.5 * u.squaredNorm()) *
                                           std::pow(step / std::sqrt(2 * M_PI), 3);
                    mass += density;
                    psi += density * belief.log_partition;
                    overlap += density * belief.mean * belief.mean.transpose();
                    const MatrixXd& s = belief.covariance;
                    for (Index i = 0; i < 3; ++i)
                        for (Index j = 0; j < 3; ++j)
                            response.block(3 * i, 3 * j, 3, 3) += density * s(i, j) * s;
                }
        REQUIRE_THAT(mass, WithinAbs(1, 1e-7));
        const ChannelAverages averages = channel_averages(*prior, qhat, WithResponse::yes);
        CHECK((averages.overlap - overlap).cwiseAbs().maxCoeff() < 1e-6);
        CHECK((averages.response - response).cwiseAbs().maxCoeff() < 1e-6);
        CHECK_THAT(averages.free_entropy, WithinAbs(psi, 1e-6));
        CHECK(averages.overlap_error < 1e-5);
    }
}

TEST_CASE("Sobol points know their error", "[tensor_amp]") {
    // Rank 4, independent components: four scalar channels.
    const VectorXd h = (VectorXd(4) << 0.3, 1, 2.5, 6).finished();
    for (const char* text : {"rademacher:p=0.6", "gauss-bernoulli:rho=0.3"}) {
        const ChannelAverages averages =
            channel_averages(*parse_prior(text, 4), h.asDiagonal(), WithResponse::no);
        double psi = 0;
        for (Index k = 0; k < 4; ++k) {
            const ScalarOverlap scalar = scalar_overlap(*parse_prior(text, 1), h(k));
            CHECK_THAT(averages.overlap(k, k), WithinAbs(scalar.q, 4 * averages.overlap_error));
            psi += scalar.psi;
        }
        CHECK_THAT(averages.free_entropy, WithinAbs(psi, 4 * averages.free_entropy_error));
        CHECK(averages.overlap_error > 0);
        CHECK(averages.overlap_error < 5e-3);
    }
    // State evolution with them comes to rest.
    const Ensemble e = ensemble_of({1, 1, 1}, {"rademacher:p=0.7"}, 4);
    const StateEvolution s = state_evolution(e, at_noise(0.2), informed_start(e));
    CHECK(s.status == EvolutionStatus::converged);
    CHECK(s.overlap_error > 0);
}

TEST_CASE("overlap and response are derivatives of the free entropy", "[tensor_amp]") {
    const auto [text, rank] = GENERATE(table<const char*, Index>({{"gauss:mean=[1,0.2],var=0.5", 2},
                                                                  {"rademacher:p=0.7", 2},
                                                                  {"gauss-bernoulli:rho=0.4", 2},
                                                                  {"rademacher:p=0.7", 3},
                                                                  {"gauss-bernoulli:rho=0.4", 3}}));
    {
        INFO(text << " " << rank);
        const PriorPointer prior = parse_prior(text, rank);
        // Of rank 2 whatever its size.
        const MatrixXd qhat =
            example_precision(rank) + (rank > 2 ? 0.1 : 0.0) * MatrixXd::Identity(rank, rank);
        MatrixXd direction = 0.2 * MatrixXd::Ones(rank, rank);
        direction.diagonal().setLinSpaced(0.7, 0.4);
        const double step = 1e-3;
        const ChannelAverages here = channel_averages(*prior, qhat, WithResponse::yes),
                              above = channel_averages(*prior, qhat + step * direction,
                                                       WithResponse::no),
                              below = channel_averages(*prior, qhat - step * direction,
                                                       WithResponse::no);
        CHECK_THAT((above.free_entropy - below.free_entropy) / (2 * step),
                   WithinRel(0.5 * here.overlap.cwiseProduct(direction).sum(), 1e-5));
        const MatrixXd change = (above.overlap - below.overlap) / (2 * step);
        const VectorXd predicted = here.response * direction.reshaped();
        CHECK((change.reshaped() - predicted).cwiseAbs().maxCoeff() < 1e-5);
    }
}

TEST_CASE("a channel that sees only the sum of components", "[tensor_amp]") {
    // Qhat = h 11^T of a Gaussian with equal means: b = m + h / (1 + r h).
    const PriorPointer gauss = parse_prior("gauss:mean=0.4", 3);
    const MatrixXd qhat = MatrixXd::Constant(3, 3, 0.7);
    const ChannelAverages closed = channel_averages(*gauss, qhat, WithResponse::no);
    CHECK((closed.overlap.array() - (0.16 + 0.7 / (1 + 3 * 0.7))).abs().maxCoeff() < 1e-12);
    // Signs: the posterior mean of each is half that of the sum, which takes -2, 0, 2.
    MatrixXd states(3, 1);
    states << -2, 0, 2;
    VectorXd weights(3);
    weights << 0.09, 0.42, 0.49;
    const DiscretePrior sum(states, weights, "sum");
    const ChannelAverages signs = channel_averages(*rademacher_prior(2, 0.7),
                                                   MatrixXd::Constant(2, 2, 1.3), WithResponse::no);
    const ScalarOverlap scalar = scalar_overlap(sum, 1.3);
    CHECK((signs.overlap.array() - scalar.q / 4).abs().maxCoeff() < 1e-9);
    CHECK_THAT(signs.free_entropy, WithinRel(scalar.psi, 1e-9));
}

TEST_CASE("state evolution of published settings", "[tensor_amp]") {
    SECTION("cubic, one component") {
        const Ensemble e = ensemble_of({250, 250, 250}, {"gauss:mean=0.6"});
        const StateEvolution s = state_evolution(e, at_noise(0.6), prior_mean_start(e));
        CHECK_THAT(s.q[0][0](0, 0), WithinRel(0.36, 1e-14));
        const std::vector<std::pair<std::size_t, double>> expected{
            {1, 0.538}, {2, 0.777}, {3, 0.912}, {4, 0.955}, {6, 0.970}};
        for (const auto& [sweep, value] : expected)
            CHECK_THAT(s.q[sweep][0](0, 0), WithinAbs(value, 6e-4));
        CHECK(s.status == EvolutionStatus::converged);
    }
    SECTION("three shapes and means") {
        const Ensemble e =
            ensemble_of({80, 250, 600}, {"gauss:mean=0.7", "gauss:mean=0.5", "gauss:mean=0.3"});
        const StateEvolution s = state_evolution(e, at_noise(0.4), prior_mean_start(e));
        const std::vector<double> expected{1.287, 0.894, 0.613};
        for (std::size_t a = 0; a < 3; ++a)
            CHECK_THAT(s.q.back()[a](0, 0), WithinAbs(expected[a], 6e-4));
    }
    SECTION("two components") {
        const Ensemble e = ensemble_of(
            {200, 250, 300},
            {"gauss:mean=[0.8,0.2]", "gauss:mean=[0.6,-0.3]", "gauss:mean=[0.7,0.4]"}, 2);
        const StateEvolution s = state_evolution(e, at_noise(0.35), prior_mean_start(e));
        MatrixXd expected(2, 2);
        expected << 1.486, 0.139, 0.139, 0.16;
        CHECK((s.q.back()[0] - expected).cwiseAbs().maxCoeff() < 4e-3);
    }
    SECTION("order 4") {
        const Ensemble e = ensemble_of({40, 50, 60, 70}, {"gauss:mean=0.7"});
        const StateEvolution s = state_evolution(e, at_noise(0.5), prior_mean_start(e));
        const std::vector<double> expected{1.343, 1.316, 1.291, 1.268};
        for (std::size_t a = 0; a < 4; ++a)
            CHECK_THAT(s.q.back()[a](0, 0), WithinAbs(expected[a], 6e-4));
    }
    SECTION("a hard phase") {
        const Ensemble e = ensemble_of({250, 250, 250}, {"gauss:mean=0.2"});
        const auto ends = [&](double noise) {
            return std::pair{
                state_evolution(e, at_noise(noise), prior_mean_start(e)).q.back()[0](0, 0),
                state_evolution(e, at_noise(noise), informed_start(e)).q.back()[0](0, 0)};
        };
        CHECK_THAT(ends(0.13).first, WithinAbs(0.90, 0.02));
        CHECK_THAT(ends(0.13).second, WithinAbs(0.90, 0.02));
        CHECK_THAT(ends(0.2).first, WithinAbs(0.06, 0.02));
        CHECK_THAT(ends(0.2).second, WithinAbs(0.80, 0.02));
        CHECK_THAT(ends(0.35).first, WithinAbs(0.05, 0.02));
        CHECK_THAT(ends(0.35).second, WithinAbs(0.05, 0.02));
    }
    SECTION("one mean only") {
        const Ensemble e =
            ensemble_of({150, 200, 250}, {"gauss:mean=0.8", "gauss:mean=0", "gauss:mean=0"});
        const double bbp = 0.64 / std::sqrt(e.aspect(1) * e.aspect(2));
        const std::vector<std::vector<double>> expected{
            {0.3, 1.495, 0.882, 0.860}, {0.5, 1.372, 0.782, 0.750}, {0.7, 1.208, 0.648, 0.610}};
        for (const auto& row : expected) {
            const StateEvolution s = state_evolution(e, at_noise(row[0] * bbp), informed_start(e));
            for (std::size_t a = 0; a < 3; ++a)
                CHECK_THAT(s.q.back()[a](0, 0), WithinAbs(row[a + 1], 6e-4));
        }
        const StateEvolution above = state_evolution(e, at_noise(1.4 * bbp), informed_start(e));
        CHECK_THAT(above.q.back()[0](0, 0), WithinAbs(0.64, 1e-6));
        CHECK_THAT(above.q.back()[1](0, 0), WithinAbs(0, 1e-6));
    }
}

TEST_CASE("exchangeable components stay exchangeable from the prior mean", "[tensor_amp]") {
    // Far below the specialisation, where any rounding would grow 1.7-fold a sweep.
    const Ensemble e = ensemble_of({1, 1, 1}, {"gauss:mean=0.4"}, 2);
    StateEvolutionSettings settings = at_noise(0.3);
    settings.tolerance = 0;
    settings.max_iterations = 300;
    const StateEvolution s = state_evolution(e, settings, prior_mean_start(e));
    const MatrixXd& q = s.q.back()[1];
    CHECK(std::abs(q(0, 0) - q(0, 1)) < 1e-13);
    // b = m + h / (1 + 2 h), h = b^2 / Delta.
    const double b = q(0, 0), h = b * b / 0.3;
    CHECK_THAT(b, WithinAbs(0.16 + h / (1 + 2 * h), 1e-12));
    // Priors that are not Gaussian too.
    const Ensemble signs = ensemble_of({1, 1, 1}, {"rademacher:p=0.7"}, 2);
    settings.noise_var = 0.1;
    const MatrixXd same = state_evolution(signs, settings, prior_mean_start(signs)).q.back()[0];
    CHECK((same.array() - same(0, 0)).abs().maxCoeff() < 1e-13);
    // From the truth they separate.
    const StateEvolution informed = state_evolution(e, at_noise(0.3), informed_start(e));
    CHECK_THAT(informed.q.back()[0](0, 0), WithinAbs(0.92, 0.07));
    CHECK_THAT(informed.q.back()[0](0, 1), WithinAbs(0.167, 0.07));
    const StateEvolution high = state_evolution(e, at_noise(0.8), informed_start(e));
    CHECK((high.q.back()[0].array() - 0.22).abs().maxCoeff() < 0.02);
}

TEST_CASE("fixed points are stationary points of the free entropy", "[tensor_amp]") {
    for (const char* text :
         {"gauss:mean=[0.6,-0.2],cov=[[1,0.3],[0.3,0.8]]", "rademacher:p=0.75"}) {
        const Ensemble e = ensemble_of({1, 2, 3}, {text}, 2);
        const double noise = 0.3;
        const StateEvolution s = state_evolution(e, at_noise(noise), informed_start(e));
        REQUIRE(s.status == EvolutionStatus::converged);
        const double step = 1e-4;
        for (std::size_t a = 0; a < 3; ++a)
            for (Index k = 0; k < 2; ++k) {
                Overlaps above = s.q.back(), below = s.q.back();
                above[a](k, k) += step;
                below[a](k, k) -= step;
                const double slope =
                    (free_entropy(e, noise, above) - free_entropy(e, noise, below)) / (2 * step);
                CHECK_THAT(slope, WithinAbs(0, 2e-6));
            }
        CHECK_THAT(s.free_entropy, WithinRel(free_entropy(e, noise, s.q.back()), 1e-12));
    }
}

TEST_CASE("schedules differ on the way and agree at the end", "[tensor_amp]") {
    const Ensemble e = ensemble_of({1, 2, 4}, {"bernoulli:rho=0.4"});
    StateEvolutionSettings parallel = at_noise(0.01);
    parallel.schedule = Schedule::parallel;
    const StateEvolution one = state_evolution(e, at_noise(0.01), prior_mean_start(e)),
                         other = state_evolution(e, parallel, prior_mean_start(e));
    CHECK(one.sweeps() < other.sweeps());
    CHECK(one.q[1][0] == other.q[1][0]);
    CHECK(one.q[1][1] != other.q[1][1]);
    for (std::size_t a = 0; a < 3; ++a)
        CHECK_THAT(one.q.back()[a](0, 0), WithinRel(other.q.back()[a](0, 0), 1e-9));
    CHECK_THAT(one.mse(0), WithinAbs(0.4 - one.q.back()[0](0, 0), 1e-12));
}

TEST_CASE("zero means: nothing starts from nothing", "[tensor_amp]") {
    for (const char* text : {"gauss", "rademacher", "sparse-rademacher:rho=0.3"}) {
        const Ensemble e = ensemble_of({1, 1, 1}, {text}, 2);
        const StateEvolution s = state_evolution(e, at_noise(0.01), prior_mean_start(e));
        CHECK(s.q.back()[0].cwiseAbs().maxCoeff() == 0);
        CHECK_THAT(s.signal_error, WithinAbs(1, 1e-15));
    }
}

TEST_CASE("matched assumptions keep M = Q, at any rank", "[tensor_amp]") {
    for (const Index rank : {1, 2}) {
        const char* text =
            rank == 1 ? "gauss:mean=0.5,var=0.7" : "gauss:mean=[0.5,0.9],cov=[[1,0.2],[0.2,0.6]]";
        const Ensemble e = ensemble_of({1, 3, 2}, {text}, rank);
        const Assumptions same{0.4, e.priors};
        const StateEvolution s =
            mismatched_evolution(e, same, at_noise(0.4), prior_mean_start(e, same));
        const StateEvolution matched = state_evolution(e, at_noise(0.4), prior_mean_start(e));
        for (std::size_t a = 0; a < 3; ++a) {
            CHECK((s.m.back()[a] - s.q.back()[a]).cwiseAbs().maxCoeff() < 1e-10);
            CHECK((s.q.back()[a] - matched.q.back()[a]).cwiseAbs().maxCoeff() < 1e-10);
        }
        CHECK_THAT(s.signal_error, WithinAbs(matched.signal_error, 1e-10));
        CHECK_THAT(s.mse(1), WithinAbs(matched.mse(1), 1e-10));
    }
    const Ensemble signs = ensemble_of({1, 1, 2}, {"rademacher:p=0.8"});
    const Assumptions same{0.3, signs.priors};
    const StateEvolution s =
        mismatched_evolution(signs, same, at_noise(0.3), prior_mean_start(signs, same));
    CHECK_THAT(s.m.back()[2](0, 0), WithinAbs(s.q.back()[2](0, 0), 1e-9));
}

TEST_CASE("mismatched state evolution is an average over fields", "[tensor_amp]") {
    // One step of rank 2 assumed for rank 1, by samples of the field.
    const Ensemble truth = ensemble_of({1, 1, 1}, {"gauss:mean=0.8,var=0.5"});
    Assumptions assumed{0.7, {}};
    for (int a = 0; a < 3; ++a)
        assumed.priors.push_back(parse_prior("gauss:mean=[0.4,0.3],cov=[[1,0.2],[0.2,1]]", 2));
    StateEvolutionSettings settings = at_noise(0.5);
    settings.max_iterations = 1;
    MismatchedStart start;
    for (int a = 0; a < 3; ++a) {
        start.m.push_back((MatrixXd(2, 1) << 0.7, 0.3).finished());
        start.q.push_back((MatrixXd(2, 2) << 0.9, 0.2, 0.2, 0.4).finished());
    }
    const StateEvolution s = mismatched_evolution(truth, assumed, settings, start);
    const MatrixXd qhat = start.q[0].cwiseAbs2() / 0.7, mhat = start.m[0].cwiseAbs2() / 0.7;
    const MatrixXd root = Eigen::LLT<MatrixXd>(qhat * 0.5 / 0.7).matrixL();
    const Random random(3, "tensor-amp/test-mismatch");
    MatrixXd m = MatrixXd::Zero(2, 1), q = MatrixXd::Zero(2, 2);
    const int count = 40000;
    for (int i = 0; i < count; ++i) {
        const auto row = static_cast<std::uint64_t>(i);
        const VectorXd x0 = truth.prior(0).sample(random, row, 0);
        const VectorXd z =
            (VectorXd(2) << random.normal(row, {5, 1, 1}), random.normal(row, {5, 2, 1}))
                .finished();
        const VectorXd f = assumed.priors[0]->denoise(qhat, mhat * x0 + root * z).mean;
        m += f * x0.transpose() / count;
        q += f * f.transpose() / count;
    }
    CHECK((s.m.back()[0] - m).cwiseAbs().maxCoeff() < 0.02);
    CHECK((s.q.back()[0] - q).cwiseAbs().maxCoeff() < 0.02);
    CHECK(std::isnan(s.mse(0)));
}

TEST_CASE("wrong assumptions never help", "[tensor_amp]") {
    const Ensemble e = ensemble_of({1, 1, 1}, {"rademacher:p=0.8"});
    const StateEvolution best = state_evolution(e, at_noise(0.2), prior_mean_start(e));
    for (const double noise : {0.1, 0.2, 0.3}) {
        Assumptions assumed{noise, {}};
        for (int a = 0; a < 3; ++a)
            assumed.priors.push_back(parse_prior("gauss:mean=0.6,var=0.64", 1));
        const StateEvolution s =
            mismatched_evolution(e, assumed, at_noise(0.2), prior_mean_start(e, assumed));
        CHECK(s.mse(0) > best.mse(0));
        CHECK(s.signal_error > best.signal_error);
    }
}

TEST_CASE("state evolution refuses what it cannot do", "[tensor_amp]") {
    const Ensemble e = ensemble_of({1, 1, 1}, {"gauss"});
    CHECK_THROWS_WITH(state_evolution(e, at_noise(0), prior_mean_start(e)),
                      Catch::Contains("noise_var is 0; it must be positive"));
    CHECK_THROWS_WITH(ensemble_of({1, 1, 1}, {"exponential"}, 2),
                      Catch::Contains("theory needs an exact one"));
    CHECK_THROWS_WITH(ensemble_of({1}, {"gauss"}), Catch::Contains("order 1"));
    CHECK_THROWS_AS(make_ensemble(VectorXd::Ones(3), {parse_prior("gauss", 1)}), Error);
    CHECK_THROWS_AS(state_evolution(e, at_noise(1), {MatrixXd::Ones(1, 1)}), Error);
    const Ensemble two = ensemble_of({1, 1, 1}, {"rademacher"}, 2);
    const Assumptions assumed{1, two.priors};
    CHECK_THROWS_WITH(
        mismatched_evolution(two, assumed, at_noise(1), prior_mean_start(two, assumed)),
        Catch::Contains("above rank 1 takes Gaussian priors"));
}

TEST_CASE("theory has the same bits for any number of threads", "[tensor_amp]") {
    for (const Index rank : {2, 4}) {
        const PriorPointer prior = parse_prior("sparse-rademacher:rho=0.3", rank);
        const MatrixXd qhat = example_precision(rank);
        Execution many;
        many.threads = 5;
        const ChannelAverages one = channel_averages(*prior, qhat, WithResponse::yes),
                              other = channel_averages(*prior, qhat, WithResponse::yes, many);
        CHECK(one.overlap == other.overlap);
        CHECK(one.response == other.response);
        CHECK(one.free_entropy == other.free_entropy);
    }
}
