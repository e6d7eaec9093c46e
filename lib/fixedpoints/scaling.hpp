// What a matrix of distances between networks says: multidimensional scaling to a few coordinates,
// and whether networks with the same label (architecture, activation, size, task) are nearer to
// each other than to the rest.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::fixedpoints {

struct ClassicalScaling {
    RowMatrix coordinates;     // M x dims; columns of zeros where there are no positive eigenvalues
    Vector eigenvalues;        // M, descending; negative ones: the distances are not Euclidean
    double negative_share = 0; // sum of the moduli of the negative ones / of all
};

// Torgerson's scaling: eigenvectors of -1/2 J D^2 J. O(M^3). This and the next throw Error on
// distances that are not finite, negative, not symmetric or not 0 on the diagonal, and on dims < 1.
[[nodiscard]] ASSAY_API ClassicalScaling classical_scaling(const Matrix& distances, Index dims);

struct SmacofOptions {
    Index starts = 8; // the first is the classical scaling, others are random
    Index iterations = 500;
    double tolerance = 1e-10; // relative decrease of the stress that ends a start
    std::uint64_t seed = 0;
};

struct Scaling {
    RowMatrix coordinates;        // M x dims, centred, along principal axes
    double stress = 0;            // sum over i < j of (d_ij - delta_ij)^2
    double normalised_stress = 0; // sqrt(stress / sum of delta^2), Kruskal's stress-1 form
    Index iterations = 0;         // of the best start
    Index best_start = 0;
    Vector stress_of_starts;
};

// SMACOF (de Leeuw 1977; Borg and Groenen 2005, chapter 8): the Guttman transform, which never
// raises the stress, from several starts. O(starts iterations M^2 dims).
[[nodiscard]] ASSAY_API Scaling smacof(const Matrix& distances, Index dims,
                                       const SmacofOptions& options, const Execution& run);
// The same where the classical scaling is known already.
[[nodiscard]] ASSAY_API Scaling smacof(const Matrix& distances, const ClassicalScaling& classical,
                                       const SmacofOptions& options, const Execution& run);
// From one start (M x dims); with 0 iterations the stress of the start itself.
[[nodiscard]] ASSAY_API Scaling smacof_from(const Matrix& distances, const RowMatrix& start,
                                            const SmacofOptions& options);

struct GroupOptions {
    Index permutations = 1000;
    std::uint64_t seed = 0;
};

// NaN where it does not exist: no pair within or between, a single group.
struct GroupStatistics {
    std::vector<std::string> groups; // sorted
    std::vector<Index> sizes;
    Matrix mean_distance; // G x G over pairs of networks; the diagonal: pairs within
    double within = 0;    // mean over all pairs of the same label
    double between = 0;
    double silhouette = 0; // mean over networks (Rousseeuw 1987); 0 for a network alone in a group
    // (1 + permutations of the labels with at least the observed value) / (1 + permutations), for
    // between - within and for the silhouette.
    double p_separation = 0, p_silhouette = 0;
};

// `labels`: one of each network. O(permutations M^2 G) in matrix products.
[[nodiscard]] ASSAY_API GroupStatistics group_statistics(const Matrix& distances,
                                                         const std::vector<std::string>& labels,
                                                         const GroupOptions& options,
                                                         const Execution& run);

} // namespace assay::fixedpoints
