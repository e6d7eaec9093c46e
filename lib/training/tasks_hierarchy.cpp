// Items of a tree and their features (Saxe, McClelland, Ganguli 2019, arXiv 1810.10531): branching
// diffusion, membership, or any valid correlation of the levels.
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::training {
namespace {

constexpr double kMostItems = 4096;

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// A complete tree: level 0 is the root, level D the items.
struct Tree {
    std::vector<Index> branching; // children of a node of level 0 ... D-1
    std::vector<Index> nodes;     // M_0 = 1 ... M_D = items

    [[nodiscard]] Index levels() const { return static_cast<Index>(nodes.size()); }
    [[nodiscard]] Index items() const { return nodes.back(); }
    // The node of a level above an item, numbered from 0 within the level.
    [[nodiscard]] Index node_of(Index item, Index level) const {
        return item / (items() / nodes[at(level)]);
    }
};

Tree make_tree(const Parameters& p) {
    Tree tree{p.integers("branching"), {1}};
    for (const Index children : tree.branching) {
        const double items = static_cast<double>(tree.items()) * static_cast<double>(children);
        if (items > kMostItems)
            p.refuse("branching", concat("a product of at most ", kMostItems, " items"));
        tree.nodes.push_back(static_cast<Index>(items));
    }
    if (tree.branching.empty()) p.refuse("branching", "a list of one number or more");
    return tree;
}

// Orthonormal item vectors on which any tree-like covariance is diagonal: the constant one, and for
// each inner node the contrasts of its children (Helmert).
struct TreeModes {
    RowMatrix vectors; // item x mode
    std::vector<double> level;
};

TreeModes tree_modes(const Tree& tree) {
    const Index items = tree.items();
    TreeModes modes{RowMatrix::Zero(items, items), {0.0}};
    modes.vectors.col(0).setConstant(1);
    for (Index l = 1; l < tree.levels(); ++l) {
        const Index children = tree.branching[at(l - 1)], width = items / tree.nodes[at(l)];
        for (Index parent = 0; parent < tree.nodes[at(l - 1)]; ++parent)
            for (Index h = 1; h < children; ++h) {
                const auto mode = static_cast<Index>(modes.level.size());
                auto under =
                    modes.vectors.col(mode).segment(parent * children * width, (h + 1) * width);
                under.head(h * width).setConstant(1);
                under.tail(width).setConstant(-static_cast<double>(h));
                modes.level.push_back(static_cast<double>(l));
            }
    }
    modes.vectors.colwise().normalize();
    return modes;
}

// lambda_l = sum_{k >= l} (P / M_k) (q_k - q_{k-1}), q_{-1} = 0, of the covariance between items
// that is q_k where their last common ancestor is of level k.
std::vector<double> level_eigenvalues(const Tree& tree, const std::vector<double>& q) {
    std::vector<double> lambda(q.size());
    double sum = 0;
    for (std::size_t k = q.size(); k-- > 0;) {
        const Index below = tree.items() / tree.nodes[k];
        sum += static_cast<double>(below) * (q[k] - (k > 0 ? q[k - 1] : 0));
        lambda[k] = sum;
    }
    return lambda;
}

struct Hierarchy {
    Tree tree;
    TreeModes modes;
    std::vector<double> q, lambda; // per level
    RowMatrix features;            // item x feature
    double scale = 1;              // features that each have the covariance q
};

// ---- three kinds of features ------------------------------------------------------------------

// Probabilities of a flip on the way to levels 1 ... D.
std::vector<double> flips(const Parameters& p, Index depth) {
    auto flip = p.numbers("flip");
    if (flip.size() == 1) flip.assign(at(depth), flip.front());
    if (flip.size() != at(depth))
        p.refuse("flip", concat("one probability, or one for each of ", depth, " levels"));
    return flip;
}

// q_k = product over levels l > k of (1 - 2 flip_l)^2.
std::vector<double> diffusion_correlations(const std::vector<double>& flip) {
    std::vector<double> q(flip.size() + 1, 1.0);
    for (std::size_t k = flip.size(); k-- > 0;) q[k] = q[k + 1] * std::pow(1 - 2 * flip[k], 2);
    return q;
}

// Column m: the root is -1 or 1, each child flips its parent's value with the level's probability.
RowMatrix diffuse(const Tree& tree, const std::vector<double>& flip, Index features,
                  const Random& random) {
    RowMatrix values(1, features);
    for (Index m = 0; m < features; ++m)
        values(0, m) = random.below(2, static_cast<std::uint64_t>(m)) == 0 ? -1 : 1;
    for (Index l = 1; l < tree.levels(); ++l) {
        RowMatrix next(tree.nodes[at(l)], features);
        for (Index node = 0; node < next.rows(); ++node)
            for (Index m = 0; m < features; ++m) {
                const double u = random.uniform(
                    static_cast<std::uint64_t>(m),
                    {static_cast<std::uint64_t>(l), static_cast<std::uint64_t>(node), 0});
                const double parent = values(node / tree.branching[at(l - 1)], m);
                next(node, m) = u < flip[at(l - 1)] ? -parent : parent;
            }
        values = std::move(next);
    }
    return values;
}

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

// Gaussian features of covariance sum over modes of lambda v v^T.
RowMatrix gaussian_features(const TreeModes& modes, const std::vector<double>& lambda,
                            Index features, const Random& random) {
    Vector sd(modes.vectors.cols());
    for (Index a = 0; a < sd.size(); ++a)
        sd(a) = std::sqrt(std::max(0.0, lambda[static_cast<std::size_t>(modes.level[at(a)])]));
    return modes.vectors * sd.asDiagonal() * normal_matrix(random, sd.size(), features, 1);
}

void check_levels(const Parameters& p, const Hierarchy& h) {
    constexpr double kRounding = 1e-12;
    if (*std::min_element(h.lambda.begin(), h.lambda.end()) < -kRounding)
        p.refuse("levels_correlation", "a covariance without negative eigenvalues");
}

void fill_features(const Parameters& p, Hierarchy& h) {
    const Index depth = h.tree.levels() - 1;
    const auto given = p.numbers("levels_correlation");
    h.scale = static_cast<double>(p.integer("features"));
    checked_size({h.tree.items(), p.integer("features")}, "features of all items");
    if (p.flag("explicit")) {
        for (Index k = 0; k <= depth; ++k) h.q.push_back(static_cast<double>(k + 1));
        h.scale = 1;
        h.features = membership(h.tree);
    } else if (given.empty()) {
        const auto flip = flips(p, depth);
        h.q = diffusion_correlations(flip);
        h.features = diffuse(h.tree, flip, p.integer("features"), p.random("features"));
    } else if (given.size() != at(depth + 1))
        p.refuse("levels_correlation", concat("one number for each of ", depth + 1, " levels"));
    else
        h.q = given;
    h.lambda = level_eigenvalues(h.tree, h.q);
    if (h.features.size() > 0) return;
    check_levels(p, h);
    h.features = gaussian_features(h.modes, h.lambda, p.integer("features"), p.random("features"));
}

// ---- truth ------------------------------------------------------------------------------------

RowMatrix labels(const Tree& tree) {
    RowMatrix nodes(tree.items(), tree.levels());
    for (Index item = 0; item < tree.items(); ++item)
        for (Index level = 0; level < tree.levels(); ++level)
            nodes(item, level) = static_cast<double>(tree.node_of(item, level));
    return nodes;
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
        whole(truth_matrix("label", labels(h.tree), {"item", "level"},
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
    auto h = std::make_shared<Hierarchy>();
    h->tree = make_tree(p);
    h->modes = tree_modes(h->tree);
    fill_features(p, *h);
    TaskParts parts;
    parts.layout = value_layout(h->tree.items(), h->features.cols());
    parts.layout.distinct = static_cast<std::uint64_t>(h->tree.items());
    parts.loss = "half_squared_error";
    parts.write = each_sample(parts.layout, [h](const Draws& draws, Row& row) {
        const auto item =
            static_cast<Index>(draws.sample() % static_cast<std::uint64_t>(h->tree.items()));
        row.input(0, item) = 1;
        row.value.row(0) = h->features.row(item);
    });
    parts.truth = [h] { return hierarchy_truth(*h); };
    return parts;
}

TaskEntry semantic_hierarchy() {
    return {
        {"semantic-hierarchy",
         "One-hot items, the leaves of a tree, and their features: each starts as -1 or 1 at the "
         "root and may flip on the way to each child. Sample i is item i modulo their number",
         {integers("branching", "2,2,2", 1, kMostItems, "children of a node, from the root down"),
          numbers("flip", "0.15", 0, 1, "probability of a flip, one or one a level"),
          integer("features", 1000, 1, 1e7, "independent ones"),
          numbers("levels_correlation", "", -kAnyNumber, kAnyNumber,
                  "instead of flips: Gaussian features with this covariance between items that "
                  "part below level 0, 1, ... (the last: variance)"),
          flag("explicit", "instead: one feature a node, 1 for the items below it, else 0")},
         {}},
        make_hierarchy};
}

} // namespace

std::vector<TaskEntry> hierarchy_tasks() {
    return {semantic_hierarchy()};
}

} // namespace assay::training
