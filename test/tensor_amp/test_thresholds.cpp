// Phase curves and thresholds against closed forms, published numbers, brute-force state evolution
// and the free entropy itself.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/state_evolution.hpp>
#include <assay/tensor_amp/thresholds.hpp>

#include <catch2/catch.hpp>
#include <tensor_amp/ensemble.hpp>

#include <chrono>
#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using tensor_amp_test::ensemble_of;

namespace {

constexpr double kPublished = 2e-4; // relative

std::string gauss(double mean, double variance = 1) {
    return "gauss:mean=" + shortest(mean) + ",var=" + shortest(variance);
}

// The published sets have one of each.
struct Single {
    double algorithmic, information, dynamic;
};
Single single(const std::vector<double>& dimensions, const std::vector<std::string>& texts) {
    const Thresholds t = thresholds(PhaseCurve(ensemble_of(dimensions, texts)));
    REQUIRE(t.dynamic.size() == 1);
    REQUIRE(t.information.size() == 1);
    REQUIRE(t.algorithmic.size() <= 1);
    return {t.algorithmic.empty() ? 0 : t.algorithmic[0], t.information[0], t.dynamic[0]};
}

} // namespace

TEST_CASE("thresholds of zero-mean components by shape", "[tensor_amp]") {
    struct Row {
        std::vector<double> shape;
        double dynamic, information;
    };
    for (const Row& row : std::vector<Row>{{{1, 1, 1}, 0.250000, 0.228973},
                                           {{1, 2, 4}, 0.241346, 0.221332},
                                           {{1, 1, 4}, 0.239133, 0.219312},
                                           {{1, 4, 4}, 0.238002, 0.218438},
                                           {{1, 4, 16}, 0.218012, 0.200656},
                                           {{1, 10, 100}, 0.175098, 0.162344},
                                           {{1, 1, 1, 1}, 0.148148, 0.126524},
                                           {{1, 1, 1, 1, 1}, 0.105469, 0.085185}}) {
        INFO(row.shape.size() << " modes, last " << row.shape.back());
        const Single t = single(row.shape, {"gauss"});
        CHECK_THAT(t.dynamic, WithinRel(row.dynamic, kPublished));
        CHECK_THAT(t.information, WithinRel(row.information, kPublished));
        CHECK(t.algorithmic == 0); // never easy from the prior
    }
    const PhaseCurve curve(ensemble_of({1, 2, 4}, {"gauss"}));
    const VectorXd q = curve.overlaps(curve.folds().front().log_p);
    CHECK_THAT(q(0), WithinAbs(0.609, 1e-3));
    CHECK_THAT(q(1), WithinAbs(0.491, 1e-3));
    CHECK_THAT(q(2), WithinAbs(0.383, 1e-3));
    CHECK_THAT(std::sqrt(2 / single({1, 1, 1}, {"gauss"}).information),
               WithinRel(2.9555, kPublished));
}

TEST_CASE("thresholds of equal means", "[tensor_amp]") {
    struct Row {
        std::vector<double> shape;
        double mean, algorithmic, information, dynamic;
    };
    for (const Row& row : std::vector<Row>{{{1, 1, 1}, 0.1, 0.039596, 0.239895, 0.260204},
                                           {{1, 1, 1}, 0.2, 0.153307, 0.276267, 0.293493},
                                           {{1, 1, 1}, 0.3, 0.323380, 0.352257, 0.360420},
                                           {{1, 1, 1}, 0.34, 0.398059, 0.401454, 0.403214},
                                           {{1, 2, 4}, 0.2, 0.157787, 0.269210, 0.285159},
                                           {{1, 2, 4}, 0.3, 0.329147, 0.348038, 0.354105},
                                           {{1, 4, 16}, 0.3, 0.341015, 0.341471, 0.341781}}) {
        INFO("mean " << row.mean << ", last " << row.shape.back());
        const Single t = single(row.shape, {gauss(row.mean)});
        CHECK_THAT(t.algorithmic, WithinRel(row.algorithmic, kPublished));
        CHECK_THAT(t.information, WithinRel(row.information, kPublished));
        CHECK_THAT(t.dynamic, WithinRel(row.dynamic, kPublished));
    }
    CHECK(PhaseCurve(ensemble_of({1, 1, 1}, {gauss(0.4)})).folds().empty());
}

