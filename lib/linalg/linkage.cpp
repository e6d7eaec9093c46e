#include <assay/linalg/linkage.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <numeric>

namespace assay::linalg {
namespace {

void check_distances(const Matrix& d) {
    if (d.rows() != d.cols() || d.rows() == 0)
        throw Error(concat("distances: ", d.rows(), " x ", d.cols(), "; n x n is expected"));
    if (!d.allFinite() || d.minCoeff() < 0)
        throw Error("distances: numbers that are finite and not negative are expected");
    if ((d - d.transpose()).cwiseAbs().maxCoeff() > 1e-9 * d.maxCoeff())
        throw Error("distances: not symmetric");
}

// The nearest active cluster; `preferred` on ties.
Index nearest(const Matrix& d, const std::vector<Index>& active, Index cluster, Index preferred) {
    Index best = preferred;
    for (const Index other : active)
        if (other != cluster && (best < 0 || d(other, cluster) < d(best, cluster))) best = other;
    return best;
}

// Merges as they are found name clusters by one of their items; in the order of heights they get
// numbers of their own.
std::vector<Merge> in_order(std::vector<Merge> merges, Index items) {
    std::stable_sort(merges.begin(), merges.end(),
                     [](const Merge& a, const Merge& b) { return a.height < b.height; });
    std::vector<Index> above(static_cast<std::size_t>(2 * items - 1));
    std::iota(above.begin(), above.end(), 0);
    const auto top = [&](Index node) {
        while (above[static_cast<std::size_t>(node)] != node)
            node = above[static_cast<std::size_t>(node)];
        return node;
    };
    for (std::size_t k = 0; k < merges.size(); ++k) {
        const auto [first, second] = std::minmax({top(merges[k].first), top(merges[k].second)});
        merges[k].first = first;
        merges[k].second = second;
        above[static_cast<std::size_t>(first)] = above[static_cast<std::size_t>(second)] =
            items + static_cast<Index>(k);
    }
    return merges;
}

} // namespace

std::vector<Merge> average_linkage(const Matrix& distances) {
    check_distances(distances);
    const Index items = distances.rows();
    Matrix d = distances;
    std::vector<Index> active(static_cast<std::size_t>(items)), size(active.size(), 1), chain;
    std::iota(active.begin(), active.end(), 0);
    std::vector<Merge> merges;
    while (active.size() > 1) {
        if (chain.empty()) chain.push_back(active.front());
        const Index last = chain.back(), before = chain.size() > 1 ? chain[chain.size() - 2] : -1;
        const Index next = nearest(d, active, last, before);
        if (next != before) {
            chain.push_back(next);
            continue;
        }
        // Each the other's nearest.
        chain.resize(chain.size() - 2);
        const auto n = static_cast<double>(size[static_cast<std::size_t>(last)]),
                   m = static_cast<double>(size[static_cast<std::size_t>(before)]);
        size[static_cast<std::size_t>(last)] += size[static_cast<std::size_t>(before)];
        merges.push_back({last, before, d(last, before), size[static_cast<std::size_t>(last)]});
        d.col(last) = (n * d.col(last) + m * d.col(before)) / (n + m);
        d.row(last) = d.col(last).transpose();
        active.erase(std::find(active.begin(), active.end(), before));
    }
    return in_order(std::move(merges), items);
}

} // namespace assay::linalg
