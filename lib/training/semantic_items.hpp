// Items and their features (Saxe, McClelland, Ganguli 2019, arXiv 1810.10531), what the tasks of
// semantic development are written with: the covariance Phi of a feature's values over the items by
// its modes, features drawn from it, complete trees, and the task of naming an item's features. For
// lib/training only.
#pragma once

#include <assay/training/task_family.hpp>

#include <memory>

namespace assay::training {

inline constexpr double kMostItems = 4096;

// Phi = vectors diag(eigenvalues) vectors^T; directions that are left out have eigenvalue 0.
struct ItemModes {
    RowMatrix vectors; // item x mode, orthonormal columns
    Vector eigenvalues;
};

// Modes by falling eigenvalue; equal ones stay in their order.
[[nodiscard]] ItemModes sorted(const ItemModes& modes);
// Independent Gaussian features of covariance Phi: item x feature. Eigenvalues that rounding made
// negative count as 0.
[[nodiscard]] RowMatrix gaussian_features(const ItemModes& modes, Index features,
                                          const Random& random);
// Singular values of the mean over items of features item^T that `count` features of covariance Phi
// have when they are many: sqrt(count eigenvalue) / items.
[[nodiscard]] std::vector<double> item_singular_values(const ItemModes& modes, double count);
// /truth: mode, eigenvalue and singular_value of each.
[[nodiscard]] std::vector<TruthArray> item_truth(const ItemModes& modes, double count);

// Sample i is item i modulo their number: one-hot inputs, the item's features (item x feature) as
// targets.
[[nodiscard]] TaskParts item_task(RowMatrix features,
                                  std::function<std::vector<TruthArray>()> truth);

// A complete tree: level 0 is the root, level D the items.
struct Tree {
    std::vector<Index> branching; // children of a node of level 0 ... D-1
    std::vector<Index> nodes;     // M_0 = 1 ... M_D = items

    [[nodiscard]] Index levels() const { return static_cast<Index>(nodes.size()); }
    [[nodiscard]] Index items() const { return nodes.back(); }
    // The node of a level above an item, numbered from 0 within the level.
    [[nodiscard]] Index node_of(Index item, Index level) const {
        return item / (items() / nodes[static_cast<std::size_t>(level)]);
    }
};

// From the parameter of that name. Throws UsageError on an empty list and on too many items.
[[nodiscard]] Tree make_tree(const Parameters& p, std::string_view name);

// Orthonormal item vectors on which any tree-like covariance is diagonal: the constant one, and for
// each inner node the contrasts of its children (Helmert).
struct TreeModes {
    RowMatrix vectors;         // item x mode
    std::vector<double> level; // of each mode
};
[[nodiscard]] TreeModes tree_modes(const Tree& tree);

// lambda_l = sum_{k >= l} (P / M_k) (q_k - q_{k-1}), q_{-1} = 0, of the covariance between items
// that is q_k where their last common ancestor is of level k.
[[nodiscard]] std::vector<double> level_eigenvalues(const Tree& tree, const std::vector<double>& q);
[[nodiscard]] ItemModes tree_covariance(const TreeModes& modes, const std::vector<double>& lambda);

// Branching diffusion: probabilities of a flip on the way to levels 1 ... D from the parameter
// `flip` (one for all, or one a level); q_k = product over levels l > k of (1 - 2 flip_l)^2; and
// the features (item x feature), of which each is -1 or 1 at the root and flips on the way to a
// child.
[[nodiscard]] std::vector<double> flip_probabilities(const Parameters& p, Index depth);
[[nodiscard]] std::vector<double> diffusion_correlations(const std::vector<double>& flip);
[[nodiscard]] RowMatrix diffuse(const Tree& tree, const std::vector<double>& flip, Index features,
                                const Random& random);
// Node of each level above each item: item x level.
[[nodiscard]] RowMatrix tree_labels(const Tree& tree);

} // namespace assay::training