TEST_CASE("thresholds where one mode has a mean", "[tensor_amp]") {
    struct Row {
        double mean, bbp, algorithmic, information, dynamic;
    };
    for (const Row& row : std::vector<Row>{{0.5, 0.25, 0.246011, 0.329135, 0.342382},
                                           {0.65, 0.4225, 0.402020, 0.416357, 0.421102},
                                           {0.7, 0.49, 0.456150, 0.457334, 0.458045}}) {
        INFO("mean " << row.mean);
        const std::vector<std::string> priors{gauss(row.mean), "gauss", "gauss"};
        const Single t = single({1, 1, 1}, priors);
        CHECK_THAT(t.algorithmic, WithinRel(row.algorithmic, kPublished));
        CHECK_THAT(t.information, WithinRel(row.information, kPublished));
        CHECK_THAT(t.dynamic, WithinRel(row.dynamic, kPublished));
        const auto bbp = thresholds(PhaseCurve(ensemble_of({1, 1, 1}, priors))).bbp;
        REQUIRE(bbp);
        CHECK_THAT(*bbp, WithinRel(row.bbp, 1e-12));
    }
    const PhaseCurve smooth(ensemble_of({1, 1, 1}, {gauss(0.8), "gauss", "gauss"}));
    CHECK(smooth.folds().empty());
    CHECK_THAT(*bbp_threshold(smooth), WithinRel(0.64, 1e-12));
    // Where the curve starts, for any shape and variances.
    const PhaseCurve other(ensemble_of({1, 2, 4}, {gauss(0, 2), gauss(0.8, 0.5), gauss(0, 0.3)}));
    CHECK_THAT(std::exp(other.branches().front().log_delta_low),
               WithinRel(*bbp_threshold(other), 1e-4));
}

TEST_CASE("thresholds of discrete priors", "[tensor_amp]") {
    const Single signs = single({1, 1, 1}, {"rademacher"});
    CHECK_THAT(signs.dynamic, WithinRel(0.309717, kPublished));
    CHECK_THAT(signs.information, WithinRel(0.282873, kPublished));
    const Single longer = single({1, 2, 4}, {"rademacher"});
    CHECK_THAT(longer.dynamic, WithinRel(0.298020, kPublished));
    CHECK_THAT(longer.information, WithinRel(0.272018, kPublished));
    const Single sparse = single({1, 1, 1}, {"bernoulli:rho=0.1"});
    CHECK_THAT(sparse.algorithmic, WithinRel(3.73886e-4, kPublished));
    CHECK_THAT(sparse.information, WithinRel(5.77566e-4, kPublished));
    CHECK_THAT(sparse.dynamic, WithinRel(6.23327e-4, kPublished));
    CHECK(PhaseCurve(ensemble_of({1, 1, 1}, {"bernoulli:rho=0.3"})).folds().empty());
    // Very sparse: q = rho^2 e^h while rho e^h is small, so that Delta_alg = 2 e rho^4 at h = 1/2.
    CHECK_THAT(single({1, 1, 1}, {"bernoulli:rho=1e-6"}).algorithmic,
               WithinRel(2 * std::exp(1.0) * 1e-24, 1e-5));
}

TEST_CASE("closed forms of cubic tensors", "[tensor_amp]") {
    for (const Index order : {3, 4, 6}) {
        const double p = static_cast<double>(order);
        const std::vector<double> cubic(static_cast<std::size_t>(order), 1.0);
        // Zero means: Delta_dyn = (p - 2)^{p-2} / (p - 1)^{p-1}.
        CHECK_THAT(single(cubic, {"gauss"}).dynamic,
                   WithinRel(std::pow(p - 2, p - 2) / std::pow(p - 1, p - 1), 1e-12));
        // Equal means: (p - 1) y^2 - (p - 2) y + m = 0; variance s scales Delta by s^p, m by s.
        for (const double variance : {1.0, 2.5}) {
            const double merge = (p - 2) * (p - 2) / (4 * (p - 1));
            for (const double m : {1e-8, 0.03, 0.9 * merge, merge * (1 - 1e-6)}) {
                const Single t = single(cubic, {concat("gauss:var=", variance, ",mean=[",
                                                       shortest(std::sqrt(m * variance)), "]")});
                const double root = std::sqrt((p - 2) * (p - 2) - 4 * (p - 1) * m);
                const auto spinodal = [&](double y) {
                    return std::pow(variance, p) * std::pow(p - 1, p - 1) * std::pow(y, p - 2) *
                           std::pow(1 - y, p);
                };
                // The lower root without cancellation.
                const double upper = (p - 2 + root) / (2 * (p - 1)), lower = m / (p - 1) / upper;
                CHECK_THAT(t.algorithmic, WithinRel(spinodal(lower), 1e-9));
                CHECK_THAT(t.dynamic, WithinRel(spinodal(upper), 1e-9));
                CHECK(t.algorithmic <= t.information);
                CHECK(t.information <= t.dynamic);
            }
            const std::string beyond =
                concat("gauss:var=", variance,
                       ",mean=", shortest(std::sqrt(merge * 1.0000001 * variance)));
            CHECK(PhaseCurve(ensemble_of(cubic, {beyond})).folds().empty());
        }
    }
}

