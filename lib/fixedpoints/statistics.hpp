// Summaries of the numbers that the analyses of a network make: quantiles, histograms,
// correlations.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::fixedpoints {

// Quantiles at `levels` in [0, 1], linear between order statistics (Hyndman and Fan 1996, type 7).
// NaN counts as larger than any number. NaN for no values. O(n log n). Throws Error for a level
// outside [0, 1].
[[nodiscard]] ASSAY_API Vector quantiles(Vector values, const Vector& levels);

// Bins of equal width over all finite values of all groups; a value on an inner edge belongs to the
// bin above it. Values that are not finite are not counted.
struct Histogram {
    Vector edges;  // bins + 1
    Matrix counts; // groups x bins
};
[[nodiscard]] ASSAY_API Histogram histogram(const std::vector<Vector>& groups, Index bins);

// Pearson's correlation; NaN where one of the two is constant. Throws Error for unequal lengths.
[[nodiscard]] ASSAY_API double correlation(const Vector& a, const Vector& b);
// Spearman's: of the ranks, equal values sharing their mean rank.
[[nodiscard]] ASSAY_API double rank_correlation(const Vector& a, const Vector& b);

} // namespace assay::fixedpoints
