// How alike networks are by their activations X_i (T x N_i) on the same inputs: SVCCA (Raghu et al.
// 2017, arXiv 1706.05806), PWCCA (Morcos et al. 2018, 1806.05759), CKA (Kornblith et al. 2019,
// 1905.00414), Procrustes and shape distances (Williams et al. 2021, 2110.14739). Each metric needs
// of a network a matrix of features F_i (T x f_i) and a few numbers, and of a pair the product
// F_i' F_j; so all pairs cost one matrix product for each pair of blocks of networks
// (similarity_blocks.hpp). Columns are centred here.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <string>

namespace assay::fixedpoints {

enum class Metric { svcca, cca, pwcca, cka, cka_debiased, procrustes, procrustes_angular, shape };

// "svcca", "cka-debiased" ... as the command line has them.
[[nodiscard]] ASSAY_API std::string metric_name(Metric metric);

struct SimilarityOptions {
    Metric metric = Metric::svcca;
    double threshold = 0.99; // svcca, pwcca: share of the variance that the kept directions reach
    double alpha = 1;        // shape: 1 = rotations, 0 = all linear maps (like cca)
};

// What a metric needs of one network, prepared once.
struct Representation {
    Matrix features;      // T x f: left singular vectors; centred or whitened activations
    Matrix loadings;      // N x k: X' U (pwcca)
    double norm = 0;      // |X|, |X'X| (cka), or the root of the unbiased HSIC with itself
    double trace = 0;     // of the kernel X X' (cka-debiased)
    Index dimensions = 0; // f, without columns that only help
    Index samples = 0;    // T
};

// O(T N min(T, N)). Throws Error on activations that are constant or not finite, on options out of
// range, and on too few samples: T must exceed the kept dimensions by 2 (else the spaces of centred
// data are equal whatever the networks do), or 3 (cka-debiased).
[[nodiscard]] ASSAY_API Representation represent(const RowMatrix& activations,
                                                 const SimilarityOptions& options);

// The distance of two networks: svcca, cca: 1 - mean of the min(k, l) correlations; pwcca: 1 - mean
// weighted by sum_n |<u_m, x_n>| over the units of the network with fewer dimensions (the average
// of both where they are equal); cka: arccos; procrustes: sqrt(|X|^2 + |Y|^2 - 2 |X'Y|_*), or its
// angle arccos(|X'Y|_* / |X||Y|); shape: that angle after partial whitening. Throws Error where the
// numbers of samples differ.
[[nodiscard]] ASSAY_API double distance(const Representation& a, const Representation& b,
                                        const SimilarityOptions& options);
// The same from the product F_a' F_b, where the features themselves stand elsewhere.
[[nodiscard]] ASSAY_API double distance(const Representation& a, const Representation& b,
                                        const Eigen::Ref<const Matrix>& product,
                                        const SimilarityOptions& options);
// The linear CKA itself (cka and cka-debiased).
[[nodiscard]] ASSAY_API double alignment(const Representation& a, const Representation& b,
                                         const SimilarityOptions& options);

} // namespace assay::fixedpoints