TEST_CASE("the curve holds the fixed points of state evolution", "[tensor_amp]") {
    for (const char* text : {"gauss:mean=0.2", "bernoulli:rho=0.2", "rademacher:p=0.55",
                             "gauss-bernoulli:rho=0.3,mean=0.5", "exponential:rate=1.5"}) {
        INFO(text);
        const Ensemble e = ensemble_of({1, 2, 3}, {text});
        const PhaseCurve curve(e);
        for (const double share : {0.3, 0.9, 1.5}) {
            const double power = std::pow(e.prior(0).second_moment()(0, 0), 3);
            const double noise = share * 0.3 * power;
            StateEvolutionSettings settings;
            settings.noise_var = noise;
            const StateEvolution low = state_evolution(e, settings, prior_mean_start(e)),
                                 high = state_evolution(e, settings, informed_start(e));
            const Accuracy accuracy = accuracy_at(curve, noise);
            const bool higher = high.free_entropy > low.free_entropy;
            for (Index a = 0; a < 3; ++a) {
                const auto at = static_cast<std::size_t>(a);
                CHECK_THAT(accuracy.reached(a), WithinRel(low.q.back()[at](0, 0), 1e-6));
                CHECK_THAT(accuracy.best(a),
                           WithinRel((higher ? high : low).q.back()[at](0, 0), 1e-6));
            }
            CHECK_THAT(accuracy.best_free_entropy,
                       WithinAbs(std::max(low.free_entropy, high.free_entropy), 1e-9));
        }
    }
}

TEST_CASE("state evolution changes at the thresholds", "[tensor_amp]") {
    const Ensemble e = ensemble_of({1, 2, 4}, {gauss(0.2), gauss(0.3), gauss(0.25)});
    const Thresholds t = thresholds(PhaseCurve(e));
    REQUIRE(t.algorithmic.size() == 1);
    REQUIRE(t.dynamic.size() == 1);
    const auto end = [&](double noise, bool informed) {
        StateEvolutionSettings settings;
        settings.noise_var = noise;
        settings.max_iterations = 20000;
        return state_evolution(e, settings, informed ? informed_start(e) : prior_mean_start(e));
    };
    CHECK(end(t.algorithmic[0] * 0.998, false).q.back()[0](0, 0) > 0.5);
    CHECK(end(t.algorithmic[0] * 1.002, false).q.back()[0](0, 0) < 0.3);
    CHECK(end(t.dynamic[0] * 0.998, true).q.back()[0](0, 0) > 0.5);
    CHECK(end(t.dynamic[0] * 1.002, true).q.back()[0](0, 0) < 0.3);
    const double equal = t.information[0];
    CHECK_THAT(end(equal, true).free_entropy, WithinAbs(end(equal, false).free_entropy, 1e-9));
}

