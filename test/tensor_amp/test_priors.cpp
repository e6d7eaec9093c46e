// Denoisers against direct quadrature of Z(A, B), and against derivatives of log Z.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/nonnegative_prior.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/sparse_prior.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::Contains;

namespace {

double normal_density(double x, double mean, double variance) {
    return std::exp(-0.5 * (x - mean) * (x - mean) / variance) / std::sqrt(2 * M_PI * variance);
}

struct Moments {
    double z, mean, variance;
};

// Simpson's rule on [low, high] of density(x) exp(B x - A x^2 / 2), plus point masses.
Moments integrate(const std::function<double(double)>& density, double low, double high, double a,
                  double b, const std::vector<std::pair<double, double>>& masses = {}) {
    constexpr int intervals = 40000;
    const double step = (high - low) / intervals;
    double sums[3] = {0, 0, 0};
    const auto add = [&](double x, double weight) {
        const double value = weight * std::exp(b * x - 0.5 * a * x * x);
        sums[0] += value;
        sums[1] += value * x;
        sums[2] += value * x * x;
    };
    for (int i = 0; i <= intervals; ++i) {
        const double x = low + step * i;
        const double rule = (i == 0 || i == intervals) ? 1 : (i % 2 ? 4 : 2);
        add(x, rule * step / 3 * density(x));
    }
    for (const auto& [x, weight] : masses) add(x, weight);
    const double mean = sums[1] / sums[0];
    return {sums[0], mean, sums[2] / sums[0] - mean * mean};
}

void check_scalar(const PriorPointer& prior, double a, double b, const Moments& truth) {
    INFO(prior->describe() << " A " << a << " B " << b);
    const RowBelief row = prior->denoise(MatrixXd::Constant(1, 1, a), VectorXd::Constant(1, b));
    CHECK(row.log_partition == Approx(std::log(truth.z)).epsilon(1e-8).margin(1e-9));
    CHECK(row.mean(0) == Approx(truth.mean).epsilon(1e-7).margin(1e-9));
    CHECK(row.covariance(0, 0) == Approx(truth.variance).epsilon(1e-6).margin(1e-9));
}

// f = grad_B log Z, sigma = grad_B f, by central differences; and rows agree with single rows.
void check_derivatives(const Prior& prior, const MatrixXd& precision, const VectorXd& field) {
    INFO(prior.describe());
    const Index r = prior.rank();
    const double h = 1e-5;
    const RowBelief row = prior.denoise(precision, field);
    for (Index k = 0; k < r; ++k) {
        VectorXd above = field, below = field;
        above(k) += h;
        below(k) -= h;
        const RowBelief up = prior.denoise(precision, above);
        const RowBelief down = prior.denoise(precision, below);
        CHECK(row.mean(k) ==
              Approx((up.log_partition - down.log_partition) / (2 * h)).margin(1e-8));
        const VectorXd slope = (up.mean - down.mean) / (2 * h);
        for (Index l = 0; l < r; ++l) CHECK(row.covariance(k, l) == Approx(slope(l)).margin(1e-8));
    }
    MatrixXd fields(3, r);
    fields << field.transpose(), -field.transpose(), 0.3 * field.transpose();
    const Belief belief = prior.denoise_rows(precision, fields);
    double total = 0;
    MatrixXd summed = MatrixXd::Zero(r, r);
    for (Index i = 0; i < 3; ++i) {
        const RowBelief one = prior.denoise(precision, fields.row(i).transpose());
        total += one.log_partition;
        summed += one.covariance;
        CHECK((belief.mean.row(i).transpose() - one.mean).norm() < 1e-12 * (1 + one.mean.norm()));
    }
    CHECK(belief.log_partition == Approx(total).epsilon(1e-12));
    CHECK((belief.summed_covariance - summed).norm() < 1e-12 * (1 + summed.norm()));
}

} // namespace

