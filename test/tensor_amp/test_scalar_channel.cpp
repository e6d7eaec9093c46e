// The scalar channel against independent quadrature (Simpson's rule with formulas of its own for
// every prior) and against exact identities.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/scalar_channel.hpp>
#include <assay/tensor_amp/scalar_response.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

double standard_density(double z) {
    return std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI);
}

// Simpson's rule.
template <class Function>
double simpson(double low, double high, int cells, const Function& f) {
    const double step = (high - low) / cells;
    double sum = f(low) + f(high);
    for (int i = 1; i < cells; ++i) sum += (i % 2 == 1 ? 4 : 2) * f(low + i * step);
    return sum * step / 3;
}

} // namespace

TEST_CASE("the overlap of signs is an average of tanh", "[tensor_amp]") {
    const auto prior = rademacher_prior(1, 0.5);
    for (const double h : {1e-4, 0.03, 0.4, 1.7, 6.0, 25.0, 90.0, 400.0, 1e5}) {
        const double root = std::sqrt(h);
        const double q = simpson(-12, 12, 40000, [&](double z) {
            return standard_density(z) * std::tanh(h + root * z);
        });
        const double psi = simpson(-12, 12, 40000, [&](double z) {
            const double b = std::abs(h + root * z);
            return standard_density(z) * (b + std::log1p(std::exp(-2 * b)) - std::log(2.0) - h / 2);
        });
        const ScalarOverlap overlap = scalar_overlap(*prior, h);
        CHECK_THAT(overlap.q, WithinRel(q, 1e-9));
        CHECK_THAT(overlap.psi, WithinRel(psi, 1e-8));
    }
}

TEST_CASE("the overlap of a sparse binary prior", "[tensor_amp]") {
    const double rho = 0.1;
    const auto prior = parse_prior("bernoulli:rho=0.1", 1);
    for (const double h : {0.01, 1.0, 12.0, 40.0, 300.0}) {
        // E f^2 = E f x0 = rho E[f | x0 = 1].
        const double q =
            rho * simpson(-12, 12, 40000, [&](double z) {
                const double exponent = 0.5 * h + std::sqrt(h) * z;
                return standard_density(z) / (1 + (1 - rho) / rho * std::exp(-exponent));
            });
        CHECK_THAT(scalar_overlap(*prior, h).q, WithinRel(q, 1e-9));
    }
}

TEST_CASE("the overlap of spike and slab, narrow and far away", "[tensor_amp]") {
    struct Setting {
        double rho, mean, variance;
    };
    for (const Setting& s : {Setting{0.1, 0, 1}, Setting{0.02, 3, 0.01}, Setting{0.4, -1, 2},
                             Setting{0.001, 200, 0.1}}) {
        const auto prior = parse_prior(
            concat("gauss-bernoulli:rho=", s.rho, ",mean=", s.mean, ",var=", s.variance), 1);
        for (const double h : {0.05, 2.0, 30.0, 5e3}) {
            // E f x0 over the slab: x0 = mean + sd y, seen through u = sqrt(h) x0 + z.
            const double wide = std::sqrt(1 + h * s.variance), centre = std::sqrt(h) * s.mean;
            const double q = simpson(-14, 14, 400000, [&](double y) {
                const double u = centre + wide * y, b = std::sqrt(h) * u;
                const double variance = s.variance / (1 + h * s.variance);
                const double m = variance * (b + s.mean / s.variance);
                const double odds =
                    s.rho / (1 - s.rho) * std::sqrt(variance / s.variance) *
                    std::exp(0.5 * (m * m / variance - s.mean * s.mean / s.variance));
                const double active = std::isinf(odds) ? 1 : odds / (1 + odds);
                return s.rho * standard_density(y) * active * m * m;
            });
            // The logarithm of the density is a difference of numbers of the size h mean^2.
            CHECK_THAT(scalar_overlap(*prior, h).q,
                       WithinRel(q, 1e-8 + 5e-16 * h * s.mean * s.mean));
        }
    }
}

TEST_CASE("derivatives of the scalar channel", "[tensor_amp]") {
    for (const char* text : {"gauss:mean=0.4,var=1.3", "rademacher:p=0.7", "bernoulli:rho=0.05",
                             "sparse-rademacher:rho=0.2", "gauss-bernoulli:rho=0.1,mean=1,var=0.5",
                             "nonneg-gauss:mean=-1,var=2", "exponential:rate=2"}) {
        const auto prior = parse_prior(text, 1);
        INFO(text);
        for (const double h : {0.2, 3.0, 20.0}) {
            const double step = 1e-3 * h;
            const ScalarOverlap here = scalar_overlap(*prior, h),
                                above = scalar_overlap(*prior, h + step),
                                below = scalar_overlap(*prior, h - step);
            CHECK_THAT((above.psi - below.psi) / (2 * step), WithinRel(here.q / 2, 2e-6));
            CHECK_THAT((above.q - below.q) / (2 * step),
                       WithinAbs(here.slope, 3e-6 * (here.q / h)));
        }
        const double mean = prior->mean()(0), second = prior->second_moment()(0, 0);
        const double variance = second - mean * mean;
        CHECK_THAT(scalar_overlap(*prior, 0).q, WithinAbs(mean * mean, 1e-14));
        CHECK_THAT(scalar_overlap(*prior, 1e-7).q,
                   WithinAbs(mean * mean + 1e-7 * variance * variance, 1e-12));
        CHECK_THAT(scalar_overlap(*prior, 1e6).q, WithinRel(second, 1e-3));
        CHECK(scalar_overlap(*prior, 1e6).q <= second * (1 + 1e-9));
    }
}

