// Items of other structures than a tree and their features (Saxe, McClelland, Ganguli 2019, arXiv
// 1810.10531; Kemp, Tenenbaum 2008). Features of graphs are independent Gaussians over the items,
// of covariance Phi = (L + I / sigma^2)^{-1} with the graph's Laplacian L.
#include <assay/core/constants.hpp>
#include <assay/core/indices.hpp>
#include <assay/training/semantic_items.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::training {
namespace {

constexpr double kMostFeatures = 1e7;

using Truth = std::vector<TruthArray>;

// Gaussian features with what is known of them.
TaskParts gaussian_task(const Parameters& p, ItemModes modes, const Truth& more = {}) {
    const Index features = p.integer("features");
    checked_size({modes.vectors.rows(), features}, "features of all items");
    const auto kept = std::make_shared<const ItemModes>(sorted(modes));
    return item_task(gaussian_features(*kept, features, p.random("features")), [=] {
        Truth truth = item_truth(*kept, static_cast<double>(features));
        truth.insert(truth.end(), more.begin(), more.end());
        return truth;
    });
}

TaskParameter feature_count() {
    return integer("features", 1000, 1, kMostFeatures, "independent ones");
}
TaskParameter graph_sigma() {
    return number("sigma", 1.5, 1e-6, 1e6, "how far features extend over the graph");
}

// Eigenvalues of Phi from those of the Laplacian.
Vector covariance_eigenvalues(const Vector& laplacian, double sigma) {
    return (laplacian.array() + 1 / (sigma * sigma)).inverse();
}

// ---- ring, chain, grid ------------------------------------------------------------------------

ItemModes ring_modes(Index items, double sigma) {
    ItemModes modes{RowMatrix(items, items), Vector(items)};
    for (Index mode = 0; mode < items; ++mode) {
        const auto frequency = static_cast<double>((mode + 1) / 2);
        const double turn = 2 * kPi * frequency / static_cast<double>(items);
        for (Index i = 0; i < items; ++i)
            modes.vectors(i, mode) = mode % 2 == 0 && mode > 0
                                         ? std::sin(turn * static_cast<double>(i))
                                         : std::cos(turn * static_cast<double>(i));
        modes.eigenvalues(mode) = 2 - 2 * std::cos(turn);
    }
    modes.vectors.colwise().normalize();
    modes.eigenvalues = covariance_eigenvalues(modes.eigenvalues, sigma);
    return modes;
}

// Orthonormal modes of a path and the Laplacian's eigenvalues.
ItemModes path_laplacian(Index items) {
    ItemModes modes{RowMatrix(items, items), Vector(items)};
    for (Index mode = 0; mode < items; ++mode) {
        const double turn = kPi * static_cast<double>(mode) / static_cast<double>(items);
        for (Index i = 0; i < items; ++i)
            modes.vectors(i, mode) = std::cos(turn * (static_cast<double>(i) + 0.5));
        modes.eigenvalues(mode) = 2 - 2 * std::cos(turn);
    }
    modes.vectors.colwise().normalize();
    return modes;
}

ItemModes grid_modes(Index rows, Index cols, double sigma) {
    const ItemModes down = path_laplacian(rows), across = path_laplacian(cols);
    const Index items = rows * cols;
    ItemModes modes{RowMatrix(items, items), Vector(items)};
    for (Index r = 0; r < rows; ++r)
        for (Index c = 0; c < cols; ++c) {
            const Index mode = r * cols + c;
            for (Index i = 0; i < rows; ++i)
                modes.vectors.col(mode).segment(i * cols, cols) =
                    down.vectors(i, r) * across.vectors.col(c);
            modes.eigenvalues(mode) = down.eigenvalues(r) + across.eigenvalues(c);
        }
    modes.eigenvalues = covariance_eigenvalues(modes.eigenvalues, sigma);
    return modes;
}

TaskParts make_ring(const Parameters& p) {
    return gaussian_task(p, ring_modes(p.integer("items"), p.number("sigma")));
}

TaskParts make_chain(const Parameters& p) {
    return gaussian_task(p, grid_modes(1, p.integer("items"), p.number("sigma")));
}

TaskParts make_grid(const Parameters& p) {
    const Index rows = p.integer("rows"), cols = p.integer("columns");
    if (static_cast<double>(rows) * static_cast<double>(cols) > kMostItems)
        p.refuse("columns", concat("at most ", kMostItems, " items"));
    RowMatrix place(rows * cols, 2);
    for (Index i = 0; i < place.rows(); ++i)
        place.row(i) << static_cast<double>(i / cols), static_cast<double>(i % cols);
    return gaussian_task(
        p, grid_modes(rows, cols, p.number("sigma")),
        {whole(truth_matrix("place", place, {"item", "axis"}, "Row and column of each item"))});
}

TaskEntry semantic_ring() {
    return {{"semantic-ring",
             "One-hot items on a ring and Gaussian features that are smooth along it",
             {integer("items", 12, 3, kMostItems, "how many"), feature_count(), graph_sigma()},
             {}},
            make_ring};
}

TaskEntry semantic_chain() {
    return {{"semantic-chain",
             "One-hot items in an order and Gaussian features that are smooth along it",
             {integer("items", 12, 2, kMostItems, "how many"), feature_count(), graph_sigma()},
             {}},
            make_chain};
}

TaskEntry semantic_grid() {
    return {{"semantic-grid",
             "One-hot items on a sheet, row by row, and Gaussian features that are smooth on it",
             {integer("rows", 4, 1, kMostItems, "of the sheet"),
              integer("columns", 6, 1, kMostItems, "of the sheet"), feature_count(), graph_sigma()},
             {}},
            make_grid};
}

// ---- any graph --------------------------------------------------------------------------------

ItemModes eigen_modes(const Matrix& symmetric) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
    return {solver.eigenvectors(), solver.eigenvalues()};
}

