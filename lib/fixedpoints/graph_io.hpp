// Graphs of points, kicks, chains, long runs and branches in HDF5.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/chain_graph.hpp>
#include <assay/fixedpoints/frequencies.hpp>
#include <assay/fixedpoints/input_path.hpp>
#include <assay/fixedpoints/topology.hpp>
#include <assay/hdf5/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::fixedpoints {

// Words of enumerations in files, in the order of their numbers.
inline constexpr const char* kEdgeKinds = "to_attractor,heteroclinic";
inline constexpr const char* kMotions = "fixed,periodic,quasi_periodic,chaotic,diverged,unresolved";
inline constexpr const char* kBranchEnds =
    "to_end,to_start,max_points,step_too_small,diverged,no_start,degenerate";
inline constexpr const char* kBifurcations =
    "fold,branch_point,period_doubling,neimark_sacker,kink";
[[nodiscard]] ASSAY_API std::string word_of(Motion motion);
[[nodiscard]] ASSAY_API std::string word_of(BranchEnd end);
[[nodiscard]] ASSAY_API std::string word_of(BifurcationKind kind);

// /fixedpoints/topology.
ASSAY_API void write_graph(hdf5::Group group, const Graph& graph);
// `kicks`: how many of a point.
ASSAY_API void write_kicks(hdf5::Group group, const RowMatrix& probability, Index kicks);
ASSAY_API void write_chain(hdf5::Group group, const Chain& chain);
// Back again, for so many points. Throw Error that names the dataset: a row that names no point,
// arrays whose lengths differ, probabilities that do not belong to the attractors; a chain that is
// not there.
[[nodiscard]] ASSAY_API Graph read_graph(const hdf5::Group& group, Index points);
[[nodiscard]] ASSAY_API Chain read_chain(const hdf5::Group& group, Index points);

// /fixedpoints/cycles: one row a start.
ASSAY_API void write_long_run(hdf5::Group group, const RowMatrix& starts,
                              const std::vector<std::int32_t>& start_input, const LongRun& runs);
// One row an input.
ASSAY_API void write_frequencies(hdf5::Group group, const RowMatrix& inputs,
                                 const Frequencies& frequencies);

// What a task asks for: /truth/frequency at the static inputs /truth/input (as data have them).
struct TargetFrequencies {
    RowMatrix raw_inputs; // n x 1
    Vector frequency;     // n, radians per unit of time
};
// `root` is that of a file; empty where its truth is another. Throws Error for lengths that differ.
[[nodiscard]] ASSAY_API std::optional<TargetFrequencies>
read_target_frequencies(const hdf5::Group& root);

// /fixedpoints/track: branches and bifurcations as tables, points one branch after another.
ASSAY_API void write_branches(hdf5::Group group, const RowMatrix& path,
                              const std::vector<PathBranch>& branches);

} // namespace assay::fixedpoints
