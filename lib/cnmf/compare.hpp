// How alike two factorisations are: cosine similarity of the components' reconstructions, their
// matching, and the dissimilarity of Wu et al. 2016; none of it forms units x time.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <vector>

namespace assay::cnmf {

struct Comparison {
    Matrix similarity; // K1 x K2, cosine of component reconstructions; 0 where one is empty
    std::vector<std::int64_t>
        match; // for each component of the first: its partner in the second, or -1
    std::vector<std::int64_t> shift; // bins by which the partner's motif stands later in its window
    double dissimilarity = 0; // (K1 + K2 - sum of row maxima - sum of column maxima) / (K1 + K2)
};

// Both models on the same recording; lags and numbers of components may differ. Throws Error where
// units or bins differ.
[[nodiscard]] ASSAY_API Comparison compare(const Model& first, const Model& second,
                                           const std::vector<Index>& segment_start,
                                           const Execution& run);
// Largest similarity first; each component is used once. Entries of 0 or less are not matched.
[[nodiscard]] ASSAY_API std::vector<std::int64_t> greedy_matching(const Matrix& similarity);
[[nodiscard]] ASSAY_API double dissimilarity(const Matrix& similarity);

} // namespace assay::cnmf
