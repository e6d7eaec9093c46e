#include <assay/tensor_amp/trapezoid.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr double kFirstStep = 0.25;
constexpr int kMostHalvings = 14;
constexpr double kSettled = 1e-8; // between two steps; the error is about its square
constexpr double kNothing = 1e-30;

// The integrand in t, u = t or sinh t.
Eigen::Array4d value(const Density& density, bool stretched, double t) {
    return stretched ? Eigen::Array4d(density(std::sinh(t)) * std::cosh(t)) : density(t);
}

// Nodes low + i step, i = 0 .. cells.
struct Grid {
    double low, step;
    Eigen::Index cells;
};

Grid grid_over(const Interval& interval, double step) {
    const double length = interval.high - interval.low;
    const auto cells = static_cast<Eigen::Index>(std::max(8.0, std::ceil(length / step)));
    return {interval.low, length / static_cast<double>(cells), cells};
}

// The part of an interval outside which nothing is seen on a coarse grid.
Interval trimmed(const Density& density, bool stretched, const Interval& interval) {
    const Grid grid = grid_over(interval, kFirstStep);
    Eigen::Index first = grid.cells, last = 0;
    for (Eigen::Index i = 0; i <= grid.cells; ++i)
        if (value(density, stretched, grid.low + static_cast<double>(i) * grid.step)(0) >
            kNothing) {
            first = std::min(first, i);
            last = i;
        }
    if (first > last) return interval;
    return {grid.low + static_cast<double>(std::max<Eigen::Index>(first - 2, 0)) * grid.step,
            grid.low + static_cast<double>(std::min(last + 2, grid.cells)) * grid.step};
}

bool settled(const Eigen::Array4d& one, const Eigen::Array4d& other, double noise) {
    return ((one - other).abs() <= (kSettled + noise) * other.abs() + 1e-13).all();
}

bool whole(const Eigen::Array4d& integral, double noise) {
    return std::abs(integral(0) - 1) <= 1e-9 + noise;
}

// The integral over one interval, and whether it settled; with `all_mass` the interval holds the
// whole density, so that a peak between the points shows.
struct Integral {
    Eigen::Array4d value;
    bool settled;
};
Integral over_interval(const Density& density, bool stretched, const Interval& interval,
                       double noise, bool all_mass) {
    Grid grid = grid_over(interval, kFirstStep);
    Eigen::Array4d sum = Eigen::Array4d::Zero();
    for (Eigen::Index i = 0; i <= grid.cells; ++i)
        sum += value(density, stretched, grid.low + static_cast<double>(i) * grid.step);
    Eigen::Array4d integral = sum * grid.step;
    for (int halving = 0; halving < kMostHalvings; ++halving) {
        for (Eigen::Index i = 0; i < grid.cells; ++i)
            sum += value(density, stretched, grid.low + (static_cast<double>(i) + 0.5) * grid.step);
        grid = {grid.low, grid.step / 2, grid.cells * 2};
        const Eigen::Array4d finer = sum * grid.step;
        if (settled(integral, finer, noise) && (!all_mass || whole(finer, noise)))
            return {finer, true};
        integral = finer;
    }
    return {integral, false};
}

} // namespace

std::vector<Interval> joined(std::vector<Interval> intervals) {
    std::sort(intervals.begin(), intervals.end(),
              [](const Interval& a, const Interval& b) { return a.low < b.low; });
    std::vector<Interval> whole;
    for (const Interval& next : intervals)
        if (whole.empty() || next.low > whole.back().high)
            whole.push_back(next);
        else
            whole.back().high = std::max(whole.back().high, next.high);
    return whole;
}

Eigen::Array4d integrate(const Density& density, std::vector<Interval> intervals, bool stretched,
                         double noise) {
    if (stretched)
        for (Interval& interval : intervals)
            interval = {std::asinh(interval.low), std::asinh(interval.high)};
    // A narrow peak far out may have been trimmed away: then the mass is missing, and the whole
    // interval is taken.
    for (const bool trim : {true, false}) {
        Eigen::Array4d total = Eigen::Array4d::Zero();
        bool all_settled = true;
        for (const Interval& interval : intervals) {
            const Integral part = over_interval(
                density, stretched, trim ? trimmed(density, stretched, interval) : interval, noise,
                !trim && intervals.size() == 1);
            total += part.value;
            all_settled = all_settled && part.settled;
        }
        if (all_settled && whole(total, noise)) return total;
    }
    throw Error("the integral over the field does not settle");
}

} // namespace assay::tensor_amp
