#include <assay/lindyn/known_modes.hpp>

#include <assay/linalg/svd.hpp>
#include <assay/lindyn/modes.hpp>

#include <cmath>
#include <limits>

namespace assay::lindyn {

double largest_angle(const Matrix& found, const KnownModes& known) {
    constexpr double kEqual = 1e-9; // relative gap of values that are the same but for rounding
    const auto group = group_equal(known.eigenvalues, kEqual);
    double largest = std::numeric_limits<double>::quiet_NaN();
    for (Index first = 0, end = 0; first < known.vectors.cols(); first = end) {
        while (end < known.vectors.cols() &&
               group[static_cast<std::size_t>(end)] == group[static_cast<std::size_t>(first)])
            ++end;
        if (end > found.cols()) break;
        const auto plane = known.vectors.middleCols(first, end - first);
        const Matrix inside = plane.transpose() * found.middleCols(first, end - first),
                     outside = found.middleCols(first, end - first) - plane * inside;
        largest = std::fmax(largest, std::atan2(linalg::thin_svd(outside).s.maxCoeff(),
                                                linalg::thin_svd(inside).s.minCoeff()));
    }
    return largest;
}

} // namespace assay::lindyn
