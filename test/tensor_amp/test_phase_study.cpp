// Grids of theory: parameters land where they should, points equal single computations, parts make
// the whole.
#include <assay/core/error.hpp>
#include <assay/tensor_amp/phase_study.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::tensor_amp;
using Catch::Matchers::WithinRel;

namespace {

ModelDescription cubic(const std::string& prior, Index rank = 1) {
    ModelDescription model;
    model.dimensions = VectorXd::Ones(3);
    model.rank = rank;
    model.priors.assign(3, prior);
    return model;
}

} // namespace

TEST_CASE("parameters of a model by name", "[tensor_amp]") {
    ModelDescription model = cubic("gauss:mean=[1,2],var=1", 2);
    set_parameter(model, "mean", 0.5);
    CHECK(model.priors == std::vector<std::string>(3, "gauss:mean=0.5,var=1"));
    set_parameter(model, "var@0+2", 3);
    CHECK(model.priors[0] == "gauss:mean=0.5,var=3");
    CHECK(model.priors[1] == "gauss:mean=0.5,var=1");
    ModelDescription bare = cubic("bernoulli");
    set_parameter(bare, "rho@1", 0.25);
    CHECK(bare.priors[1] == "bernoulli:rho=0.25");
    CHECK(bare.priors[0] == "bernoulli");
    set_parameter(bare, "aspect", 4);
    CHECK(bare.dimensions(2) == 4);
    CHECK_THROWS_WITH(set_parameter(bare, "order", 4), Catch::Contains("equal dimensions"));
    CHECK_THROWS_WITH(set_parameter(bare, "rho@3", 4), Catch::Contains("mode '3'; 0 to 2"));
    CHECK_THROWS_AS(set_parameter(bare, "aspect", 0), UsageError);
    ModelDescription order = cubic("gauss");
    set_parameter(order, "order", 5);
    CHECK(order.dimensions.size() == 5);
    CHECK(order.priors.size() == 5);
    CHECK_THROWS_AS(set_parameter(order, "order", 2.5), UsageError);
    ModelDescription unknown = cubic("gauss");
    set_parameter(unknown, "rho", 0.1);
    CHECK_THROWS_WITH(unknown.ensemble(), Catch::Contains("unknown key 'rho'"));
}

TEST_CASE("a diagram holds what its points hold, in parts and whole", "[tensor_amp]") {
    PhaseSettings settings;
    settings.model = cubic("gauss:mean=0");
    settings.axes = {{"mean", VectorXd::LinSpaced(5, 0, 0.4)},
                     {"aspect", (VectorXd(2) << 1, 4).finished()}};
    CHECK(settings.points() == 10);
    Execution run;
    run.threads = 2;
    const PhaseStudy whole = run_phase_study(settings, {}, run);
    REQUIRE(whole.points.size() == 10);
    // mean 0, aspects 1 and 4; mean .2 and .3; .4 has no fold.
    CHECK_THAT(whole.points.at(0).thresholds.dynamic[0], WithinRel(0.25, 1e-9));
    CHECK_THAT(whole.points.at(1).thresholds.information[0], WithinRel(0.219312, 2e-4));
    CHECK_THAT(whole.points.at(4).thresholds.algorithmic[0], WithinRel(0.153307, 2e-4));
    CHECK(whole.points.at(8).thresholds.dynamic.empty());
    std::map<Index, double> found;
    for (const Index index : {1, 2, 3})
        for (const auto& [p, point] : run_phase_study(settings, {index, 3}, {}).points)
            found[p] = point.thresholds.dynamic.empty() ? 0 : point.thresholds.dynamic[0];
    REQUIRE(found.size() == 10);
    for (const auto& [p, point] : whole.points)
        CHECK(found[p] == (point.thresholds.dynamic.empty() ? 0 : point.thresholds.dynamic[0]));
}

TEST_CASE("other quantities over grids", "[tensor_amp]") {
    PhaseSettings settings;
    settings.model = cubic("gauss:mean=0.2");
    settings.quantity = PhaseQuantity::curve;
    settings.products = (VectorXd(3) << 0.01, 1, 30).finished();
    const PhasePoint curve = run_phase_study(settings, {}, {}).points.at(0);
    for (Index i = 0; i < 3; ++i) {
        // Delta = (y + m)^2 (1 - y) / y of cubic tensors.
        const double y = curve.overlaps(i, 1) - 0.04;
        CHECK_THAT(curve.delta(i), WithinRel(std::pow(y + 0.04, 2) * (1 - y) / y, 1e-10));
    }
    settings.quantity = PhaseQuantity::specialisation;
    settings.model.rank = 2;
    settings.axes = {{"mean", (VectorXd(2) << 0.4, 0.6).finished()}};
    const PhaseStudy special = run_phase_study(settings, {}, {});
    CHECK_THAT(*special.points.at(1).specialisation, WithinRel(1.068139, 2e-5));
    settings.quantity = PhaseQuantity::mse_map;
    settings.noise_var = (VectorXd(3) << 0.13, 0.2, 0.35).finished();
    settings.axes.clear();
    settings.model.rank = 1;
    const AccuracyRows rows = run_phase_study(settings, {}, {}).points.at(0).accuracy;
    CHECK(rows.regime == std::vector<Regime>{Regime::easy, Regime::hard, Regime::impossible});
    CHECK(rows.mse_reached(0, 0) == rows.mse_best(0, 0));
    CHECK_THAT(1.04 - rows.mse_best(1, 2), WithinRel(0.80, 0.01));
    settings.model.rank = 2;
    const AccuracyRows two = run_phase_study(settings, {}, {}).points.at(0).accuracy;
    CHECK(two.mse_best(0, 0) <= two.mse_reached(0, 0) + 1e-12);
    // Matrices of rank 2: both components are reached below the onset at 1, q = 1 - Delta.
    settings.model.dimensions = VectorXd::Ones(2);
    settings.model.priors.assign(2, "gauss");
    settings.noise_var = (VectorXd(2) << 0.4, 1.3).finished();
    const AccuracyRows matrix = run_phase_study(settings, {}, {}).points.at(0).accuracy;
    CHECK_THAT(matrix.mse_reached(0, 0), WithinRel(2 * 0.4, 1e-6));
    CHECK(matrix.regime == std::vector<Regime>{Regime::easy, Regime::impossible});
}

TEST_CASE("studies refuse what no theory is known for", "[tensor_amp]") {
    PhaseSettings settings;
    settings.model = cubic("gauss", 2);
    CHECK_THROWS_WITH(run_phase_study(settings, {}, {}), Catch::Contains("rank 1 only"));
    settings.model = cubic("gauss");
    settings.quantity = PhaseQuantity::mse_map;
    CHECK_THROWS_AS(run_phase_study(settings, {}, {}), Error);
    settings.noise_var = VectorXd::Constant(1, -1);
    CHECK_THROWS_WITH(run_phase_study(settings, {}, {}), Catch::Contains("noise_var is -1"));
    settings.quantity = PhaseQuantity::thresholds;
    settings.noise_var.resize(0);
    settings.axes = {{"var", (VectorXd(2) << 1, -1).finished()}};
    CHECK_THROWS_WITH(run_phase_study(settings, {}, {}),
                      Catch::Contains("var -1: gauss: a variance is -1"));
}
