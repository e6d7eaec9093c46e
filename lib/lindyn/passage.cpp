#include <assay/lindyn/passage.hpp>

#include <limits>

namespace assay::lindyn {

double first_passage(const Vector& time, const Vector& curve, double level) {
    for (Index i = 0; i < curve.size(); ++i) {
        if (!(curve(i) >= level)) continue;
        if (i == 0) return time(0);
        const double share = (level - curve(i - 1)) / (curve(i) - curve(i - 1));
        return time(i - 1) + share * (time(i) - time(i - 1));
    }
    return std::numeric_limits<double>::quiet_NaN();
}

} // namespace assay::lindyn
