// How alike networks represent the same items (arXiv 1810.10531, section on neural similarity):
// networks of D layers that start small all learn W_1^T W_1 = V A^{2/D} V^T, so that their hidden
// similarities agree and (W_1^T W_1)^D = W^T W: hidden similarity is a root of the similarity of
// outputs. From large starts the maps agree and hidden similarities do not.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/deep_linear.hpp>

#include <vector>

namespace assay::lindyn {

struct NeuralSimilarity {
    // M x M networks: correlation over pairs of items of the Gram matrices W_1^T W_1 (with the
    // diagonal) and of the distances (without), relative difference of Gram matrices and of maps
    // (|X_i - X_j| / |X_i|, Frobenius).
    Matrix gram_correlation, distance_correlation, gram_difference, map_difference;
    Vector root_law; // M: |(W_1^T W_1)^D - W^T W| / |W^T W|
};

// O(M^2 n^2). Throws Error on fewer than two networks, and on numbers of inputs and outputs that
// differ.
[[nodiscard]] ASSAY_API NeuralSimilarity compare_networks(const std::vector<Layers>& networks);

} // namespace assay::lindyn
