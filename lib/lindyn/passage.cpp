#include <assay/lindyn/passage.hpp>

#include <assay/core/constants.hpp>

#include <cmath>

namespace assay::lindyn {
namespace {

// The first sample at `level` or above; as many as there are, if none is.
Index first_above(const Vector& curve, double level) {
    Index i = 0;
    while (i < curve.size() && !(curve(i) >= level)) ++i;
    return i;
}

double between(const Vector& time, Index above, double low, double high, double wanted) {
    return time(above - 1) + (wanted - low) / (high - low) * (time(above) - time(above - 1));
}

} // namespace

double first_passage(const Vector& time, const Vector& curve, double level) {
    const Index i = first_above(curve, level);
    if (i == curve.size()) return kNaN;
    return i == 0 ? time(0) : between(time, i, curve(i - 1), curve(i), level);
}

double growth_passage(const Vector& time, const Vector& curve, double end, double fraction) {
    const double level = fraction * end;
    const Index i = first_above(curve, level);
    if (i == 0 || i == curve.size()) return kNaN;
    const double low = curve(i - 1), high = curve(i);
    if (!(low > 0 && high < end)) return between(time, i, low, high, level);
    const auto logit = [end](double a) { return std::log(a / (end - a)); };
    return between(time, i, logit(low), logit(high), logit(level));
}

Vector growth_passages(const Vector& time, const Matrix& curves, const Vector& ends,
                       double fraction) {
    Vector when(ends.size());
    for (Index a = 0; a < ends.size(); ++a)
        when(a) = ends(a) > 0 ? growth_passage(time, curves.col(a), ends(a), fraction) : kNaN;
    return when;
}

} // namespace assay::lindyn