TEST_CASE("an onset that is a jump is the algorithmic threshold", "[tensor_amp]") {
    // Two modes of a skewed prior of zero mean: 3 with probability 1/10, -1/3 with 9/10.
    const ValueReader values = [](const std::string&) {
        return (MatrixXd(2, 2) << 3, 0.1, -1.0 / 3, 0.9).finished();
    };
    const PriorPointer skewed = parse_prior("discrete:file=skewed", 1, values);
    const Ensemble e = make_ensemble(VectorXd::Ones(2), {skewed, skewed});
    const PhaseCurve curve(e);
    CHECK(curve.zero_means() == 2);
    const Thresholds t = thresholds(curve);
    REQUIRE(t.bbp);
    CHECK_THAT(*t.bbp, WithinRel(1.0, 1e-12));
    REQUIRE(t.algorithmic.size() == 1);
    CHECK(t.algorithmic[0] == *t.bbp);
    REQUIRE(t.dynamic.size() == 1);
    REQUIRE(t.information.size() == 1);
    CHECK(t.algorithmic[0] < t.information[0]);
    CHECK(t.information[0] < t.dynamic[0]);
    CHECK(accuracy_at(curve, 0.5 * (t.algorithmic[0] + t.information[0])).regime == Regime::hard);
    // Signs have no skew: continuous, no fold.
    CHECK(PhaseCurve(ensemble_of({1, 1}, {"rademacher"})).folds().empty());
}

TEST_CASE("regimes of noise", "[tensor_amp]") {
    const PhaseCurve curve(ensemble_of({1, 1, 1}, {gauss(0.2)}));
    CHECK(accuracy_at(curve, 0.13).regime == Regime::easy);
    CHECK(accuracy_at(curve, 0.2).regime == Regime::hard);
    CHECK(accuracy_at(curve, 0.28).regime == Regime::impossible);
    CHECK(accuracy_at(curve, 0.35).regime == Regime::impossible);
    CHECK_THAT(accuracy_at(curve, 0.2).best(0), WithinAbs(0.80, 0.01));
    CHECK_THAT(accuracy_at(curve, 0.2).reached(0), WithinAbs(0.06, 0.01));
    CHECK(accuracy_at(PhaseCurve(ensemble_of({1, 1, 1}, {gauss(0.8)})), 5).regime == Regime::easy);
    const PhaseCurve zero(ensemble_of({1, 1, 1}, {"gauss"}));
    CHECK(accuracy_at(zero, 0.1).regime == Regime::hard);
    CHECK(accuracy_at(zero, 0.1).reached(0) == 0);
    CHECK(accuracy_at(zero, 0.24).regime == Regime::impossible);
    CHECK_THROWS_AS(accuracy_at(zero, 0), Error);
}

TEST_CASE("matrices are recovered below the onset", "[tensor_amp]") {
    // Order 2, zero means: q = h / (1 + h), h = q / Delta, so that q = 1 - Delta.
    const PhaseCurve square(ensemble_of({1, 1}, {"gauss"}));
    CHECK(square.folds().empty());
    CHECK_THAT(*thresholds(square).bbp, WithinRel(1.0, 1e-12));
    CHECK_THAT(accuracy_at(square, 0.3).reached(0), WithinRel(0.7, 1e-9));
    CHECK(accuracy_at(square, 0.3).regime == Regime::easy);
    CHECK(accuracy_at(square, 1.2).regime == Regime::impossible);
    CHECK(accuracy_at(square, 1.2).best(0) == 0);
    // Of shape 1 x 4, n = 1/2 and 2: q_1 = q_2 / (q_2 + Delta / 2), q_2 = q_1 / (q_1 + 2 Delta).
    const PhaseCurve tall(ensemble_of({1, 4}, {"gauss"}));
    const VectorXd q = accuracy_at(tall, 0.4).best;
    CHECK_THAT(q(0), WithinRel(q(1) / (q(1) + 0.2), 1e-9));
    CHECK_THAT(q(1), WithinRel(q(0) / (q(0) + 0.8), 1e-9));
    CHECK_THAT(*thresholds(tall).bbp, WithinRel(1.0, 1e-12));
}

TEST_CASE("unfolding", "[tensor_amp]") {
    const Ensemble e = ensemble_of({50, 100, 200}, {"gauss"});
    CHECK_THAT(unfolding_threshold(100, e), WithinRel(0.1, 1e-12));
    CHECK_THAT(unfolding_overlap(0.05, 0.1), WithinRel(0.75, 1e-12));
    CHECK(unfolding_overlap(0.2, 0.1) == 0);
}

