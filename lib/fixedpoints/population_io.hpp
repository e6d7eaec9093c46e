// A population of networks in HDF5: what became of each network of a manifest, with the results of
// the subcommands and its activations. One shard's file and a merged one have the same form:
//   /fixedpoints/population                  attributes: options, digests, networks, shard, shards
//   /fixedpoints/population/networks/<name>  attributes of NetworkRecord; find, linearize,
//   topology,
//                                            cycles as the subcommands write them; activations
//   /fixedpoints/population/summary          one row a network, in the manifest's order
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/activations.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace assay::fixedpoints {

inline constexpr const char* kPopulation = "/fixedpoints/population";

enum class NetworkStatus : std::uint8_t { done, excluded, failed };
inline constexpr const char* kNetworkStatuses = "done,excluded,failed";

// One network of a manifest, and what became of it.
struct NetworkRecord {
    std::string name; // of its group
    Index index = 0;  // position in the manifest, from 0
    std::map<std::string, std::string> labels;
    std::string file, step; // as the manifest has them
    NetworkStatus status = NetworkStatus::failed;
    std::string message;                                                     // why not done
    double loss = std::numeric_limits<double>::quiet_NaN(), accuracy = loss; // NaN: unknown
    std::string model_digest;
};

// What makes shards belong together.
struct PopulationHeader {
    std::string options; // JSON object of every resolved option that changes results
    std::string options_digest, data_digest, manifest_digest;
    Index networks = 0; // of the whole manifest
    Index shard = 1, shards = 1;
    // Whether all but the shard agree.
    [[nodiscard]] ASSAY_API bool same_work(const PopulationHeader& other) const;
};

ASSAY_API void write_population_header(hdf5::Group population, const PopulationHeader& header);
// Throws Error where an entry is missing or a count is out of range.
[[nodiscard]] ASSAY_API PopulationHeader read_population_header(const hdf5::Group& population);

// Makes the network's group with its attributes, and returns it: results go below it.
ASSAY_API hdf5::Group write_network(hdf5::Group population, const NetworkRecord& record);
// Of all networks of a file, in the order of their index; groups/<name> by `network_group`. Throws
// Error for attributes that are missing, of another kind, or an index that stands twice.
[[nodiscard]] ASSAY_API std::vector<NetworkRecord> list_networks(const hdf5::Group& population);
[[nodiscard]] ASSAY_API hdf5::Group network_group(const hdf5::Group& population,
                                                  const std::string& name);

// activations/{left,singular_values,right,mean}; `states` (T x N, centred) in full where it has
// rows. Stored as float32 (singular values and mean as float64).
ASSAY_API void write_activations(hdf5::Group network, const ActivationBasis& basis,
                                 const RowMatrix& states);
[[nodiscard]] ASSAY_API bool has_activations(const hdf5::Group& network);
[[nodiscard]] ASSAY_API bool has_full_activations(const hdf5::Group& network);
// Centred activations (T x N): in full where they are stored, else left diag(singular values)
// right'. Throws Error where there are none or shapes do not fit.
[[nodiscard]] ASSAY_API RowMatrix read_activations(const hdf5::Group& network);
// The stored basis: what svcca needs is there without forming T x N. Throws as above.
[[nodiscard]] ASSAY_API ActivationBasis read_activation_basis(const hdf5::Group& network);

// The table `summary` of the networks that the file holds, from their records and results. Columns:
// name, a column a label (text, empty where a network lacks it), status, loss, accuracy, points,
// slow, index_sum, index_complete, certified, unstable_0 ... unstable_3, unstable_more (exact
// points by unstable dimensions), tau_1 (longest time constant of a mode that does not
// grow, steps; infinite: one that does not decay either), omega_linear
// (radians per time: the leading complex pair, median over inputs), edges, cycles, lines, first_pc
// (the least share of the points' variance along a line), alignment and lambda_1 (medians over
// points: of the first mode with the line, and its magnitude), retained_1 and retained_all (of the
// first probe at the first input, by one mode and by all). Counts are -1 and numbers NaN where a
// result is missing. A label named as one of these gets "label_" before it.
ASSAY_API void write_population_summary(const hdf5::Group& population);

} // namespace assay::fixedpoints