TEST_CASE("scalar denoisers are what quadrature says", "[tensor_amp][prior]") {
    for (const auto& [a, b] : std::vector<std::pair<double, double>>{
             {0.0, 0.0}, {0.5, -1.2}, {2.0, 3.0}, {7.0, -4.0}, {0.1, 0.4}}) {
        check_scalar(
            parse_prior("gauss:mean=0.4,var=0.7", 1), a, b,
            integrate([](double x) { return normal_density(x, 0.4, 0.7); }, -12, 12, a, b));
        check_scalar(parse_prior("gauss-bernoulli:rho=0.3,mean=0.5,var=2", 1), a, b,
                     integrate([](double x) { return 0.3 * normal_density(x, 0.5, 2); }, -20, 20, a,
                               b, {{0, 0.7}}));
        for (const double mean : {-3.0, 0.0, 1.5}) {
            const double mass = 0.5 * std::erfc(-mean / std::sqrt(2 * 0.8));
            check_scalar(parse_prior("nonneg-gauss:mean=" + std::to_string(mean) + ",var=0.8", 1),
                         a, b,
                         integrate([&](double x) { return normal_density(x, mean, 0.8) / mass; }, 0,
                                   14, a, b));
        }
        if (a > 0)
            check_scalar(parse_prior("exponential:rate=1.3", 1), a, b,
                         integrate([](double x) { return 1.3 * std::exp(-1.3 * x); }, 0, 40, a, b));
        check_scalar(parse_prior("rademacher:p=0.3", 1), a, b,
                     integrate([](double) { return 0; }, 0, 1, a, b, {{1, 0.3}, {-1, 0.7}}));
        check_scalar(parse_prior("bernoulli:rho=0.2", 1), a, b,
                     integrate([](double) { return 0; }, 0, 1, a, b, {{1, 0.2}, {0, 0.8}}));
        check_scalar(
            parse_prior("sparse-rademacher:rho=0.2", 1), a, b,
            integrate([](double) { return 0; }, 0, 1, a, b, {{1, 0.1}, {-1, 0.1}, {0, 0.8}}));
    }
    const RowBelief plain =
        parse_prior("exponential:rate=2", 1)->denoise(MatrixXd::Zero(1, 1), VectorXd::Zero(1));
    CHECK(plain.mean(0) == Approx(0.5));
    CHECK(plain.covariance(0, 0) == Approx(0.25));
}

TEST_CASE("denoisers far in a tail keep their digits", "[tensor_amp][prior]") {
    const PriorPointer cut = parse_prior("nonneg-gauss", 1);
    // Far below zero the posterior is exponential with rate -B: mean 1/|B|, variance 1/B^2.
    const RowBelief row = cut->denoise(MatrixXd::Zero(1, 1), VectorXd::Constant(1, -1e4));
    CHECK(row.mean(0) == Approx(1e-4).epsilon(1e-7));
    CHECK(row.covariance(0, 0) == Approx(1e-8).epsilon(1e-7));
    const PriorPointer exponential = parse_prior("exponential", 1);
    const RowBelief narrow =
        exponential->denoise(MatrixXd::Constant(1, 1, 1e-12), VectorXd::Constant(1, 0.5));
    CHECK(narrow.mean(0) == Approx(2).epsilon(1e-6));
    CHECK(narrow.log_partition == Approx(std::log(2)).epsilon(1e-6));
    // Either side of the switch to the continued fraction.
    for (const double field : {-2.999999, -3.000001}) {
        const Moments truth =
            integrate([](double x) { return 2 * normal_density(x, 0, 1); }, 0, 12, 0, field);
        check_scalar(cut, 0, field, truth);
    }
    const RowBelief sure = parse_prior("rademacher", 1)
                               ->denoise(MatrixXd::Constant(1, 1, 800), VectorXd::Constant(1, 900));
    CHECK(sure.mean(0) == 1);
    CHECK(sure.log_partition == Approx(900 - 400 + std::log(0.5)));
}

