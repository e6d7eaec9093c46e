// Interval arithmetic with first derivatives, for the templates of cell.hpp: what a formula and its
// partial derivatives can be when its arguments lie anywhere in given intervals. Ranges of
// activations are exact up to a few roundings, by which they are widened; products and sums are not
// rounded outwards. An interval that is not finite stands for "could be anything".
#pragma once

#include <assay/network/activation.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace assay::network {

struct Interval {
    double lo = 0, hi = 0;
    [[nodiscard]] bool finite() const { return std::isfinite(lo) && std::isfinite(hi); }
    [[nodiscard]] double magnitude() const { return std::max(std::abs(lo), std::abs(hi)); }
    [[nodiscard]] double middle() const { return lo + (hi - lo) / 2; }
    // The largest distance of its numbers from a point.
    [[nodiscard]] double away_from(double point) const {
        return std::max(std::abs(lo - point), std::abs(hi - point));
    }
};

inline Interval everything() {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
}
inline Interval operator+(const Interval& a, const Interval& b) {
    return a.finite() && b.finite() ? Interval{a.lo + b.lo, a.hi + b.hi} : everything();
}
inline Interval operator-(const Interval& a) {
    return {-a.hi, -a.lo};
}
inline Interval operator-(const Interval& a, const Interval& b) {
    return a + -b;
}
inline Interval operator*(const Interval& a, const Interval& b) {
    if (!a.finite() || !b.finite()) return everything();
    const auto [lo, hi] = std::minmax({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
    return {lo, hi};
}
inline Interval operator/(const Interval& a, const Interval& b) {
    if (!a.finite() || !b.finite() || (b.lo <= 0 && b.hi >= 0)) return everything();
    return a * Interval{1 / b.hi, 1 / b.lo};
}

// The range of an activation (order 0) or of its first or second derivative over an interval;
// everything where a derivative meets a kink, and for activations that no cell takes.
[[nodiscard]] Interval range(const Activation& f, const Interval& x, int order);

// An interval, and intervals of its derivatives in at most so many variables.
struct Enclosure {
    static constexpr std::size_t kMostVariables = 5;
    Interval v;
    std::array<Interval, kMostVariables> d;
};

inline Enclosure operator+(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v + b.v, {}};
    for (std::size_t i = 0; i < c.d.size(); ++i) c.d[i] = a.d[i] + b.d[i];
    return c;
}
inline Enclosure operator-(const Enclosure& a) {
    Enclosure c{-a.v, {}};
    for (std::size_t i = 0; i < c.d.size(); ++i) c.d[i] = -a.d[i];
    return c;
}
inline Enclosure operator-(const Enclosure& a, const Enclosure& b) {
    return a + -b;
}
inline Enclosure operator*(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v * b.v, {}};
    for (std::size_t i = 0; i < c.d.size(); ++i) c.d[i] = a.d[i] * b.v + a.v * b.d[i];
    return c;
}
inline Enclosure operator/(const Enclosure& a, const Enclosure& b) {
    Enclosure c{a.v / b.v, {}};
    for (std::size_t i = 0; i < c.d.size(); ++i) c.d[i] = (a.d[i] - c.v * b.d[i]) / b.v;
    return c;
}
inline Enclosure constant(const Enclosure&, double value) {
    return {{value, value}, {}};
}
[[nodiscard]] Enclosure activate(const Activation& f, const Enclosure& x);
[[nodiscard]] Enclosure slope(const Activation& f, const Enclosure& x, const Enclosure& y);

} // namespace assay::network
