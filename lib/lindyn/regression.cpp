#include <assay/lindyn/regression.hpp>

#include <assay/core/arithmetic.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/quadrature.hpp>
#include <assay/lindyn/students.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kGrid = 400;
constexpr Index kManyNodes = 1024;

// Squared error of a direction that nothing is known of.
double ignorance(const RegressionSetting& s) {
    return squared(s.weight) + squared(s.start);
}

// (1 - e^{-lt})^2 / l, which is 0 at l = 0.
double overfitting(double l, double time) {
    return l > 0 ? squared(std::expm1(-l * time)) / l : 0.0;
}

double excess(const RegressionSetting& s, const Rule& bulk, double time) {
    double sum = 0;
    for (Index i = 0; i < bulk.node.size(); ++i) {
        const double l = squared(bulk.node(i));
        sum += bulk.weight(i) *
               (ignorance(s) * std::exp(-2 * l * time) + squared(s.noise) * overfitting(l, time));
    }
    return std::min(1.0, s.load) * sum + std::max(0.0, 1 - s.load) * ignorance(s);
}

// Averages of 1/l over the bulk: near load 1, where l nearly touches 0, they take more nodes.
Rule bulk_of(const RegressionSetting& s) {
    return noise_bulk(s.load, std::abs(s.load - 1) > 0.3 ? kUsualNodes : kManyNodes);
}

double lower_edge(const RegressionSetting& s) {
    return squared(1 - std::sqrt(s.load));
}

} // namespace

void check_regression(const RegressionSetting& s) {
    const auto need = [](const char* name, double value, bool above) {
        if (!(above ? value > 0 : value >= 0) || !std::isfinite(value))
            throw Error(concat(name, " ", value, "; a number ", above ? "above 0" : "of 0 or more",
                               " is expected"));
    };
    need("load", s.load, true);
    need("noise", s.noise, false);
    need("weight", s.weight, true);
    need("initial weight", s.start, false);
}

Vector regression_error(const RegressionSetting& s, const Vector& times) {
    check_regression(s);
    const Rule bulk = bulk_of(s);
    return times.unaryExpr([&](double t) { return excess(s, bulk, t); });
}

double late_regression_error(const RegressionSetting& s) {
    if (s.load > 1) return squared(s.noise) / (s.load - 1);
    if (s.load == 1) return squared(s.noise) > 0 ? kInfinity : 0.0;
    return (1 - s.load) * ignorance(s) + squared(s.noise) * s.load / (1 - s.load);
}

double best_eigenmode_time(const RegressionSetting& s, double l) {
    const double ratio = ignorance(s) / squared(s.noise);
    if (!std::isfinite(ratio)) return kInfinity; // no noise, or none beside the weights
    return l > 0 ? std::log1p(l * ratio) / l : ratio;
}

Minimum best_regression_time(const RegressionSetting& s) {
    check_regression(s);
    // Between the best times of the fastest and the slowest eigenmode.
    const double first = best_eigenmode_time(s, squared(1 + std::sqrt(s.load))),
                 last = best_eigenmode_time(s, lower_edge(s));
    if (!std::isfinite(first) || !std::isfinite(last)) return {kInfinity, late_regression_error(s)};
    const Vector grid =
        Vector::LinSpaced(kGrid, std::log(first / 2), std::log(2 * last)).array().exp();
    const Rule bulk = bulk_of(s);
    return least_minimum([&](double t) { return excess(s, bulk, t); }, grid,
                         regression_error(s, grid));
}

Vector usual_times(const RegressionSetting& s, Index count) {
    const double best = best_eigenmode_time(s, lower_edge(s));
    const double slowest = std::isfinite(best) ? best : 5 / std::max(lower_edge(s), 1e-3);
    return Vector::LinSpaced(count, 0, 2 * slowest);
}

Vector simulate_regression(const RegressionSetting& s, Index inputs, const Vector& times,
                           std::uint64_t seed, Index repeat) {
    check_regression(s);
    const auto n = static_cast<double>(inputs);
    const auto samples = std::max<Index>(1, std::lround(s.load * n));
    const Matrix x =
        random_noise(samples, inputs, 1 / std::sqrt(n), seed, repeat, "lindyn/regression/inputs");
    const linalg::Svd svd = linalg::thin_svd(x);
    const Index rank = svd.s.size();
    // In the singular vectors: teacher and start are isotropic, and so is the noise.
    const auto normal = [&](double scale, const std::string& what) {
        return Vector(random_noise(inputs, 1, scale, seed, repeat, "lindyn/regression/" + what));
    };
    const Vector teacher = normal(s.weight, "teacher"), start = normal(s.start, "start");
    const Vector noise = normal(s.noise, "noise").head(rank);
    const double unseen = (teacher - start).tail(inputs - rank).squaredNorm();
    return times.unaryExpr([&](double t) {
        double sum = unseen;
        for (Index i = 0; i < rank; ++i) {
            const double kept = std::exp(-squared(svd.s(i)) * t);
            sum += squared((start(i) - teacher(i)) * kept + noise(i) / svd.s(i) * (1 - kept));
        }
        return sum / n;
    });
}

RegressionSetting setting_at(const RegressionStudy& study, Index load) {
    RegressionSetting s = study.setting;
    s.load = study.loads(load);
    check_regression(s);
    return s;
}

void find_theory(RegressionStudy& study) {
    study.theory.clear();
    for (Index i = 0; i < study.loads.size(); ++i) {
        const RegressionSetting s = setting_at(study, i);
        study.theory.push_back(
            {regression_error(s, study.time), best_regression_time(s), late_regression_error(s)});
    }
}

void draw_regressions(RegressionStudy& study, const Execution& run) {
    const auto numbers = own_numbers(study.loads.size() * study.repeats, study.part);
    std::vector<Vector> draws(numbers.size());
    parallel_blocks(static_cast<Index>(numbers.size()), run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        const Index number = numbers[static_cast<std::size_t>(i)];
        draws[static_cast<std::size_t>(i)] =
            simulate_regression(setting_at(study, number / study.repeats), study.inputs, study.time,
                                study.seed, number % study.repeats);
    });
    for (std::size_t i = 0; i < numbers.size(); ++i) study.draws[numbers[i]] = std::move(draws[i]);
}

RegressionStudy merge_regressions(std::vector<RegressionStudy> parts) {
    std::vector<StudyPart> dealt;
    for (const RegressionStudy& part : parts) dealt.push_back(part.part);
    check_parts(dealt);
    RegressionStudy whole = std::move(parts.front());
    whole.part = {};
    for (std::size_t i = 1; i < parts.size(); ++i)
        take_records(whole.draws, parts[i].draws, "data set");
    check_complete(whole.draws, whole.loads.size() * whole.repeats, "data set");
    return whole;
}

} // namespace assay::lindyn
