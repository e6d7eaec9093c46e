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
#include <assay/fixedpoints/population_io.hpp>
#include <assay/hdf5/object.hpp>

#include <string>
#include <vector>

namespace assay::fixedpoints {

// Of the nodes (Points::nodes) of one network's results: the group that holds find, linearize,
// topology. Throw Error that names the group that is missing and the command that makes it.
[[nodiscard]] ASSAY_API PointSpectra read_spectra(const hdf5::Group& results);
[[nodiscard]] ASSAY_API PointGraph read_point_graph(const hdf5::Group& results);
[[nodiscard]] ASSAY_API PointGraph read_point_chain(const hdf5::Group& results);

inline constexpr const char* kComparison = "/fixedpoints/compare";

// The networks of a population, or of one shard of it, that are done and not named in `leave_out`.
class ASSAY_API PopulationNetworks : public NetworkSet {
  public:
    // `population` is /fixedpoints/population.
    explicit PopulationNetworks(hdf5::Group population,
                                const std::vector<std::string>& leave_out = {});
    [[nodiscard]] const std::vector<NetworkRecord>& records() const { return records_; }
    [[nodiscard]] Index left_out() const { return left_out_; }
    // The group of one network: find, linearize, topology ...
    [[nodiscard]] hdf5::Group results(Index network) const;
    // All labels that any network has; "none" where one lacks it.
    [[nodiscard]] std::vector<NetworkLabel> labels() const;
    // Throws Error that says what to do where the kept activations cannot serve: cca and shape with
    // alpha < 1 look at directions of little variance, svcca and pwcca at `threshold` of it. Others
    // are those of the kept part (threshold of the population).
    void check_activations(const AnyMetric& metric, const ComparisonOptions& options) const;
    // How the samples make trials, which a population does not keep: trials, steps, lengths. Throws
    // Error where these have another number of steps.
    void set_trials(Index trials, Index steps, std::vector<Index> lengths);

    [[nodiscard]] Index count() const override { return static_cast<Index>(records_.size()); }
    [[nodiscard]] RowMatrix activations(Index network, Coordinates coordinates) const override;
    [[nodiscard]] Trajectories trajectories(Index network) const override;
    [[nodiscard]] PointSpectra spectra(Index network) const override;
    [[nodiscard]] PointGraph graph(Index network) const override;
    [[nodiscard]] PointGraph chain(Index network) const override;

  private:
    hdf5::Group population_;
    std::vector<NetworkRecord> records_;
    Index left_out_ = 0;
    Trajectories trials_; // their shape only
};

// Points are compared input by input: throws Error "networks 3 and 7 saw different inputs (digest)"
// unless all searches had the same inputs (or zero), or took as many from the same data (whose
// embeddings differ).
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