Matrix laplacian(const Parameters& p) {
    const auto ends = p.integers("edges");
    auto weights = p.numbers("edge_weights");
    if (ends.empty() || ends.size() % 2 != 0)
        p.refuse("edges", "a list of pairs of items, numbered from 0");
    if (weights.empty()) weights.assign(ends.size() / 2, 1.0);
    if (weights.size() != ends.size() / 2)
        p.refuse("edge_weights", concat("one number for each of ", ends.size() / 2, " edges"));
    const Index items = *std::max_element(ends.begin(), ends.end()) + 1;
    Matrix l = Matrix::Zero(items, items);
    for (std::size_t e = 0; e < weights.size(); ++e) {
        const Index i = ends[2 * e], j = ends[2 * e + 1];
        if (i == j) p.refuse("edges", concat("edges between different items (", i, " twice)"));
        l(i, i) += weights[e];
        l(j, j) += weights[e];
        l(i, j) -= weights[e];
        l(j, i) -= weights[e];
    }
    return l;
}

TaskParts make_graph(const Parameters& p) {
    ItemModes modes = eigen_modes(laplacian(p));
    modes.eigenvalues = covariance_eigenvalues(modes.eigenvalues.cwiseMax(0.0), p.number("sigma"));
    return gaussian_task(p, std::move(modes));
}

TaskEntry semantic_graph() {
    return {{"semantic-graph",
             "One-hot items, the nodes of a graph, and Gaussian features that are smooth on it",
             {integers("edges", "0,1,1,2,2,3", 0, kMostItems - 1,
                       "pairs of items, numbered from 0, one after the other"),
              numbers("edge_weights", "", 0, kAnyNumber, "one an edge; empty: 1"), feature_count(),
              graph_sigma()},
             {}},
            make_graph};
}

// ---- clusters ---------------------------------------------------------------------------------

