// Searching metaparameters: designs by their counts, the Parzen mixture as a density, TPE against
// random search on functions whose minima are known.
#include <assay/core/error.hpp>
#include <assay/training/sweep.hpp>
#include <assay/training/tpe.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

const char* const kMixed = R"({"rule": {"choice": ["wm", "ia", "sa"]},
    "optimizer.learning_rate": {"log-uniform": [1e-4, 1]},
    "batch_size": {"int": [3, 7]}, "momentum": {"uniform": [-1, 1]}})";

std::string refusal(const std::string& json) {
    try {
        static_cast<void>(parse_search_space(json));
    } catch (const UsageError& e) {
        return e.what();
    }
    return "";
}

std::vector<double> column(const std::vector<TrialPoint>& points, std::size_t dimension) {
    std::vector<double> values;
    for (const auto& point : points) values.push_back(point[dimension]);
    return values;
}

} // namespace

TEST_CASE("a search space is read in the order of its paths", "[training]") {
    const SearchSpace space = parse_search_space(kMixed);
    REQUIRE(space.size() == 4);
    CHECK(space[0].path == "batch_size");
    CHECK(space[3].path == "rule");
    CHECK(value_json(space[0], 5) == "5");
    CHECK(value_json(space[1], 0.25) == "0.25");
    CHECK(value_json(space[3], 1) == "\"ia\"");
    const SearchSpace nested = parse_search_space(R"({"a": {"choice": [1, null, {"b": [2]}]}})");
    CHECK(value_json(nested[0], 2) == R"({"b":[2]})");
}

TEST_CASE("mistakes in a search space name the path", "[training]") {
    CHECK_THAT(refusal("{"), Contains("not valid JSON"));
    CHECK_THAT(refusal("[]"), Contains("an object of configuration paths"));
    CHECK_THAT(refusal("{}"), Contains("an object of configuration paths"));
    CHECK_THAT(refusal(R"({"a.b": {"loguniform": [1, 2]}})"),
               Contains("'a.b': unknown kind 'loguniform'; did you mean 'log-uniform'?"));
    CHECK_THAT(refusal(R"({"a.b": {"log-uniform": [0, 2]}})"),
               Contains("'a.b': found [0,2]; [a, b] with numbers 0 < a < b is expected"));
    CHECK_THAT(refusal(R"({"a": {"int": [1, 2.5]}})"), Contains("with integers a < b"));
    CHECK_THAT(refusal(R"({"a": {"uniform": [2, 1]}})"), Contains("with numbers a < b"));
    CHECK_THAT(refusal(R"({"a": {"uniform": [1]}})"), Contains("with numbers a < b"));
    CHECK_THAT(refusal(R"({"a": {"choice": []}})"), Contains("a list of 1 to 10000 choices"));
    CHECK_THAT(refusal(R"({"a": 3})"), Contains("{\"choice\": [...]}"));
    CHECK_THAT(refusal(R"({"a": {"int": [1, 2]}, "a": {"int": [1, 3]}})"),
               Contains("stands twice"));
}

TEST_CASE(
    "random trials are uniform on each dimension's axis, and dimensions independent of others",
    "[training]") {
    const SearchSpace space = parse_search_space(kMixed);
    constexpr double kTrials = 20000;
    std::vector<double> batch(8, 0), rule(3, 0);
    double log_sum = 0, below_hundredth = 0, sum = 0, product = 0;
    for (std::uint64_t trial = 1; trial <= 20000; ++trial) {
        const TrialPoint point = random_trial(space, 4, trial);
        ++batch[static_cast<std::size_t>(point[0])];
        log_sum += std::log10(point[2]);
        below_hundredth += point[2] < 0.01 ? 1 : 0;
        sum += point[1];
        product += point[1] * (std::log10(point[2]) + 2);
        ++rule[static_cast<std::size_t>(point[3])];
    }
    // learning_rate is the third path: batch_size, momentum, optimizer.learning_rate, rule.
    CHECK(space[2].path == "optimizer.learning_rate");
    for (std::size_t value = 3; value <= 7; ++value)
        CHECK_THAT(batch[value] / kTrials, WithinAbs(0.2, 5 * std::sqrt(0.16 / kTrials)));
    for (const double count : rule)
        CHECK_THAT(count / kTrials, WithinAbs(1.0 / 3, 5 * std::sqrt(0.23 / kTrials)));
    CHECK_THAT(log_sum / kTrials, WithinAbs(-2, 5 * 4 / std::sqrt(12 * kTrials)));
    CHECK_THAT(below_hundredth / kTrials, WithinAbs(0.5, 5 * std::sqrt(0.25 / kTrials)));
    CHECK_THAT(product / kTrials, WithinAbs(0, 5 * 2 * 4 / (12 * std::sqrt(kTrials))));
    CHECK_THAT(sum / kTrials, WithinAbs(0, 5 * 2 / std::sqrt(12 * kTrials)));

    SearchSpace fewer(space.begin() + 1, space.end());
    const TrialPoint whole = random_trial(space, 4, 17), part = random_trial(fewer, 4, 17);
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + 1));
    CHECK(random_trial(space, 5, 17) != whole);
}

