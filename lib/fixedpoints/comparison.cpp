#include <assay/fixedpoints/comparison.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/similarity_blocks.hpp>
#include <assay/linalg/canonical.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace assay::fixedpoints {
namespace {

constexpr double kPrincipalShare = 0.999;
constexpr Index kNetworkBlock = 64; // networks of a block of pairs; the same in all shards

// Of every network that a pair of the shard names, `make(network)`; of the others an empty one.
template <class T>
std::vector<T> parts_of(const NetworkSet& networks, const Shard& shard, const Execution& run,
                        const std::function<T(Index)>& make) {
    const Blocks blocks{networks.count(), kNetworkBlock};
    std::vector<char> needed(static_cast<std::size_t>(blocks.count()), 0);
    for (const BlockPair& pair : block_pairs(blocks.count(), shard))
        needed[static_cast<std::size_t>(pair.row)] = needed[static_cast<std::size_t>(pair.column)] =
            1;
    std::vector<T> parts(static_cast<std::size_t>(networks.count()));
    for (Index i = 0; i < networks.count(); ++i) {
        run.monitor->stop_if_interrupted();
        if (needed[static_cast<std::size_t>(i / kNetworkBlock)])
            parts[static_cast<std::size_t>(i)] = make(i);
    }
    return parts;
}

// All pairs of a shard by a function of two parts.
template <class T>
PairwiseDistances pairs_of(const NetworkSet& networks, const std::string& description,
                           const Shard& shard, const Execution& run,
                           const std::function<T(Index)>& make,
                           const std::function<double(const T&, const T&)>& distance) {
    const std::vector<T> parts = parts_of<T>(networks, shard, run, make);
    return pairwise_distances(
        networks.count(),
        [&](Index i, Index j) {
            return at_place(concat("networks ", i, " and ", j), [&] {
                return distance(parts[static_cast<std::size_t>(i)],
                                parts[static_cast<std::size_t>(j)]);
            });
        },
        description, shard, run, kNetworkBlock);
}

PairwiseDistances by_activations(const NetworkSet& networks, Metric metric,
                                 const ComparisonOptions& options, const Shard& shard,
                                 const Execution& run) {
    // The weights of pwcca are those of single units.
    const Coordinates coordinates = metric == Metric::pwcca ? Coordinates::units : Coordinates::any;
    BlockOptions blocks;
    blocks.memory = options.memory;
    return pairwise_distances(
        networks.count(), [&](Index i) { return networks.activations(i, coordinates); },
        {metric, options.threshold, options.alpha}, shard, run, blocks);
}

PairwiseDistances by_operators(const NetworkSet& networks, DynamicsMetric metric,
                               const ComparisonOptions& o, const Shard& shard,
                               const Execution& run) {
    std::string description =
        concat(metric_name(metric), " --delays ", o.delays, " --rank ", o.rank);
    if (metric == DynamicsMetric::dsa)
        description += concat(" --dsa-starts ", o.aligned.starts, " --seed ", o.aligned.seed);
    return pairs_of<Matrix>(
        networks, description, shard, run,
        [&](Index i) {
            const Trajectories trajectories = networks.trajectories(i);
            return at_place(concat("network ", i),
                            [&] { return dmd_operator(trajectories, o.delays, o.rank); });
        },
        [&](const Matrix& a, const Matrix& b) {
            return metric == DynamicsMetric::dsa ? align_operators(a, b, o.aligned).angle
                                                 : operator_spectrum_distance(a, b);
        });
}

double matched_spectra(const PointSpectra& a, const PointSpectra& b) {
    const SpectrumDistance found = spectrum_distance(a, b);
    if (found.matched == 0)
        throw Error("spectrum: there are no points of the same input; --leave-out NAME");
    return found.wasserstein;
}

PairwiseDistances by_spectra(const NetworkSet& networks, DynamicsMetric metric, const Shard& shard,
                             const Execution& run) {
    if (metric == DynamicsMetric::spectrum)
        return pairs_of<PointSpectra>(
            networks, metric_name(metric), shard, run, [&](Index i) { return networks.spectra(i); },
            matched_spectra);
    return pairs_of<Vector>(
        networks, metric_name(metric), shard, run,
        [&](Index i) { return mean_modulus_curve(networks.spectra(i)); }, curve_distance);
}

PairwiseDistances by_dynamics(const NetworkSet& networks, DynamicsMetric metric,
                              const ComparisonOptions& options, const Shard& shard,
                              const Execution& run) {
    const bool operators = metric == DynamicsMetric::dsa || metric == DynamicsMetric::dsa_spectrum;
    return operators ? by_operators(networks, metric, options, shard, run)
                     : by_spectra(networks, metric, shard, run);
}

PairwiseDistances by_topology(const NetworkSet& networks, TopologyMetric metric,
                              const TopologyDistanceOptions& options, const Shard& shard,
                              const Execution& run) {
    std::string description = metric_name(metric);
    if (metric != TopologyMetric::census && metric != TopologyMetric::chain)
        description += options.weights == EdgeWeights::kept ? " --edge-weights kept"
                                                            : " --edge-weights ignored";
    if (metric == TopologyMetric::match)
        description += concat(" --match-starts ", options.starts, " --seed ", options.seed);
    return pairs_of<PointGraph>(
        networks, description, shard, run,
        [&](Index i) {
            return metric == TopologyMetric::chain ? networks.chain(i) : networks.graph(i);
        },
        [&](const PointGraph& a, const PointGraph& b) {
            return topology_distance(a, b, metric, options);
        });
}

std::string name_of(Metric metric) {
    return metric_name(metric);
}

std::string name_of(DynamicsMetric metric) {
    switch (metric) {
    case DynamicsMetric::dsa:
        return "dsa";
    case DynamicsMetric::dsa_spectrum:
        return "dsa-spectrum";
    case DynamicsMetric::spectrum:
        return "spectrum";
    case DynamicsMetric::spectrum_curves:
        return "spectrum-curves";
    }
    throw Error("unknown metric");
}

std::string name_of(TopologyMetric metric) {
    return metric == TopologyMetric::chain ? "chain" : "topology-" + topology_name(metric);
}

} // namespace

