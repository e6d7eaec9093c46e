#include <assay/fixedpoints/statistics.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::fixedpoints {
namespace {

bool below(double a, double b) {
    return std::isnan(b) ? !std::isnan(a) : a < b;
}

// Of sorted values: between two neighbours, without inf - inf.
double interpolated(const Vector& sorted, double position) {
    const auto low = static_cast<Index>(std::floor(position));
    const double fraction = position - static_cast<double>(low);
    if (fraction == 0 || sorted(low) == sorted(low + 1)) return sorted(low);
    return sorted(low) + fraction * (sorted(low + 1) - sorted(low));
}

Vector mean_ranks(const Vector& values) {
    std::vector<Index> order(static_cast<std::size_t>(values.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return values(a) < values(b); });
    Vector rank(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        while (last < order.size() && values(order[last]) == values(order[first])) ++last;
        if (last == first) return Vector::Constant(values.size(), kNaN);
        const double shared = 0.5 * static_cast<double>(first + last - 1);
        for (; first < last; ++first) rank(order[first]) = shared;
    }
    return rank;
}

} // namespace

Vector quantiles(Vector values, const Vector& levels) {
    if (levels.size() > 0 && !(levels.minCoeff() >= 0 && levels.maxCoeff() <= 1))
        throw Error("quantile levels must be within 0 and 1");
    if (values.size() == 0) return Vector::Constant(levels.size(), kNaN);
    std::sort(values.data(), values.data() + values.size(), below);
    Vector found(levels.size());
    for (Index i = 0; i < levels.size(); ++i)
        found(i) = interpolated(values, levels(i) * static_cast<double>(values.size() - 1));
    return found;
}

Histogram histogram(const std::vector<Vector>& groups, Index bins) {
    if (bins < 1) throw Error(concat("a histogram of ", bins, " bins: must be >= 1"));
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const Vector& group : groups)
        for (const double value : group)
            if (std::isfinite(value)) {
                low = std::min(low, value);
                high = std::max(high, value);
            }
    if (!(low <= high)) low = high = 0;
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    Histogram result;
    result.edges = Vector::LinSpaced(bins + 1, low, high);
    result.counts.setZero(static_cast<Index>(groups.size()), bins);
    for (std::size_t g = 0; g < groups.size(); ++g)
        for (const double value : groups[g])
            if (std::isfinite(value)) {
                const auto bin =
                    static_cast<Index>((value - low) / (high - low) * static_cast<double>(bins));
                result.counts(static_cast<Index>(g), std::min(bin, bins - 1)) += 1;
            }
    return result;
}

double correlation(const Vector& a, const Vector& b) {
    if (a.size() != b.size())
        throw Error(concat("correlation of ", a.size(), " and ", b.size(), " values"));
    if (a.size() < 2) return kNaN;
    const Vector x = a.array() - a.mean(), y = b.array() - b.mean();
    const double size = x.norm() * y.norm();
    return size > 0 ? std::clamp(x.dot(y) / size, -1.0, 1.0) : kNaN;
}

double rank_correlation(const Vector& a, const Vector& b) {
    return correlation(mean_ranks(a), mean_ranks(b));
}

} // namespace assay::fixedpoints