TEST_CASE("Sobol trials are the sequence's points on each dimension's axis", "[training]") {
    const SearchSpace space = parse_search_space(kMixed);
    // scipy.stats.qmc.Sobol(4, scramble=False).random(6)[5] = 0.875, 0.875, 0.125, 0.375.
    const TrialPoint point = sobol_trial(space, 6);
    CHECK(point[0] == 7);
    CHECK_THAT(point[1], WithinAbs(0.75, 1e-15));
    CHECK_THAT(point[2], WithinRel(std::pow(10, -4 + 4 * 0.125), 1e-12));
    CHECK(point[3] == 1);
    CHECK_THAT(sobol_trial(space, 1)[2], WithinRel(1e-4, 1e-12));
    CHECK_THROWS_WITH(sobol_trial(SearchSpace(41, space[0]), 1), Contains("found 41 dimensions"));
    CHECK_THROWS_AS(sobol_trial(space, 0), UsageError);
}

TEST_CASE("a grid holds every combination once", "[training]") {
    const SearchSpace space = parse_search_space(kMixed);
    // 3 choices x m x m x min(m, 5): 3, 24, 81, 192, 375, then 540.
    for (const auto& [most, expected] : std::vector<std::pair<Index, std::size_t>>{
             {3, 3}, {23, 3}, {24, 24}, {80, 24}, {400, 375}, {540, 540}}) {
        const auto points = grid_trials(space, most);
        CHECK(points.size() == expected);
        CHECK(std::set<TrialPoint>(points.begin(), points.end()).size() == expected);
    }
    const auto points = grid_trials(space, 81);
    CHECK(points[0] == TrialPoint{3, -1, points[0][2], 0});
    CHECK(points[1][3] == 1);
    const auto batch = column(points, 0), rate = column(points, 2);
    CHECK(std::set<double>(batch.begin(), batch.end()) == std::set<double>{3, 5, 7});
    CHECK_THAT(*std::min_element(rate.begin(), rate.end()), WithinRel(1e-4, 1e-12));
    CHECK_THAT(*std::max_element(rate.begin(), rate.end()), WithinRel(1.0, 1e-12));
    CHECK_THAT(rate[3], WithinRel(1e-2, 1e-12));
    CHECK_THAT(grid_trials(space, 3)[0][2], WithinRel(1e-2, 1e-12));
    CHECK_THROWS_WITH(grid_trials(space, 2), Contains("has 3 trials; found 2"));
}