std::string metric_name(const AnyMetric& metric) {
    return std::visit([](auto one) { return name_of(one); }, metric);
}

bool needs_activations(const AnyMetric& metric) {
    if (const auto* dynamics = std::get_if<DynamicsMetric>(&metric))
        return *dynamics == DynamicsMetric::dsa || *dynamics == DynamicsMetric::dsa_spectrum;
    return std::holds_alternative<Metric>(metric);
}

RowMatrix valid_rows(const Trajectories& trajectories, const RowMatrix& rows) {
    if (trajectories.lengths.empty()) return rows;
    Index count = 0;
    for (const Index length : trajectories.lengths) count += length;
    RowMatrix valid(count, rows.cols());
    Index at = 0;
    for (Index trial = 0; trial < trajectories.trials; ++trial) {
        const Index length = trajectories.lengths[static_cast<std::size_t>(trial)];
        valid.middleRows(at, length) = rows.middleRows(trajectories.row(trial, 0), length);
        at += length;
    }
    return valid;
}

Trajectories principal_trajectories(const Trajectories& trajectories) {
    const linalg::LeftBasis basis =
        linalg::left_basis(valid_rows(trajectories, trajectories.states), kPrincipalShare);
    const RowMatrix scores = basis.vectors * basis.singular_values.asDiagonal();
    Trajectories principal;
    principal.trials = trajectories.trials;
    principal.steps = trajectories.steps;
    principal.lengths = trajectories.lengths;
    principal.states = RowMatrix::Zero(trajectories.trials * trajectories.steps, scores.cols());
    Index at = 0;
    for (Index trial = 0; trial < principal.trials; ++trial) {
        const Index length = principal.lengths.empty()
                                 ? principal.steps
                                 : principal.lengths[static_cast<std::size_t>(trial)];
        principal.states.middleRows(principal.row(trial, 0), length) =
            scores.middleRows(at, length);
        at += length;
    }
    return principal;
}

