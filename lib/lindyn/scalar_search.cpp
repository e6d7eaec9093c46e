#include <assay/lindyn/scalar_search.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {

Minimum brent_minimum(const ScalarFunction& f, double low, double high) {
    constexpr double kGolden = 0.3819660112501051, kRelative = 1e-9, kTiny = 1e-14;
    double x = low + kGolden * (high - low), w = x, v = x;
    double fx = f(x), fw = fx, fv = fx, step = 0, before = 0;
    for (int iteration = 0; iteration < 100; ++iteration) {
        const double middle = (low + high) / 2, tolerance = kRelative * std::abs(x) + kTiny;
        if (std::abs(x - middle) <= 2 * tolerance - (high - low) / 2) break;
        // A parabola through the three best points, where it leads inwards by less than half the
        // step before last; else the golden section of the longer part.
        const double r = (x - w) * (fx - fv);
        double q = (x - v) * (fx - fw), p = (x - v) * q - (x - w) * r;
        q = 2 * (q - r);
        if (q > 0) p = -p;
        q = std::abs(q);
        const bool parabola = std::abs(before) > tolerance &&
                              std::abs(p) < std::abs(q * before / 2) && p > q * (low - x) &&
                              p < q * (high - x);
        const double longer = x < middle ? high - x : low - x;
        before = parabola ? step : longer;
        step = parabola ? p / q : kGolden * longer;
        const double u =
            std::abs(step) >= tolerance ? x + step : x + std::copysign(tolerance, step);
        const double fu = f(u);
        if (fu <= fx) {
            (u < x ? high : low) = x;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
            continue;
        }
        (u < x ? low : high) = u;
        if (fu <= fw || w == x)
            v = w, fv = fw, w = u, fw = fu;
        else if (fu <= fv || v == x || v == w)
            v = u, fv = fu;
    }
    return {x, fx};
}

Minimum least_minimum(const ScalarFunction& f, const Vector& grid, const Vector& values) {
    constexpr double kEqual = 1e-13; // relative difference of values that is rounding
    const Index last = grid.size() - 1;
    Minimum best{grid(0), values(0)};
    const auto consider = [&](const Minimum& m) {
        if (m.value < best.value - kEqual * std::abs(best.value)) best = m;
    };
    for (Index i = 0; i <= last; ++i) {
        const bool falls = i == 0 || values(i) <= values(i - 1);
        const bool rises = i == last || values(i) <= values(i + 1);
        if (!falls || !rises) continue;
        consider({grid(i), values(i)});
        const Index left = std::max<Index>(i - 1, 0), right = std::min(i + 1, last);
        if (right > left) consider(brent_minimum(f, grid(left), grid(right)));
    }
    return best;
}

} // namespace assay::lindyn
