// Progressive differentiation (arXiv 1810.10531): the branches of a tree of items part from each
// other in stages, broad distinctions before fine ones. On a complete tree with P leaves, M_l nodes
// of level l and equal strengths a_l of a level's modes, items whose last common ancestor is of
// level k are apart by
//   d^2 = 2 a_{k+1} M_{k+1} / P + sum_{l > k+1} 2 a_l (M_l - M_{l-1}) / P,
// of which the first term is between the centroids of the branches that part.
#pragma once

#include <assay/core/export.hpp>
#include <assay/linalg/linkage.hpp>
#include <assay/lindyn/development.hpp>

#include <optional>
#include <vector>

namespace assay::lindyn {

// Where branches part: the items below each of a node's children.
struct Split {
    Index level = 0; // of the node; the root has level 0
    std::vector<std::vector<Index>> branches;
};

// Labels with the root's column in front where the first one parts the items (item x level).
[[nodiscard]] ASSAY_API Matrix rooted_labels(const Matrix& labels);
// Of a tree by the node of each level above an item (item x level; the first column is the root),
// level by level. Throws Error on labels that are no tree.
[[nodiscard]] ASSAY_API std::vector<Split> splits_of_labels(const Matrix& labels);
// Of a clustering of `items` items, the last merge (the root) first.
[[nodiscard]] ASSAY_API std::vector<Split>
splits_of_linkage(const std::vector<linalg::Merge>& merges, Index items);

struct Differentiation {
    std::vector<Split> splits; // S
    // T x S: between the centroids of sister branches, and between their items (root mean square
    // over pairs of branches, and over pairs of items).
    Matrix distance, item_distance;
    Vector end_distance; // S, between centroids
    // S: when the squared distance of centroids, which grows like the strength of the mode that
    // parts them, passes a half, a tenth, nine tenths of its end. NaN: never.
    Vector half_time, time_10, time_90;
    std::vector<std::int32_t> group; // S: of the modes that add most to the distance; -1: not known
};

[[nodiscard]] ASSAY_API Differentiation differentiate(const Development& development,
                                                      std::vector<Split> splits);
// Fills `group` from the modes' item vectors v (n x K) and final strengths (K).
ASSAY_API void assign_groups(Differentiation& differentiation, const Matrix& v,
                             const Vector& strengths, const std::vector<std::int32_t>& group);

// ---- basic level ------------------------------------------------------------------------------

// Which level of a complete tree is learned first: lambda_l = sum_{k >= l} (P / M_k)
// (q_k - q_{k-1}), q_{-1} = 0, of the mean similarity q_k of items that part at level k (q_D = 1).
struct LevelSpectrum {
    Vector nodes;       // M_l
    Vector correlation; // q_l
    Vector eigenvalue;  // lambda_l
    Index first = 0;    // the level with the largest
    // Levels are learned from the broadest to the finest: eigenvalues fall.
    [[nodiscard]] ASSAY_API bool broad_to_fine() const;
};
// Empty where the tree is not complete (nodes of a level with different numbers of items). `labels`
// as for splits_of_labels; a last level of single items is added where it is missing. `similarity`
// n x n, such as the Gram matrix of the items' features.
[[nodiscard]] ASSAY_API std::optional<LevelSpectrum> level_spectrum(const Matrix& labels,
                                                                    const Matrix& similarity);

} // namespace assay::lindyn
