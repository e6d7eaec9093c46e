// Graph matching: the numbering of the nodes of one graph that brings its adjacency matrix nearest
// to another's, min |A - P B P'| over permutations P. By the FAQ algorithm (Vogelstein et al. 2015,
// PLoS ONE 10:e0121002): Frank-Wolfe steps over doubly stochastic matrices, each an assignment
// problem and an exact line search, then the nearest permutation; which is improved here by
// exchanges of two nodes as long as one helps. Not certain to find the minimum.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <vector>

namespace assay::linalg {

struct GraphMatchOptions {
    Index starts = 10; // the first from the barycentre 1/n, others half way to a random matrix
    Index iterations = 50;
    double tolerance = 1e-6; // of the change of the doubly stochastic matrix, per node
    std::uint64_t seed = 0;
};

struct GraphMatch {
    std::vector<Index> partner; // node of b for each node of a; of the larger size, see below
    double distance = 0;        // Frobenius norm of A - P B P'
};

// Adjacency matrices (n x n, m x m), directed or not, weighted or not; the smaller is padded with
// nodes that have no edges. O(starts iterations n^3). Throws Error on matrices that are not square
// or not finite.
[[nodiscard]] ASSAY_API GraphMatch match_graphs(const Matrix& a, const Matrix& b,
                                                const GraphMatchOptions& options = {});

} // namespace assay::linalg
