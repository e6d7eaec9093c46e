// Many networks compared with each other, by any of the distances of this module: what a comparison
// asks of a set of networks, wherever that stands (`NetworkSet`), the distances of all pairs, and
// what is made of a whole matrix of them: coordinates on a page, statistics of groups, and mean
// spectra by group. Maheswaranathan et al. 2019b (arXiv 1907.08549) is the model.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/dsa.hpp>
#include <assay/fixedpoints/dynamics_similarity.hpp>
#include <assay/fixedpoints/pairwise.hpp>
#include <assay/fixedpoints/scaling.hpp>
#include <assay/fixedpoints/similarity.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace assay::fixedpoints {

// In which coordinates activations are wanted: those of the units, or any others of the same
// lengths and angles (what is cheapest, such as principal components).
enum class Coordinates { units, any };

// The networks of a comparison. Calls come one at a time. They throw Error that names the network
// and what makes the missing part.
class ASSAY_API NetworkSet {
  public:
    NetworkSet() = default;
    NetworkSet(const NetworkSet&) = delete;
    NetworkSet& operator=(const NetworkSet&) = delete;
    virtual ~NetworkSet() = default;

    [[nodiscard]] virtual Index count() const = 0;
    // Visible states on the common inputs, all valid steps of all trials (T x N).
    [[nodiscard]] virtual RowMatrix activations(Index network, Coordinates coordinates) const = 0;
    // The same in trials, in principal coordinates of 99.9% of the variance.
    [[nodiscard]] virtual Trajectories trajectories(Index network) const = 0;
    [[nodiscard]] virtual PointSpectra spectra(Index network) const = 0;
    [[nodiscard]] virtual PointGraph graph(Index network) const = 0;
    // Points and the chain that joins those of neighbouring inputs.
    [[nodiscard]] virtual PointGraph chain(Index network) const = 0;
};

// Principal coordinates of trials, as `NetworkSet::trajectories` wants them. O(T N min(T, N)).
[[nodiscard]] ASSAY_API Trajectories principal_trajectories(const Trajectories& trajectories);
// Valid steps of all trials, one after another (T x columns of `rows`, which has trials steps).
[[nodiscard]] ASSAY_API RowMatrix valid_rows(const Trajectories& trajectories,
                                             const RowMatrix& rows);

enum class DynamicsMetric { dsa, dsa_spectrum, spectrum, spectrum_curves };

// What two networks are compared by.
using AnyMetric = std::variant<Metric, DynamicsMetric, TopologyMetric>;

// "svcca", "dsa-spectrum", "topology-label", "chain" ...
[[nodiscard]] ASSAY_API std::string metric_name(const AnyMetric& metric);
// Whether the metric looks at activations (else at points), and at a chain of points.
[[nodiscard]] ASSAY_API bool needs_activations(const AnyMetric& metric);

struct ComparisonOptions {
    double threshold = 0.99;  // svcca, pwcca
    double alpha = 1;         // shape
    Index delays = 10;        // dsa, dsa-spectrum
    Index rank = 10;          // dsa, dsa-spectrum
    AlignmentOptions aligned; // dsa
    TopologyDistanceOptions topology;
    std::int64_t memory = std::int64_t{1} << 30; // bytes of features held at once
};

// All pairs of the shard. Only networks of the shard are read; of spectra, graphs and operators all
// of them are held. Same bits for any number of threads. Throws Error on what the parts throw, and
// where two networks have no points of the same input (spectrum).
[[nodiscard]] ASSAY_API PairwiseDistances compare_networks(const NetworkSet& networks,
                                                           const AnyMetric& metric,
                                                           const ComparisonOptions& options,
                                                           const Shard& shard,
                                                           const Execution& run);

// One value a network: its architecture, activation, size ...
struct NetworkLabel {
    std::string name;
    std::vector<std::string> values;
};
// Of several labels all together: "arch+units" of values "gru 64".
[[nodiscard]] ASSAY_API NetworkLabel combined_label(const std::vector<NetworkLabel>& labels);

enum class Scaled { smacof, classical, none };
inline constexpr const char* kScaled = "smacof,classical,none";

struct SummaryOptions {
    Scaled scaling = Scaled::smacof;
    Index dims = 2;
    Index starts = 8; // smacof
    Index permutations = 1000;
    std::uint64_t seed = 0;
};

struct ComparisonSummary {
    double mean = 0;                           // over all pairs
    std::optional<ClassicalScaling> classical; // of smacof too: its eigenvalues say how much of
    std::optional<Scaling> scaling;            // the distances is Euclidean
    std::vector<GroupStatistics> groups;       // of each label
};

// Of a whole matrix (M x M, M >= 2). O(M^3 + starts iterations M^2 dims + permutations M^2 G).
[[nodiscard]] ASSAY_API ComparisonSummary summarise(const Matrix& distance,
                                                    const std::vector<NetworkLabel>& labels,
                                                    const SummaryOptions& options,
                                                    const Execution& run);

// Mean sorted moduli of eigenvalues of the networks of each group, rank by rank over those that
// have so many.
struct SpectrumCurves {
    std::vector<std::string> groups; // sorted
    Matrix mean, standard_error;     // G x longest; NaN: too few networks (none; fewer than two)
    Matrix networks;                 // G x longest: how many
};
[[nodiscard]] ASSAY_API SpectrumCurves spectrum_curves(const std::vector<Vector>& curves,
                                                       const std::vector<std::string>& label);

} // namespace assay::fixedpoints
