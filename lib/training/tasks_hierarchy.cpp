// Items of a tree and their features (Saxe, McClelland, Ganguli 2019, arXiv 1810.10531): branching
// diffusion, membership, or any valid correlation of the levels.
#include <assay/core/indices.hpp>
#include <assay/training/semantic_items.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::training {
namespace {

struct Hierarchy {
    Tree tree;
    TreeModes modes;
    std::vector<double> q, lambda; // per level
    double scale = 1;              // features that each have the covariance q
};

// One feature a node, root first, level by level: 1 for the items below it.
RowMatrix membership(const Tree& tree) {
    Index nodes = 0;
    for (const Index count : tree.nodes) nodes += count;
    RowMatrix features = RowMatrix::Zero(tree.items(), nodes);
    for (Index level = 0, first = 0; level < tree.levels(); first += tree.nodes[at(level++)])
        for (Index item = 0; item < tree.items(); ++item)
            features(item, first + tree.node_of(item, level)) = 1;
    return features;
}

void check_levels(const Parameters& p, const Hierarchy& h) {
    constexpr double kRounding = 1e-12;
    for (std::size_t level = 0; level < h.lambda.size(); ++level)
        if (h.lambda[level] < -kRounding)
            p.refuse("levels_correlation",
                     concat("a covariance without negative eigenvalues (that of level ", level,
                            " is ", h.lambda[level], ")"));
}

// Features (item x feature) of one of three kinds, and their correlations.
RowMatrix make_features(const Parameters& p, Hierarchy& h) {
    const Index depth = h.tree.levels() - 1, features = p.integer("features");
    const auto given = p.numbers("levels_correlation");
    h.scale = static_cast<double>(features);
    checked_size({h.tree.items(), features}, "features of all items");
    if (p.flag("explicit")) {
        for (Index k = 0; k <= depth; ++k) h.q.push_back(static_cast<double>(k + 1));
        h.lambda = level_eigenvalues(h.tree, h.q);
        h.scale = 1;
        return membership(h.tree);
    }
    if (given.empty()) {
        const auto flip = flip_probabilities(p, depth);
        h.q = diffusion_correlations(flip);
        h.lambda = level_eigenvalues(h.tree, h.q);
        return diffuse(h.tree, flip, features, p.random("features"));
    }
    if (given.size() != at(depth + 1))
        p.refuse("levels_correlation", concat("one number for each of ", depth + 1, " levels"));
    h.q = given;
    h.lambda = level_eigenvalues(h.tree, h.q);
    check_levels(p, h);
    return gaussian_features(tree_covariance(h.modes, h.lambda), features, p.random("features"));
}

std::vector<TruthArray> hierarchy_truth(const Hierarchy& h) {
    std::vector<double> multiplicity, singular;
    for (std::size_t l = 0; l < h.lambda.size(); ++l) {
        multiplicity.push_back(
            static_cast<double>(h.tree.nodes[l] - (l > 0 ? h.tree.nodes[l - 1] : 0)));
        singular.push_back(std::sqrt(std::max(0.0, h.scale * h.lambda[l])) /
                           static_cast<double>(h.tree.items()));
    }
    return {
        whole(truth_matrix("label", tree_labels(h.tree), {"item", "level"},
                           "Node of each level above an item, from 0 within the level")),
        truth_vector("correlation", h.q, "level",
                     "Expected product of a feature's values for two items that part below a level "
                     "(explicit: the sum over features)"),
        truth_vector("eigenvalue", h.lambda, "level", "Of the matrix of these between all items"),
        whole(truth_vector("multiplicity", multiplicity, "level", "How many modes a level has")),
        truth_vector("singular_value", singular, "level",
                     "Of the mean over items of features item^T: exact for explicit features, else "
                     "for many features"),
        truth_matrix("mode", h.modes.vectors, {"item", "mode"},
                     "Orthonormal item vectors (object analysers); within a level any rotation "
                     "serves as well"),
        whole(truth_vector("mode_level", h.modes.level, "mode", "Level of each mode"))};
}

TaskParts make_hierarchy(const Parameters& p) {
    const auto h = std::make_shared<Hierarchy>();
    h->tree = make_tree(p, "branching");
    h->modes = tree_modes(h->tree);
    return item_task(make_features(p, *h), [h] { return hierarchy_truth(*h); });
}

TaskEntry semantic_hierarchy() {
    return {
        {"semantic-hierarchy",
         "One-hot items, the leaves of a tree, and their features: each starts as -1 or 1 at the "
         "root and may flip on the way to each child. Sample i is item i modulo their number",
         {integers("branching", "2,2,2", 1, kMostItems, "children of a node, from the root down"),
          numbers("flip", "0.15", 0, 0.5, "probability of a flip, one or one a level"),
          integer("features", 1000, 1, 1e7, "independent ones"),
          numbers("levels_correlation", "", -kAnyNumber, kAnyNumber,
                  "instead of flips: Gaussian features with this covariance between items that "
                  "part below level 0, 1, ... (the last: variance)"),
          flag("explicit", "instead: one feature a node, 1 for the items below it, else 0")},
         {{"canary",
           "canary, salmon, oak, rose: grow, move, roots, fly, swim, leaves, petals",
           {{"branching", "2,2"}, {"explicit", "true"}}}}},
        make_hierarchy};
}

} // namespace

std::vector<TaskEntry> hierarchy_tasks() {
    return {semantic_hierarchy()};
}

} // namespace assay::training
