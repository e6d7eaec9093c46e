// How alike networks are by their dynamics, whatever their coordinates: the spectra at their fixed
// points, and the graphs that these form (Maheswaranathan et al. 2019b, arXiv 1907.08549). Points
// of two networks are recognised by what the network puts out there (and by their constant inputs).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// The eigenvalues at the points of one network.
struct PointSpectra {
    RowMatrix readout;                      // P x outputs
    std::vector<std::int32_t> input_id;     // P, or empty: one input for all
    std::vector<ComplexVector> eigenvalues; // P, each of the state's size
};

struct SpectrumDistance {
    double wasserstein = 0; // mean over matched points; NaN: there are none
    double curves = 0;      // |mean sorted |lambda| of a - that of b|
    Index matched = 0;
};

// The 2-Wasserstein distance of two sets of eigenvalues, each of equal weight, the smaller padded
// with zeros: sqrt(min over pairings of the mean |lambda - mu|^2). O(n^3).
[[nodiscard]] ASSAY_API double spectrum_distance(const ComplexVector& a, const ComplexVector& b);

// Points are matched within each input so that the readouts' distances sum to the least; the mean
// of `spectrum_distance` over the matched ones. `curves`: Euclidean, of the moduli sorted in
// descending order and averaged over all points of a network, padded with zeros. O(P^3 + P n^3).
[[nodiscard]] ASSAY_API SpectrumDistance spectrum_distance(const PointSpectra& a,
                                                           const PointSpectra& b);

// The moduli of the eigenvalues at a network's points, in descending order, averaged over the
// points; as long as the longest of them. O(P n log n).
[[nodiscard]] ASSAY_API Vector mean_modulus_curve(const PointSpectra& spectra);
// Euclidean distance of two such curves, the shorter padded with zeros.
[[nodiscard]] ASSAY_API double curve_distance(const Vector& a, const Vector& b);

// Pairs of points (row of a, row of b) of the same input, nearest readouts together, ordered by
// row of a. Throws Error where numbers of outputs differ.
struct PointPair {
    Index a = 0, b = 0;
};
[[nodiscard]] ASSAY_API std::vector<PointPair>
match_points(const RowMatrix& readout_a, const std::vector<std::int32_t>& input_a,
             const RowMatrix& readout_b, const std::vector<std::int32_t>& input_b);

// The graph of the points of one network.
struct PointGraph {
    RowMatrix readout;                    // P x outputs
    std::vector<std::int32_t> n_unstable; // P
    std::vector<std::int32_t> input_id;   // P, or empty: one input for all
    Matrix adjacency;                     // P x P: weight of the edge from row to column, 0: none
};

enum class TopologyMetric {
    label,    // Frobenius distance of adjacency by name of node: input, signs of the readout
    spectral, // Euclidean distance of the sorted eigenvalues of (A + A') / 2, padded with zeros
    census,   // sum of the differences of the numbers of points by n_unstable
    match,    // least Frobenius distance over all pairings of nodes (linalg/graph_matching.hpp)
    chain     // as label, the name being the input and the rank of the readout among its points
};

// "label", "spectral" ... as the command line has them.
[[nodiscard]] ASSAY_API std::string topology_name(TopologyMetric metric);

enum class EdgeWeights { ignored, kept };

struct TopologyDistanceOptions {
    EdgeWeights weights = EdgeWeights::ignored; // ignored: every edge counts 1
    Index starts = 10;                          // match
    std::uint64_t seed = 0;                     // match
};

// One character for each output: '-' below -1/2, '+' above 1/2, '0' between.
[[nodiscard]] ASSAY_API std::string readout_label(const Eigen::Ref<const RowMatrix>& row);

// A node that one network lacks has no edges there; points of one network with the same name are
// one node, whose edges add up (or count 1). Throws Error on graphs whose parts differ in size.
[[nodiscard]] ASSAY_API double topology_distance(const PointGraph& a, const PointGraph& b,
                                                 TopologyMetric metric,
                                                 const TopologyDistanceOptions& options = {});

} // namespace assay::fixedpoints