TEST_CASE("vector denoisers are the derivatives of log Z", "[tensor_amp][prior]") {
    MatrixXd precision(3, 3);
    precision << 2.0, 0.3, -0.4, 0.3, 1.0, 0.2, -0.4, 0.2, 1.5;
    const VectorXd field = (VectorXd(3) << 0.7, -0.5, 1.1).finished();
    for (const char* text :
         {"gauss:mean=[1,0,-0.5],cov=[[1,0.2,0],[0.2,2,0.3],[0,0.3,0.5]]", "rademacher:p=0.4",
          "bernoulli:rho=0.3", "sparse-rademacher:rho=0.4", "one-hot:probabilities=[0.2,0.5,0.3]",
          "gauss-bernoulli:rho=0.4,mean=0.3,var=1.5"})
        check_derivatives(*parse_prior(text, 3), precision, field);
}

TEST_CASE("decoupled nonnegative denoisers are exact without coupling", "[tensor_amp][prior]") {
    const PriorPointer pair = parse_prior("nonneg-gauss:mean=[0.5,-1],var=[1,2]", 2);
    CHECK_FALSE(pair->exact());
    const MatrixXd diagonal = (VectorXd(2) << 2.0, 0.7).finished().asDiagonal();
    check_derivatives(*pair, diagonal, (VectorXd(2) << 0.4, -0.9).finished());
    // With coupling each component sees the others' means: a fixed point of the scalar denoisers.
    MatrixXd coupled = diagonal;
    coupled(0, 1) = coupled(1, 0) = 0.5;
    const VectorXd field = (VectorXd(2) << 0.4, 0.9).finished();
    const RowBelief row = pair->denoise(coupled, field);
    const PriorPointer first = parse_prior("nonneg-gauss:mean=0.5,var=1", 1);
    const RowBelief alone = first->denoise(coupled.topLeftCorner(1, 1),
                                           VectorXd::Constant(1, field(0) - 0.5 * row.mean(1)));
    CHECK(row.mean(0) == Approx(alone.mean(0)).epsilon(1e-7));
}

TEST_CASE("samples have the moments of their prior", "[tensor_amp][prior]") {
    const Random random(3, "tensor-amp/test");
    constexpr int draws = 40000;
    for (const char* text :
         {"gauss:mean=[1,-0.5],cov=[[1,0.6],[0.6,2]]", "rademacher:p=0.7", "bernoulli:rho=0.2",
          "sparse-rademacher:rho=0.3", "one-hot:probabilities=[0.3,0.7]",
          "gauss-bernoulli:rho=0.2,mean=1,var=0.5", "nonneg-gauss:mean=[-2,0.5],var=1",
          "exponential:rate=[1,3]"}) {
        const PriorPointer prior = parse_prior(text, 2);
        INFO(text);
        VectorXd mean = VectorXd::Zero(2);
        MatrixXd second = MatrixXd::Zero(2, 2);
        for (std::uint64_t i = 0; i < draws; ++i) {
            const VectorXd x = prior->sample(random, i, 1);
            mean += x / draws;
            second += x * x.transpose() / draws;
        }
        // Four standard errors of values with moments of order one.
        CHECK((mean - prior->mean()).norm() < 4 * 2 / std::sqrt(draws));
        CHECK((second - prior->second_moment()).norm() < 4 * 5 / std::sqrt(draws));
    }
}

TEST_CASE("samples of a cut Gaussian far from its cut, and far beyond it", "[tensor_amp][prior]") {
    const Random random(4, "tensor-amp/test");
    constexpr int draws = 4000;
    for (const double u : {-20.0, -5.0, 0.0, 5.0, 20.0, 60.0}) {
        const PriorPointer prior = parse_prior("nonneg-gauss:mean=" + std::to_string(u), 1);
        double mean = 0, square = 0;
        for (std::uint64_t i = 0; i < draws; ++i) {
            const double x = prior->sample(random, i, 0)(0);
            REQUIRE(x >= 0);
            mean += x / draws;
            square += x * x / draws;
        }
        const double sd = std::sqrt(prior->second_moment()(0, 0) - std::pow(prior->mean()(0), 2));
        INFO("shift " << u);
        CHECK(std::abs(mean - prior->mean()(0)) < 4 * sd / std::sqrt(draws));
        CHECK(std::sqrt(square - mean * mean) == Approx(sd).epsilon(0.08));
    }
}