TEST_CASE("a Parzen mixture is a density: it integrates to 1, and its draws follow it",
          "[training]") {
    const auto observations =
        GENERATE(std::vector<double>{}, std::vector<double>{0.3}, std::vector<double>{-1, -1, 2},
                 std::vector<double>{-0.99, 0.1, 0.11, 0.12, 1.7, 1.9});
    const ParzenMixture mixture(observations, -1, 2, 0.02);
    constexpr Index kCells = 60000;
    double integral = 0, first_half = 0;
    for (Index i = 0; i < kCells; ++i) {
        const double x = -1 + 3 * (static_cast<double>(i) + 0.5) / kCells;
        integral += mixture.density(x) * 3 / kCells;
        if (x < 0.5) first_half = integral;
    }
    CHECK_THAT(integral, WithinAbs(1, 1e-7));
    CHECK_THAT(mixture.mass(-1, 2), WithinAbs(1, 1e-14));
    CHECK_THAT(mixture.mass(-7, 0.5), WithinAbs(first_half, 1e-7));
    CHECK(mixture.density(-1.001) == 0);
    const Random random(3, "test/parzen");
    double below = 0, outside = 0;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const double x = mixture.draw(random, i, {});
        below += x < 0.5 ? 1 : 0;
        outside += x < -1 || x > 2 ? 1 : 0;
    }
    CHECK(outside == 0);
    CHECK_THAT(below / 20000, WithinAbs(mixture.mass(-1, 0.5), 5 * std::sqrt(0.25 / 20000)));
}

TEST_CASE("a Parzen mixture of one observation, by hand", "[training]") {
    // Prior 1/3 and a normal at 0.3 of sd max(1.3, 1.7) = 1.7 cut to [-1, 2], half each.
    const auto below = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
    const double inside = below(1.7 / 1.7) - below(-1.3 / 1.7);
    const double peak = 1 / (std::sqrt(2 * std::acos(-1.0)) * 1.7) / inside;
    CHECK_THAT(ParzenMixture({0.3}, -1, 2, 0.02).density(0.3),
               WithinRel(0.5 * (1.0 / 3 + peak), 1e-12));
}

namespace {

using Function = std::function<double(const TrialPoint&)>;

struct Problem {
    std::string space;
    Function loss;
};

// Branin: three minima of 0.397887.
double branin(const TrialPoint& p) {
    const double x = p[0], y = p[1], pi = std::acos(-1.0);
    const double a = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;
    return a * a + 10 * (1 - 1 / (8 * pi)) * std::cos(x) + 10;
}

// Minimum 0 at rates 1e-2 and 1e-1; diverges where the first exceeds 0.5.
double rates(const TrialPoint& p) {
    if (p[0] > 0.5) return std::nan("");
    return std::pow(std::log10(p[0]) + 2, 2) + std::pow(std::log10(p[1]) + 1, 2);
}

// Minimum 0 at momentum 0.9, rate 1e-3, rule 2, width 17 (paths in this order).
double mixed(const TrialPoint& p) {
    return std::abs(p[0] - 0.9) + std::abs(std::log10(p[1]) + 3) / 2 + (p[2] == 2 ? 0 : 1) +
           std::abs(p[3] - 17) / 20;
}

const std::vector<Problem> kProblems{
    {R"({"x": {"uniform": [-5, 10]}, "y": {"uniform": [0, 15]}})", branin},
    {R"({"a": {"log-uniform": [1e-5, 10]}, "b": {"log-uniform": [1e-5, 10]}})", rates},
    {R"({"a_momentum": {"uniform": [0, 1]}, "b_rate": {"log-uniform": [1e-6, 1]},
         "c_rule": {"choice": ["p", "q", "r", "s"]}, "d_width": {"int": [1, 64]}})",
     mixed}};

double best_random(const Problem& problem, std::uint64_t seed, std::uint64_t trials) {
    const SearchSpace space = parse_search_space(problem.space);
    double best = 1e300;
    for (std::uint64_t t = 1; t <= trials; ++t) {
        const double loss = problem.loss(random_trial(space, seed, t));
        best = std::isfinite(loss) ? std::min(best, loss) : best;
    }
    return best;
}

