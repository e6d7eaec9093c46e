#include <assay/lindyn/error_model.hpp>

#include <assay/core/parallel.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/ode.hpp>
#include <assay/lindyn/quadrature.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr Index kTimes = 128;         // of a block
constexpr Index kSearchedTimes = 400; // times of the search for the optimum
constexpr double kHelps = 0.03;       // share of the largest `cross` of modes that set the times
constexpr Index kMostNodes = 1024;

ModeLaw error_law(const ErrorModel& m, Index i) {
    return {m.s(i), m.d, m.start, m.depth, 1, 0};
}

// Deep modes that start above their end: a' = D a^{2-2/D} (s - d a), integrated.
void falling_curve(const ModeLaw& law, const double* times, Index count, double* out) {
    const double power = 2 - 2.0 / law.depth;
    DormandPrince integrator(
        [&](const Vector& a, Vector& slope) {
            slope(0) = law.depth * std::pow(std::abs(a(0)), power) * (law.s - law.d * a(0));
        },
        Vector::Constant(1, law.start), {1e-11, 1e-14 * law.start});
    for (Index t = 0; t < count; ++t) out[t] = integrator.at(times[t])(0);
}

void strength_curve(const ErrorModel& m, Index i, const double* times, Index count, double* out) {
    const ModeLaw law = error_law(m, i);
    if (m.depth >= 3 && m.s(i) > 0 && !(m.start < law.end()))
        falling_curve(law, times, count, out);
    else
        mode_curve(law, times, count, out);
}

// Modes that carry much of the teacher.
std::vector<Index> helpful_modes(const ErrorModel& m) {
    std::vector<Index> modes;
    if (m.size() == 0) return modes;
    const double least = kHelps * m.cross.maxCoeff();
    for (Index i = 0; i < m.size(); ++i)
        if (m.cross(i) > 0 && m.cross(i) >= least) modes.push_back(i);
    return modes;
}

void add_time(std::vector<double>& times, double time) {
    if (std::isfinite(time) && time > 0) times.push_back(time);
}

} // namespace

Vector search_times(const ErrorModel& m, double horizon) {
    std::vector<double> times, grid{0};
    for (const Index i : helpful_modes(m)) {
        add_time(times, time_to_reach(error_law(m, i), 0.5));
        const double best = m.cross(i) / m.square(i) / error_law(m, i).end();
        if (best < 1) add_time(grid, time_to_reach(error_law(m, i), best));
    }
    if (times.empty()) return Vector::Zero(1);
    const auto [first, last] = std::minmax_element(times.begin(), times.end());
    const double low = std::log(0.1 * *first), high = std::log(3 * *last);
    for (Index i = 0; i < kSearchedTimes; ++i)
        grid.push_back(
            std::exp(low + (high - low) * static_cast<double>(i) / (kSearchedTimes - 1)));
    grid.insert(grid.end(), times.begin(), times.end());
    if (std::isfinite(horizon)) {
        grid.push_back(horizon);
        grid.erase(std::remove_if(grid.begin(), grid.end(), [&](double t) { return t > horizon; }),
                   grid.end());
    }
    std::sort(grid.begin(), grid.end());
    grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
    return Eigen::Map<const Vector>(grid.data(), static_cast<Index>(grid.size()));
}

ErrorCurves error_curves(const ErrorModel& m, const Vector& times, const Execution& run) {
    ErrorCurves curves{Vector(times.size()), Vector(times.size())};
    const Blocks blocks{times.size(), kTimes};
    parallel_blocks(blocks.count(), run.threads, [&](Index b) {
        using Array = Eigen::Array<double, Eigen::Dynamic, 1, 0, kTimes, 1>;
        const Index first = blocks.begin(b), count = blocks.extent(b);
        Array a(count), train = Array::Constant(count, m.unlearned);
        Array test = Array::Constant(count, m.teacher_power);
        for (Index i = 0; i < m.size(); ++i) {
            strength_curve(m, i, times.data() + first, count, a.data());
            test += (m.count(i) * m.square(i) * a - 2 * m.count(i) * m.cross(i)) * a;
            train += m.count(i) * m.d * (a - m.s(i) / m.d).square();
        }
        curves.train.segment(first, count) = train / m.target_power;
        curves.test.segment(first, count) = test / m.teacher_power;
    });
    return curves;
}

double test_error(const ErrorModel& m, double time) {
    double sum = m.teacher_power;
    for (Index i = 0; i < m.size(); ++i) {
        double a = 0;
        strength_curve(m, i, &time, 1, &a);
        sum += m.count(i) * (m.square(i) * a - 2 * m.cross(i)) * a;
    }
    return sum / m.teacher_power;
}

double late_error(const ErrorModel& m) {
    double sum = m.teacher_power;
    for (Index i = 0; i < m.size(); ++i) {
        const double a = m.s(i) / m.d;
        sum += m.count(i) * (m.square(i) * a - 2 * m.cross(i)) * a;
    }
    return sum / m.teacher_power;
}

Minimum optimal_stopping(const ErrorModel& m, const Execution& run, double horizon) {
    const Vector grid = search_times(m, horizon);
    return least_minimum([&](double t) { return test_error(m, t); }, grid,
                         error_curves(m, grid, run).test);
}

double non_gradient_error(const ErrorModel& m) {
    double gain = 0;
    for (Index i = 0; i < m.size(); ++i)
        if (m.cross(i) > 0) gain += m.count(i) * m.cross(i) * m.cross(i) / m.square(i);
    return 1 - gain / m.teacher_power;
}

Vector usual_times(const ErrorModel& m, Index count) {
    double latest = 0;
    for (const Index i : helpful_modes(m)) {
        const double half = time_to_reach(error_law(m, i), 0.5);
        if (std::isfinite(half)) latest = std::max(latest, half);
    }
    if (m.count.sum() > 0) {
        ErrorModel mean = m;
        mean.s = Vector::Constant(1, m.count.dot(m.s) / m.count.sum());
        const double half = time_to_reach(error_law(mean, 0), 0.5);
        if (std::isfinite(half)) latest = std::max(latest, half);
    }
    return Vector::LinSpaced(count, 0, latest > 0 ? 1.5 * latest : 1);
}

Index nodes_for(int depth, double latest) {
    // The curve of depth D has its poles pi s^{2/D-1} / (D t) from the real axis in s.
    const double wanted = std::ceil(3.5 * depth * latest);
    return wanted < static_cast<double>(kMostNodes)
               ? std::max(kUsualNodes, static_cast<Index>(wanted))
               : kMostNodes;
}

} // namespace assay::lindyn