TEST_CASE("learning finds the prior that made the values", "[tensor_amp][prior]") {
    // Values known exactly: a very precise field.
    const Random random(5, "tensor-amp/test");
    constexpr Index rows = 20000;
    const struct {
        const char* truth;
        const char* start;
    } cases[] = {{"gauss:mean=[0.5,1],cov=[[1,0.3],[0.3,0.4]]", "gauss"},
                 {"gauss-bernoulli:rho=0.25,mean=1,var=0.6", "gauss-bernoulli:rho=0.5"},
                 {"bernoulli:rho=0.15", "bernoulli:rho=0.5"},
                 {"sparse-rademacher:rho=0.35", "sparse-rademacher"},
                 {"one-hot:probabilities=[0.8,0.2]", "one-hot"},
                 {"rademacher:p=0.8", "rademacher"},
                 {"nonneg-gauss:mean=[1,-1],var=[1,2]", "nonneg-gauss"},
                 {"exponential:rate=[1,2]", "exponential"}};
    for (const auto& one : cases) {
        INFO(one.truth);
        const PriorPointer truth = parse_prior(one.truth, 2);
        MatrixXd values(rows, 2);
        for (Index i = 0; i < rows; ++i)
            values.row(i) = truth->sample(random, static_cast<std::uint64_t>(i), 0).transpose();
        const MatrixXd precision = 1e6 * MatrixXd::Identity(2, 2);
        const MatrixXd fields = 1e6 * values;
        PriorPointer prior = parse_prior(one.start, 2);
        for (int step = 0; step < 3; ++step)
            prior = prior->maximised(prior->denoise_rows(precision, fields), false);
        CHECK((prior->mean() - truth->mean()).norm() < 0.05);
        CHECK((prior->second_moment() - truth->second_moment()).norm() < 0.12);
        // What a prior writes is read back as the same prior.
        const PriorPointer again = parse_prior(prior->describe(), 2);
        CHECK(again->describe() == prior->describe());
        CHECK((again->second_moment() - prior->second_moment()).norm() < 1e-12);
    }
}

TEST_CASE("a wrong prior is refused with its reason", "[tensor_amp][prior]") {
    const struct {
        const char* text;
        Index rank;
        const char* reason;
    } cases[] = {{"gaus", 1, "did you mean 'gauss'?"},
                 {"gauss:var=0", 1, "must be positive"},
                 {"gauss:cov=[[1,2],[2,1]]", 2, "not positive definite"},
                 {"gauss:mean=[1,2]", 3, "mean has 2 values for 3 components"},
                 {"gauss:men=1", 1, "did you mean 'mean'?"},
                 {"gauss:mean=1,mean=2", 1, "given twice"},
                 {"gauss:mean", 1, "expected key=value"},
                 {"gauss:mean=x", 1, "expected a number"},
                 {"gauss:cov=[1,2]", 2, "expected 2 rows of 2 numbers"},
                 {"gauss:mean=[1,", 2, "expected a list"},
                 {"rademacher:p=1", 1, "between 0 and 1"},
                 {"bernoulli:rho=-1", 1, "between 0 and 1"},
                 {"gauss-bernoulli:rho=0.5,var=-1", 1, "must be positive"},
                 {"gauss-bernoulli", 11, "rank 11 is above 10"},
                 {"sparse-rademacher", 11, "more than 65536 states"},
                 {"exponential:rate=0", 1, "must be positive"},
                 {"one-hot:probabilities=[0,0]", 2, "nor all 0"},
                 {"discrete", 1, "needs file=PATH"}};
    for (const auto& one : cases) {
        INFO(one.text);
        CHECK_THROWS_WITH(parse_prior(one.text, one.rank), Contains(one.reason));
    }
}
