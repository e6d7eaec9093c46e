#include <assay/lindyn/differentiation.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/lindyn/passage.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::lindyn {
namespace {

// Items by the value of a column, in the order of the values.
std::map<double, std::vector<Index>> parts_of(const Matrix& labels, Index column,
                                              const std::vector<Index>& items) {
    std::map<double, std::vector<Index>> parts;
    for (const Index item : items) parts[labels(item, column)].push_back(item);
    return parts;
}

// Centroid and mean squared distance from it.
struct Cluster {
    Vector centre;
    double spread = 0;
};
Cluster cluster_of(const Matrix& points, const std::vector<Index>& items) {
    const Matrix rows = points(items, Eigen::all);
    Cluster c{rows.colwise().mean().transpose(), 0};
    c.spread = (rows.rowwise() - c.centre.transpose()).rowwise().squaredNorm().mean();
    return c;
}

// Mean squared distances of centroids and of items over pairs of branches.
struct Squares {
    double centroids = 0, items = 0;
};
Squares squares_of(const Matrix& points, const Split& split) {
    std::vector<Cluster> clusters;
    for (const auto& branch : split.branches) clusters.push_back(cluster_of(points, branch));
    Squares sum;
    double pairs = 0, item_pairs = 0;
    for (std::size_t i = 0; i < clusters.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const double square = (clusters[i].centre - clusters[j].centre).squaredNorm();
            const auto count = static_cast<double>(split.branches[i].size()) *
                               static_cast<double>(split.branches[j].size());
            sum.centroids += square;
            sum.items += count * (square + clusters[i].spread + clusters[j].spread);
            pairs += 1;
            item_pairs += count;
        }
    return {sum.centroids / pairs, sum.items / item_pairs};
}

} // namespace

Matrix rooted_labels(const Matrix& labels) {
    if (labels.rows() < 2 || labels.cols() < 1 || !labels.allFinite())
        throw Error(concat("labels of ", labels.rows(), " x ", labels.cols(),
                           " items and levels; 2 items and finite labels are expected"));
    if ((labels.col(0).array() == labels(0, 0)).all()) return labels;
    Matrix rooted = Matrix::Zero(labels.rows(), labels.cols() + 1);
    rooted.rightCols(labels.cols()) = labels;
    return rooted;
}