PairwiseDistances compare_networks(const NetworkSet& networks, const AnyMetric& metric,
                                   const ComparisonOptions& options, const Shard& shard,
                                   const Execution& run) {
    const Phase phase(*run.monitor, "distances");
    if (const auto* similarity = std::get_if<Metric>(&metric))
        return by_activations(networks, *similarity, options, shard, run);
    if (const auto* dynamics = std::get_if<DynamicsMetric>(&metric))
        return by_dynamics(networks, *dynamics, options, shard, run);
    return by_topology(networks, std::get<TopologyMetric>(metric), options.topology, shard, run);
}

NetworkLabel combined_label(const std::vector<NetworkLabel>& labels) {
    NetworkLabel all;
    for (const NetworkLabel& label : labels) {
        all.name += (all.name.empty() ? "" : "+") + label.name;
        all.values.resize(label.values.size());
        for (std::size_t i = 0; i < label.values.size(); ++i)
            all.values[i] += (all.values[i].empty() ? "" : " ") + label.values[i];
    }
    return all;
}

ComparisonSummary summarise(const Matrix& distance, const std::vector<NetworkLabel>& labels,
                            const SummaryOptions& options, const Execution& run) {
    const Phase phase(*run.monitor, "summary of distances");
    const auto networks = static_cast<double>(distance.rows());
    ComparisonSummary summary;
    summary.mean = distance.sum() / (networks * (networks - 1));
    if (options.scaling != Scaled::none) {
        summary.classical = classical_scaling(distance, options.dims);
        SmacofOptions smacof_options;
        smacof_options.starts = options.starts;
        smacof_options.seed = options.seed;
        if (options.scaling == Scaled::classical) {
            smacof_options.iterations = 0; // only its stress
            summary.scaling = smacof_from(distance, summary.classical->coordinates, smacof_options);
        } else {
            summary.scaling = smacof(distance, *summary.classical, smacof_options, run);
        }
    }
    for (const NetworkLabel& label : labels)
        summary.groups.push_back(
            group_statistics(distance, label.values, {options.permutations, options.seed}, run));
    return summary;
}

SpectrumCurves spectrum_curves(const std::vector<Vector>& curves,
                               const std::vector<std::string>& label) {
    if (curves.size() != label.size())
        throw Error(concat(label.size(), " labels for ", curves.size(), " spectra"));
    std::map<std::string, std::vector<const Vector*>> groups;
    Index longest = 0;
    for (std::size_t i = 0; i < curves.size(); ++i) {
        groups[label[i]].push_back(&curves[i]);
        longest = std::max(longest, curves[i].size());
    }
    const auto count = static_cast<Index>(groups.size());
    SpectrumCurves result;
    result.mean = result.standard_error = Matrix::Constant(count, longest, kNaN);
    result.networks = Matrix::Zero(count, longest);
    for (const auto& [name, members] : groups) {
        const auto g = static_cast<Index>(result.groups.size());
        result.groups.push_back(name);
        for (Index rank = 0; rank < longest; ++rank) {
            std::vector<double> moduli;
            for (const Vector* curve : members)
                if (rank < curve->size()) moduli.push_back((*curve)(rank));
            if (moduli.empty()) continue;
            // A copy is aligned: sums over other memory would depend on where it stands.
            const Vector values =
                Eigen::Map<const Vector>(moduli.data(), static_cast<Index>(moduli.size()));
            const auto n = static_cast<double>(moduli.size());
            result.networks(g, rank) = n;
            result.mean(g, rank) = values.mean();
            if (n > 1)
                result.standard_error(g, rank) =
                    std::sqrt((values.array() - values.mean()).square().sum() / (n - 1) / n);
        }
    }
    return result;
}

} // namespace assay::fixedpoints