// Of the covariance 1 (same item), `within` (same cluster), `between`: contrasts within each
// cluster, and the modes of the clusters as wholes.
ItemModes cluster_modes(const std::vector<Index>& sizes, double within, double between) {
    const auto clusters = static_cast<Index>(sizes.size());
    Index items = 0;
    Matrix wholes(clusters, clusters);
    for (Index c = 0; c < clusters; ++c) {
        items += sizes[at(c)];
        for (Index d = 0; d < clusters; ++d) {
            const auto n = static_cast<double>(sizes[at(c)]), m = static_cast<double>(sizes[at(d)]);
            wholes(c, d) = c == d ? 1 + (n - 1) * within : std::sqrt(n * m) * between;
        }
    }
    const ItemModes between_clusters = eigen_modes(wholes);
    ItemModes modes{RowMatrix::Zero(items, items), Vector::Constant(items, 1 - within)};
    modes.eigenvalues.head(clusters) = between_clusters.eigenvalues;
    Index first = 0, mode = clusters;
    for (Index c = 0; c < clusters; first += sizes[at(c++)]) {
        for (Index i = first; i < first + sizes[at(c)]; ++i)
            modes.vectors.row(i).head(clusters) = between_clusters.vectors.row(c);
        for (Index h = 1; h < sizes[at(c)]; ++h, ++mode) {
            modes.vectors.col(mode).segment(first, h).setConstant(1);
            modes.vectors(first + h, mode) = -static_cast<double>(h);
        }
    }
    for (Index c = 0, i = 0; c < clusters; i += sizes[at(c++)])
        modes.vectors.block(i, 0, sizes[at(c)], clusters) /=
            std::sqrt(static_cast<double>(sizes[at(c)]));
    modes.vectors.colwise().normalize();
    return modes;
}

TaskParts make_semantic_clusters(const Parameters& p) {
    const auto sizes = p.integers("sizes");
    if (sizes.empty()) p.refuse("sizes", "a list of one number or more");
    double items = 0;
    for (const Index size : sizes) items += static_cast<double>(size);
    if (items > kMostItems) p.refuse("sizes", concat("at most ", kMostItems, " items"));
    const ItemModes modes = cluster_modes(sizes, p.number("within"), p.number("between"));
    constexpr double kRounding = 1e-12;
    if (modes.eigenvalues.minCoeff() < -kRounding)
        p.refuse("between", concat("a covariance without negative eigenvalues (one is ",
                                   modes.eigenvalues.minCoeff(), ")"));
    std::vector<double> label;
    for (std::size_t c = 0; c < sizes.size(); ++c)
        label.insert(label.end(), at(sizes[c]), static_cast<double>(c));
    return gaussian_task(p, modes,
                         {whole(truth_vector("label", label, "item", "Cluster of each item"))});
}

TaskEntry semantic_clusters() {
    return {{"semantic-clusters",
             "One-hot items in clusters and Gaussian features of variance 1 that those of a "
             "cluster share in part",
             {integers("sizes", "4,4,4", 1, kMostItems, "items of each cluster"),
              number("within", 0.7, -1, 1, "correlation between items of a cluster"),
              number("between", 0.1, -1, 1, "correlation between items of two clusters"),
              feature_count()},
             {}},
            make_semantic_clusters};
}

// ---- cross-cutting trees ----------------------------------------------------------------------

// Phi = w_A (Phi_A x 1 1^T) + w_B (1 1^T x Phi_B): each tree's modes, constant over the other one,
// and the constant mode that they share.
ItemModes cross_cutting_modes(const ItemModes& first, const ItemModes& second, double weight_first,
                              double weight_second) {
    const Index n = first.vectors.rows(), m = second.vectors.rows();
    ItemModes modes{RowMatrix(n * m, n + m - 1), Vector(n + m - 1)};
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < m; ++j) {
            modes.vectors.row(i * m + j).head(n) = first.vectors.row(i);
            modes.vectors.row(i * m + j).tail(m - 1) = second.vectors.row(j).tail(m - 1);
        }
    modes.vectors.colwise().normalize();
    const double scale_first = weight_first * static_cast<double>(m),
                 scale_second = weight_second * static_cast<double>(n);
    modes.eigenvalues << scale_first * first.eigenvalues,
        scale_second * second.eigenvalues.tail(m - 1);
    modes.eigenvalues(0) += scale_second * second.eigenvalues(0);
    return modes;
}

