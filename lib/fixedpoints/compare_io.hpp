// /fixedpoints/compare: what a comparison reads of each network, its results, and the merge of the
// results of shards. Networks stand in a population (population_io.hpp); a program may bring other
// sets of them (NetworkSet).
//
// Layout: attributes names (one a line), labels, metrics, the options of the summaries, shard and
// shards; labels/<label> (M); <metric>/{distance (M, M), dimensions (M)}, and of a whole:
// <metric>/mds, <metric>/groups/<label>; spectrum_curves.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/comparison.hpp>
#include <assay/hdf5/object.hpp>

#include <string>
#include <vector>

namespace assay::fixedpoints {

// Of one network's results: the group that holds find, linearize, topology. Throw Error that names
// the group that is missing and the command that makes it.
[[nodiscard]] ASSAY_API PointSpectra read_spectra(const hdf5::Group& results);
[[nodiscard]] ASSAY_API PointGraph read_point_graph(const hdf5::Group& results);
[[nodiscard]] ASSAY_API PointGraph read_point_chain(const hdf5::Group& results);

// Points are compared input by input: throws Error "networks 3 and 7 saw different inputs (digest)"
// unless all searches had the same inputs, or took as many from the same data (whose embeddings
// differ).
ASSAY_API void check_searched_inputs(const std::vector<hdf5::Group>& results);
// The same of digests of data; empty ones are unknown.
ASSAY_API void check_same_inputs(const std::vector<std::string>& digests);

// What all metrics of a comparison share.
struct ComparisonHeader {
    std::vector<std::string> names; // M
    std::vector<NetworkLabel> labels;
    std::vector<std::string> metrics;
    SummaryOptions summary;
    Shard shard;
    Index left_out = 0; // networks that were not compared
};
ASSAY_API void write_comparison(hdf5::Group group, const ComparisonHeader& header);
[[nodiscard]] ASSAY_API ComparisonHeader read_comparison(const hdf5::Group& group);

// <metric>/{distance, dimensions}.
ASSAY_API void write_distances(hdf5::Group group, const std::string& metric,
                               const PairwiseDistances& distances);
[[nodiscard]] ASSAY_API PairwiseDistances read_distances(const hdf5::Group& group,
                                                         const std::string& metric,
                                                         const ComparisonHeader& header);
// <metric>/{mds, groups}.
ASSAY_API void write_comparison_summary(hdf5::Group group, const std::string& metric,
                                        const ComparisonSummary& summary,
                                        const std::vector<NetworkLabel>& labels);
// spectrum_curves, by the label of that name.
ASSAY_API void write_spectrum_curves(hdf5::Group group, const std::string& label,
                                     const SpectrumCurves& curves);

// One metric of a whole comparison, for a program to report.
struct MergedMetric {
    std::string name;
    ComparisonSummary summary;
};
struct MergedComparison {
    ComparisonHeader header;
    std::vector<MergedMetric> metrics;
};
// Groups /fixedpoints/compare of all shards, in any order, to one of a whole in `output`: what one
// run without --shard would have written. Throws Error where shards are missing or given twice, or
// compare other networks, by other labels, metrics or options.
ASSAY_API MergedComparison merge_comparison(const std::vector<hdf5::Group>& shards,
                                            hdf5::Group output, const Execution& run);

} // namespace assay::fixedpoints