double best_tpe(const Problem& problem, std::uint64_t seed, std::uint64_t trials, Index at_once) {
    const SearchSpace space = parse_search_space(problem.space);
    std::vector<TrialResult> history;
    double best = 1e300;
    while (history.size() < trials) {
        const auto next = history.size() + 1;
        for (const auto& point : suggest_trials(space, history, next, at_once, seed)) {
            const double loss = problem.loss(point);
            history.push_back({history.size() + 1, point, loss});
            best = std::isfinite(loss) ? std::min(best, loss) : best;
        }
    }
    return best;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

TEST_CASE("80 trials of TPE beat 80 of random search on three functions, 40 seeds each",
          "[training]") {
    const auto number = GENERATE(0, 1, 2);
    const Index at_once = GENERATE(1, 5);
    const Problem& problem = kProblems[static_cast<std::size_t>(number)];
    int wins = 0;
    std::vector<double> tpe, random;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        tpe.push_back(best_tpe(problem, seed, 80, at_once));
        random.push_back(best_random(problem, seed, 80));
        wins += tpe.back() < random.back() ? 1 : 0;
    }
    const double floor = number == 0 ? 0.397887 : 0;
    INFO("problem " << number << ", " << at_once << " at once: wins " << wins << ", medians "
                    << median(tpe) << " and " << median(random));
    CHECK(wins >= 30); // a coin would give 20 +- 3.2
    CHECK(median(tpe) - floor < 0.5 * (median(random) - floor));
    CHECK(*std::min_element(tpe.begin(), tpe.end()) >= floor - 1e-6);
}

TEST_CASE("suggestions depend on history, seed and trial only, and differ from each other",
          "[training]") {
    const SearchSpace space = parse_search_space(kMixed);
    std::vector<TrialResult> history;
    for (std::uint64_t t = 1; t <= 25; ++t) {
        const TrialPoint point = random_trial(space, 1, t);
        history.push_back({t, point, t % 6 == 0 ? std::nan("") : std::abs(point[1])});
    }
    const auto five = suggest_trials(space, history, 26, 5, 9);
    CHECK(std::set<TrialPoint>(five.begin(), five.end()).size() == 5);
    CHECK(suggest_trials(space, history, 26, 1, 9)[0] == five[0]);
    CHECK(suggest_trials(space, history, 26, 1, 8)[0] != five[0]);
    std::reverse(history.begin(), history.end());
    CHECK(suggest_trials(space, history, 26, 5, 9) == five);
    history.resize(19);
    CHECK(suggest_trials(space, history, 20, 3, 9)[2] == random_trial(space, 9, 22));
    for (const auto& point : five)
        for (std::size_t d = 0; d < space.size(); ++d) {
            const AxisRange axis = axis_range(space[d]);
            CHECK(axis_position(space[d], point[d]) >= axis.low - 1e-12);
            CHECK(axis_position(space[d], point[d]) <= axis.high + 1e-12);
        }
}

TEST_CASE("robustness and marginal curves, by hand", "[training]") {
    const double nan = std::nan("");
    CHECK(robustness({0.97, 0.965, 0.93, nan, 0.5}, 0.01) == 0.4);
    CHECK(robustness({0.97, 0.965, 0.93, nan, 0.5}, 0.05) == 0.6);
    CHECK(robustness({nan, nan}, 0.05) == 0);
    CHECK(robustness({}, 0.05) == 0);

    const SearchSpace space = parse_search_space(kMixed);
    const std::vector<TrialPoint> points{
        {3, 0, 2e-4, 0}, {4, 0, 3e-4, 2}, {7, 0, 0.5, 2}, {7, 0, 1, 1}};
    const auto curves = marginal_curves(space, points, {1, 2, 6, nan}, 4);
    REQUIRE(curves.size() == 4);
    // batch_size has 5 values: 4 bins of its axis 2.5 ... 7.5.
    CHECK(curves[0].count == std::vector<Index>{1, 1, 0, 1});
    CHECK(curves[0].centre.size() == 4);
    CHECK(curves[2].path == "optimizer.learning_rate");
    CHECK(curves[2].count == std::vector<Index>{2, 0, 0, 1});
    CHECK(curves[2].mean[0] == 1.5);
    CHECK(curves[2].best[0] == 2);
    CHECK(std::isnan(curves[2].mean[1]));
    CHECK_THAT(curves[2].centre[1], WithinRel(std::pow(10, -2.5), 1e-12));
    CHECK(curves[3].count == std::vector<Index>{1, 0, 2});
    CHECK(curves[3].mean[2] == 4);
    CHECK(curves[3].centre == std::vector<double>{0, 1, 2});
}