std::vector<Split> splits_of_labels(const Matrix& labels) {
    std::vector<Index> all(at(labels.rows()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Index>(i);
    std::vector<Split> splits;
    for (Index level = 0; level + 1 < labels.cols(); ++level) {
        std::map<double, double> parent; // of each node of the next level
        for (const auto& [node, items] : parts_of(labels, level, all)) {
            Split split{level, {}};
            for (auto& [child, below] : parts_of(labels, level + 1, items)) {
                if (!parent.emplace(child, node).second)
                    throw Error(concat("labels of level ", level + 1, ": node ", child,
                                       " is below nodes ", parent[child], " and ", node,
                                       " of the level before"));
                split.branches.push_back(std::move(below));
            }
            if (split.branches.size() > 1) splits.push_back(std::move(split));
        }
    }
    return splits;
}

std::vector<Split> splits_of_linkage(const std::vector<linalg::Merge>& merges, Index items) {
    std::vector<std::vector<Index>> members(at(items));
    for (Index i = 0; i < items; ++i) members[at(i)] = {i};
    std::vector<Index> level(at(items) + merges.size(), 0);
    for (const auto& merge : merges) {
        auto both = members[at(merge.first)];
        const auto& second = members[at(merge.second)];
        both.insert(both.end(), second.begin(), second.end());
        members.push_back(std::move(both));
    }
    std::vector<Split> splits;
    for (std::size_t k = merges.size(); k-- > 0;) {
        const Index depth = level[at(items) + k];
        level[at(merges[k].first)] = level[at(merges[k].second)] = depth + 1;
        splits.push_back({depth, {members[at(merges[k].first)], members[at(merges[k].second)]}});
    }
    return splits;
}

Differentiation differentiate(const Development& development, std::vector<Split> splits) {
    const Index moments = development.end();
    const auto count = static_cast<Index>(splits.size());
    Differentiation d;
    Matrix squares(moments, count), item_squares(moments, count);
    Vector end(count);
    for (Index t = 0; t <= moments; ++t) {
        const Matrix points = development.item_points(t);
        for (Index s = 0; s < count; ++s) {
            const Squares here = squares_of(points, splits[at(s)]);
            if (t == moments) {
                end(s) = here.centroids;
                continue;
            }
            squares(t, s) = here.centroids;
            item_squares(t, s) = here.items;
        }
    }
    d.half_time = d.time_10 = d.time_90 = Vector(count);
    for (Index s = 0; s < count; ++s) {
        const auto passes = [&](double share) {
            return first_passage(development.time(), squares.col(s), share * end(s));
        };
        d.half_time(s) = passes(0.5);
        d.time_10(s) = passes(0.1);
        d.time_90(s) = passes(0.9);
    }
    d.distance = squares.cwiseSqrt();
    d.item_distance = item_squares.cwiseSqrt();
    d.end_distance = end.cwiseSqrt();
    d.group.assign(splits.size(), -1);
    d.splits = std::move(splits);
    return d;
}

void assign_groups(Differentiation& d, const Matrix& v, const Vector& strengths,
                   const std::vector<std::int32_t>& group) {
    const Index groups = group.empty() ? 0 : group.back() + 1;
    for (std::size_t s = 0; s < d.splits.size(); ++s) {
        Vector share = Vector::Zero(groups);
        for (Index a = 0; a < v.cols(); ++a)
            share(group[at(a)]) += strengths(a) * squares_of(v.col(a), d.splits[s]).centroids;
        Index best = 0;
        share.maxCoeff(&best);
        d.group[s] = static_cast<std::int32_t>(best);
    }
}

// ---- basic level ------------------------------------------------------------------------------

bool LevelSpectrum::broad_to_fine() const {
    for (Index l = 1; l < eigenvalue.size(); ++l)
        if (eigenvalue(l) > eigenvalue(l - 1)) return false;
    return true;
}

std::optional<LevelSpectrum> level_spectrum(const Matrix& given, const Matrix& similarity) {
    const Index items = given.rows();
    Matrix labels = given;
    std::vector<Index> all(at(items));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Index>(i);
    if (static_cast<Index>(parts_of(labels, labels.cols() - 1, all).size()) < items) {
        labels.conservativeResize(Eigen::NoChange, labels.cols() + 1);
        labels.col(labels.cols() - 1) = Vector::LinSpaced(items, 0, static_cast<double>(items - 1));
    }
    const Index levels = labels.cols();
    LevelSpectrum s{Vector(levels), Vector::Zero(levels), Vector(levels), 0};
    for (Index l = 0; l < levels; ++l) {
        const auto nodes = parts_of(labels, l, all);
        for (const auto& [node, below] : nodes)
            if (below.size() * nodes.size() != all.size()) return std::nullopt;
        s.nodes(l) = static_cast<double>(nodes.size());
    }
    Vector pairs = Vector::Zero(levels);
    for (Index i = 0; i < items; ++i)
        for (Index j = 0; j < items; ++j) {
            Index level = 0;
            while (level + 1 < levels && labels(i, level + 1) == labels(j, level + 1)) ++level;
            s.correlation(level) += similarity(i, j);
            pairs(level) += 1;
        }
    // A level at which nothing parts has the similarity of the next one.
    for (Index l = levels - 1; l >= 0; --l)
        s.correlation(l) = pairs(l) > 0 ? s.correlation(l) / pairs(l) : s.correlation(l + 1);
    s.correlation /= s.correlation(levels - 1);
    double sum = 0;
    for (Index k = levels - 1; k >= 0; --k) {
        sum += static_cast<double>(items) / s.nodes(k) *
               (s.correlation(k) - (k > 0 ? s.correlation(k - 1) : 0));
        s.eigenvalue(k) = sum;
    }
    s.eigenvalue.maxCoeff(&s.first);
    return s;
}

} // namespace assay::lindyn
