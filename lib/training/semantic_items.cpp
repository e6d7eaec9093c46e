#include <assay/training/semantic_items.hpp>

#include <assay/core/indices.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::training {
ItemModes sorted(const ItemModes& modes) {
    std::vector<Index> order(at(modes.eigenvalues.size()));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return modes.eigenvalues(a) > modes.eigenvalues(b); });
    return {modes.vectors(Eigen::all, order), modes.eigenvalues(order)};
}

RowMatrix gaussian_features(const ItemModes& modes, Index features, const Random& random) {
    const Vector sd = modes.eigenvalues.cwiseMax(0.0).cwiseSqrt();
    return modes.vectors * sd.asDiagonal() * normal_matrix(random, sd.size(), features, 1);
}

std::vector<double> item_singular_values(const ItemModes& modes, double count) {
    std::vector<double> values;
    for (const double eigenvalue : modes.eigenvalues)
        values.push_back(std::sqrt(std::max(0.0, count * eigenvalue)) /
                         static_cast<double>(modes.vectors.rows()));
    return values;
}

std::vector<TruthArray> item_truth(const ItemModes& modes, double count) {
    return {truth_matrix("mode", modes.vectors, {"item", "mode"},
                         "Orthonormal item vectors (object analysers); any rotation among equal "
                         "eigenvalues serves as well"),
            truth_vector("eigenvalue", {modes.eigenvalues.begin(), modes.eigenvalues.end()}, "mode",
                         "Of the covariance of a feature's values between all items"),
            truth_vector("singular_value", item_singular_values(modes, count), "mode",
                         "Of the mean over items of features item^T, for many features")};
}

TaskParts item_task(RowMatrix features, std::function<std::vector<TruthArray>()> truth) {
    const auto table = std::make_shared<const RowMatrix>(std::move(features));
    TaskParts parts;
    parts.layout = value_layout(table->rows(), table->cols());
    parts.layout.distinct = static_cast<std::uint64_t>(table->rows());
    parts.loss = "half_squared_error";
    parts.write = each_sample(parts.layout, [table](const Draws& draws, Row& row) {
        const auto item =
            static_cast<Index>(draws.sample() % static_cast<std::uint64_t>(table->rows()));
        row.input(0, item) = 1;
        row.value.row(0) = table->row(item);
    });
    parts.truth = std::move(truth);
    return parts;
}

Tree make_tree(const Parameters& p, std::string_view name) {
    Tree tree{p.integers(name), {1}};
    for (const Index children : tree.branching) {
        const double items = static_cast<double>(tree.items()) * static_cast<double>(children);
        if (items > kMostItems)
            p.refuse(name, concat("a product of at most ", kMostItems, " items"));
        tree.nodes.push_back(static_cast<Index>(items));
    }
    if (tree.branching.empty()) p.refuse(name, "a list of one number or more");
    return tree;
}

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

ItemModes tree_covariance(const TreeModes& modes, const std::vector<double>& lambda) {
    ItemModes all{modes.vectors, Vector(modes.vectors.cols())};
    for (Index a = 0; a < all.eigenvalues.size(); ++a)
        all.eigenvalues(a) = lambda[static_cast<std::size_t>(modes.level[at(a)])];
    return all;
}

std::vector<double> flip_probabilities(const Parameters& p, Index depth) {
    auto flip = p.numbers("flip");
    if (flip.size() == 1) flip.assign(at(depth), flip.front());
    if (flip.size() != at(depth))
        p.refuse("flip", concat("one probability, or one for each of ", depth, " levels"));
    return flip;
}

std::vector<double> diffusion_correlations(const std::vector<double>& flip) {
    std::vector<double> q(flip.size() + 1, 1.0);
    for (std::size_t k = flip.size(); k-- > 0;) q[k] = q[k + 1] * std::pow(1 - 2 * flip[k], 2);
    return q;
}

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

RowMatrix tree_labels(const Tree& tree) {
    RowMatrix nodes(tree.items(), tree.levels());
    for (Index item = 0; item < tree.items(); ++item)
        for (Index level = 0; level < tree.levels(); ++level)
            nodes(item, level) = static_cast<double>(tree.node_of(item, level));
    return nodes;
}

} // namespace assay::training