struct FlippedTree {
    Tree tree;
    ItemModes modes;
    RowMatrix features; // item of this tree x feature
};

FlippedTree flipped_tree(const Parameters& p, const std::string& name) {
    FlippedTree t{make_tree(p, name), {}, {}};
    const std::vector<double> flip(t.tree.branching.size(), p.number("flip"));
    t.modes = tree_covariance(tree_modes(t.tree),
                              level_eigenvalues(t.tree, diffusion_correlations(flip)));
    t.features = diffuse(t.tree, flip, p.integer("features"), p.random(name));
    return t;
}

TaskParts make_cross_cutting(const Parameters& p) {
    const auto weights = p.numbers("weights");
    if (weights.size() != 2) p.refuse("weights", "two numbers");
    const Index count = p.integer("features");
    const FlippedTree first = flipped_tree(p, "first"), second = flipped_tree(p, "second");
    const Index n = first.tree.items(), m = second.tree.items();
    if (static_cast<double>(n) * static_cast<double>(m) > kMostItems)
        p.refuse("second", concat("at most ", kMostItems, " items, one a pair of leaves"));
    checked_size({n * m, 2 * count}, "features of all items");
    RowMatrix features(n * m, 2 * count), pair(n * m, 2);
    for (Index i = 0; i < n * m; ++i) {
        features.row(i) << std::sqrt(weights[0]) * first.features.row(i / m),
            std::sqrt(weights[1]) * second.features.row(i % m);
        pair.row(i) << static_cast<double>(i / m), static_cast<double>(i % m);
    }
    const ItemModes modes =
        sorted(cross_cutting_modes(first.modes, second.modes, weights[0], weights[1]));
    return item_task(std::move(features), [=] {
        Truth truth = item_truth(modes, static_cast<double>(count));
        truth.push_back(whole(
            truth_matrix("pair", pair, {"item", "tree"}, "Leaf of each tree that an item is")));
        return truth;
    });
}

TaskEntry semantic_cross_cutting() {
    return {{"semantic-cross-cutting",
             "One-hot items, pairs of a leaf of one tree and one of another; the first half of the "
             "features follows the first tree, the other half the second, by branching diffusion",
             {integers("first", "2,2", 1, kMostItems, "children of a node of the first tree"),
              integers("second", "3", 1, kMostItems, "of the second"),
              numbers("weights", "1,0.7", 0, kAnyNumber, "variance of the features of each"),
              number("flip", 0.15, 0, 0.5, "probability of a flip on the way to a child"),
              integer("features", 1000, 1, kMostFeatures, "of each tree, independent ones")},
             {}},
            make_cross_cutting};
}

// ---- coherent categories ----------------------------------------------------------------------

struct Block {
    Index items = 0, features = 0;
    double probability = 0;
};

std::vector<Block> blocks_of(const Parameters& p) {
    const auto numbers = p.numbers("categories");
    if (numbers.empty() || numbers.size() % 3 != 0)
        p.refuse("categories", "items, features and probability of each category");
    std::vector<Block> blocks;
    double items = 0, features = 0;
    for (std::size_t k = 0; k < numbers.size(); k += 3) {
        if (!(numbers[k] >= 1 && numbers[k + 1] >= 1 && numbers[k + 2] <= 1) ||
            std::floor(numbers[k]) != numbers[k] || std::floor(numbers[k + 1]) != numbers[k + 1])
            p.refuse("categories", "whole numbers of items and features and a probability");
        items += numbers[k];
        features += numbers[k + 1];
        blocks.push_back(
            {static_cast<Index>(numbers[k]), static_cast<Index>(numbers[k + 1]), numbers[k + 2]});
    }
    if (items > static_cast<double>(p.integer("items")) ||
        features > static_cast<double>(p.integer("features")))
        p.refuse("categories", concat("blocks without common items or features within ",
                                      p.integer("items"), " x ", p.integer("features")));
    return blocks;
}

