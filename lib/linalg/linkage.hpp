// Hierarchical clustering by average linkage (UPGMA; Sokal and Michener 1958): the two clusters
// with the least mean distance between their members are merged, again and again. By chains of
// nearest neighbours (Murtagh 1983, The Computer Journal 26(4)).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::linalg {

// Clusters 0 ... n-1 are the items; merge k makes cluster n + k.
struct Merge {
    Index first = 0, second = 0; // first < second
    double height = 0;           // mean distance between members of the two
    Index size = 0;              // items of the new cluster
};

// n - 1 merges in the order of their heights. O(n^2). Throws Error on distances (n x n) that are
// not square, not symmetric (1e-9 of the largest), negative or not finite.
[[nodiscard]] ASSAY_API std::vector<Merge> average_linkage(const Matrix& distances);

} // namespace assay::linalg