TEST_CASE("a Gaussian by quadrature is its closed form", "[tensor_amp]") {
    const auto gauss = parse_prior("gauss:mean=0.3,var=0.8", 1);
    for (const double h : {0.1, 4.0, 1e3}) {
        const MismatchedOverlap same = mismatched_overlap(*gauss, *gauss, h, h, h);
        CHECK_THAT(same.q, WithinRel(scalar_overlap(*gauss, h).q, 1e-10));
        CHECK_THAT(same.m, WithinRel(scalar_overlap(*gauss, h).q, 1e-10));
    }
}

TEST_CASE("the mismatched channel of matched priors keeps M = Q", "[tensor_amp]") {
    for (const char* text : {"rademacher:p=0.6", "gauss-bernoulli:rho=0.2", "exponential"}) {
        const auto prior = parse_prior(text, 1);
        const MismatchedOverlap same = mismatched_overlap(*prior, *prior, 2.5, 2.5, 2.5);
        CHECK_THAT(same.m, WithinRel(same.q, 1e-9));
        CHECK_THAT(same.q, WithinRel(scalar_overlap(*prior, 2.5).q, 1e-9));
    }
    // Signs taken for a unit Gaussian: f = B / (1 + qhat), all in closed form.
    const auto truth = rademacher_prior(1, 0.5);
    const auto assumed = parse_prior("gauss", 1);
    const MismatchedOverlap other = mismatched_overlap(*truth, *assumed, 1.2, 0.7, 0.9);
    CHECK_THAT(other.m, WithinRel(1.2 / 1.7, 1e-10));
    CHECK_THAT(other.q, WithinRel((1.44 + 0.9) / 1.7 / 1.7, 1e-10));
    const MismatchedOverlap blind = mismatched_overlap(*truth, *assumed, 0, 0, 0);
    CHECK(blind.m == 0);
    CHECK(blind.q == 0);
}

TEST_CASE("states far apart and close together", "[tensor_amp]") {
    // Values 100 and 101: the field sits at 100 h.
    MatrixXd values(2, 1);
    values << 100, 101;
    const auto shifted =
        std::make_shared<DiscretePrior>(values, VectorXd::Constant(2, 0.5), "pair");
    const auto centred = rademacher_prior(1, 0.5);
    for (const double h : {0.1, 8.0, 200.0, 1e4}) {
        // x = 100.5 + s / 2: the mmse is that of signs at h / 4, over 4.
        const double mmse = (1 - scalar_overlap(*centred, h / 4).q) / 4;
        const double second = 0.5 * (100.0 * 100 + 101.0 * 101);
        CHECK_THAT(second - scalar_overlap(*shifted, h).q, WithinAbs(mmse, 1e-6));
    }
}

TEST_CASE("tabulated responses agree with the quadrature", "[tensor_amp]") {
    for (const char* text : {"gauss:mean=0.2", "rademacher", "bernoulli:rho=0.02",
                             "gauss-bernoulli:rho=0.05,mean=2,var=0.01", "exponential"}) {
        const auto prior = parse_prior(text, 1);
        INFO(text);
        const ScalarResponse response(*prior);
        // The first lies just below the table, where a series takes over.
        for (const double h :
             {8e-6 / response.variance(), 1e-7, 3.3e-3, 0.377, 2.71, 17.3, 888.0, 3e4}) {
            const ScalarOverlap exact = scalar_overlap(*prior, h);
            const auto point = response.at_product(h * exact.q);
            CHECK_THAT(point.h, WithinRel(h, 2e-7));
            CHECK_THAT(point.q, WithinRel(exact.q, 2e-7));
            CHECK_THAT(point.elasticity, WithinAbs(h * exact.slope / exact.q, 1e-4));
            CHECK_THAT(response.psi(h), WithinRel(exact.psi, 1e-8) || WithinAbs(exact.psi, 1e-10));
        }
    }
}

TEST_CASE("theory refuses approximate denoisers and wrong ranks", "[tensor_amp]") {
    CHECK_THROWS_WITH(check_exact(*parse_prior("exponential", 2)),
                      Catch::Contains("theory needs an exact one"));
    CHECK_THROWS_AS(scalar_overlap(*parse_prior("gauss", 2), 1), Error);
    CHECK_THROWS_AS(scalar_overlap(*parse_prior("gauss", 1), -1), Error);
}