// Category of each of `count` rows or columns, in order or shuffled; -1: none.
std::vector<double> members(const Parameters& p, const std::vector<Block>& blocks,
                            Index Block::*extent, Index count, const std::string& what) {
    std::vector<double> category;
    for (std::size_t c = 0; c < blocks.size(); ++c)
        category.insert(category.end(), at(blocks[c].*extent), static_cast<double>(c));
    category.resize(at(count), -1.0);
    if (!p.flag("shuffle")) return category;
    const auto order = p.random(what).permutation(count);
    std::vector<double> shuffled(category.size());
    for (std::size_t i = 0; i < shuffled.size(); ++i)
        shuffled[i] = category[static_cast<std::size_t>(order[i])];
    return shuffled;
}

RowMatrix draw_categories(const std::vector<Block>& blocks, double background,
                          const std::vector<double>& item, const std::vector<double>& feature,
                          const Random& random) {
    RowMatrix table(static_cast<Index>(item.size()), static_cast<Index>(feature.size()));
    for (Index i = 0; i < table.rows(); ++i)
        for (Index m = 0; m < table.cols(); ++m) {
            const bool inside = item[at(i)] >= 0 && item[at(i)] == feature[at(m)];
            const double u = random.uniform(static_cast<std::uint64_t>(m),
                                            {static_cast<std::uint64_t>(i), 0, 0});
            const double probability =
                inside ? blocks[static_cast<std::size_t>(item[at(i)])].probability : background;
            table(i, m) = u < probability ? 1 : 0;
        }
    return table;
}

// SNR = (p - q)^2 K_o K_f / (q (1 - q) sqrt(N_o N_f)), and where the singular value of the
// category shows in the mean over items of (features - q) item^T.
Truth category_truth(const std::vector<Block>& blocks, double q, Index items, Index features) {
    const auto n = static_cast<double>(items), m = static_cast<double>(features);
    std::vector<double> snr, singular;
    for (const Block& block : blocks) {
        const double contrast =
            (block.probability - q) * std::sqrt(static_cast<double>(block.items * block.features));
        snr.push_back(contrast * contrast / (q * (1 - q) * std::sqrt(n * m)));
        singular.push_back(
            shown_singular_value(std::abs(contrast), std::sqrt(q * (1 - q) * n), m / n) / n);
    }
    return {truth_vector("snr", snr, "category",
                         "Signal-to-noise ratio; above 1 the category has a mode of its own"),
            truth_vector("singular_value", singular, "category",
                         "Of the mean over items of (features - background) item^T, for many items "
                         "and features; without a mode of its own the edge of the noise")};
}

TaskParts make_coherence(const Parameters& p) {
    const Index items = p.integer("items"), features = p.integer("features");
    checked_size({items, features}, "features of all items");
    const auto blocks = blocks_of(p);
    const double background = p.number("background");
    const auto item = members(p, blocks, &Block::items, items, "items"),
               feature = members(p, blocks, &Block::features, features, "features");
    return item_task(draw_categories(blocks, background, item, feature, p.random("table")), [=] {
        Truth truth = category_truth(blocks, background, items, features);
        truth.push_back(whole(truth_vector("item_category", item, "item", "From 0; -1: none")));
        truth.push_back(
            whole(truth_vector("feature_category", feature, "feature", "From 0; -1: none")));
        return truth;
    });
}

TaskEntry semantic_coherence() {
    return {{"semantic-coherence",
             "One-hot items with features 0 or 1, independent; within the block of a category's "
             "items and features a 1 has another probability than outside",
             {integer("items", 1000, 1, kMostItems, "how many"),
              integer("features", 1600, 1, kMostFeatures, "independent ones"),
              numbers("categories", "60,80,0.8", 0, kMostFeatures,
                      "items, features and probability of each category, one after the other"),
              number("background", 0.2, 1e-9, 1 - 1e-9, "probability outside the categories"),
              flag("shuffle", "items and features in random order")},
             {}},
            make_coherence};
}

} // namespace

std::vector<TaskEntry> structure_tasks() {
    return {semantic_ring(),     semantic_chain(),         semantic_grid(),     semantic_graph(),
            semantic_clusters(), semantic_cross_cutting(), semantic_coherence()};
}

} // namespace assay::training