TEST_CASE("a set of Gaussian thresholds costs little", "[tensor_amp]") {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i)
        static_cast<void>(thresholds(PhaseCurve(ensemble_of({1, 2, 4}, {gauss(0.2 + 0.01 * i)}))));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    CHECK(elapsed.count() < 1.0);
}

TEST_CASE("where components separate", "[tensor_amp]") {
    const std::vector<std::pair<double, double>> published{
        {0.2, 0.149590}, {0.4, 0.529253}, {0.6, 1.068139}};
    for (const auto& [mean, expected] : published) {
        const Ensemble e = ensemble_of({1, 1, 1}, {gauss(mean)}, 2);
        CHECK_THAT(*specialisation_threshold(e), WithinRel(expected, 2e-5));
        CHECK_THAT(specialisation_eigenvalue(e, expected), WithinRel(1.0, 2e-4));
    }
    // General covariances and shapes by the eigenvalue: a cubic shape that the closed form does not
    // know, twice a half of one mode's scale.
    const Ensemble scaled =
        ensemble_of({1, 1, 1}, {gauss(0.4 * 2, 4), gauss(0.4 / 2, 0.25), gauss(0.4)}, 2);
    CHECK_THAT(*specialisation_threshold(scaled), WithinRel(0.529253, 2e-5));
    // Order 4, rank 3, variance 2 by the root of b = m + h / (1 + r h) itself.
    const Ensemble four = ensemble_of({1, 1, 1, 1}, {gauss(0.5 * std::sqrt(2.0), 2)}, 3);
    const double threshold = *specialisation_threshold(four) / 16;
    double b = 0.25;
    for (int i = 0; i < 3000; ++i) {
        const double h = b * b * b / threshold;
        b = 0.25 + h / (1 + 3 * h);
    }
    CHECK_THAT(3 * b * b, WithinRel(threshold, 1e-6));
    // Correlated components: differences have variance .4, the sum's direction 1.6. The
    // perturbation (1, -1) (1, 1)^T grows fastest; the sum's own growth does not count.
    const Ensemble correlated = ensemble_of({1, 1, 1}, {"gauss:mean=0.4,cov=[[1,0.6],[0.6,1]]"}, 2);
    StateEvolutionSettings settings;
    settings.noise_var = 2;
    const double overlap =
        state_evolution(correlated, settings, prior_mean_start(correlated)).q.back()[0](0, 0);
    const double along = 1.6 / (1 + 1.6 * 2 * overlap * overlap / 2);
    CHECK_THAT(specialisation_eigenvalue(correlated, 2),
               WithinRel(2 * overlap * 0.4 * along / 2, 1e-8));
    // Below, a perturbation of the sum's solution grows; above, it dies.
    for (const char* text : {"rademacher:p=0.75", "gauss:mean=0.5"}) {
        INFO(text);
        const Ensemble e = ensemble_of({1, 2, 3}, {text}, 2);
        const double noise = *specialisation_threshold(e);
        for (const double share : {0.97, 1.03}) {
            StateEvolutionSettings near;
            near.noise_var = share * noise;
            Overlaps start = state_evolution(e, near, prior_mean_start(e)).q.back();
            const double size = 1e-5;
            for (MatrixXd& q : start) q += size * (MatrixXd(2, 2) << 1, -1, -1, 1).finished();
            near.max_iterations = 12;
            const MatrixXd q = state_evolution(e, near, start).q.back()[0];
            const double left = 0.25 * (q(0, 0) + q(1, 1) - 2 * q(0, 1));
            const MatrixXd earlier = state_evolution(e, near, start).q[6][0];
            const double before = 0.25 * (earlier(0, 0) + earlier(1, 1) - 2 * earlier(0, 1));
            CHECK((left > before) == (share < 1));
        }
    }
    CHECK_FALSE(specialisation_threshold(ensemble_of({1, 1, 1}, {"gauss"}, 2)));
    CHECK_THROWS_WITH(specialisation_threshold(ensemble_of({1, 1, 1}, {"gauss"})),
                      Catch::Contains("rank 2 or more"));
    CHECK_THROWS_WITH(specialisation_threshold(ensemble_of({1, 1, 1}, {"gauss:mean=[1,2]"}, 2)),
                      Catch::Contains("different means"));
    CHECK_THROWS_AS(PhaseCurve(ensemble_of({1, 1, 1}, {"gauss"}, 2)), Error);
}
