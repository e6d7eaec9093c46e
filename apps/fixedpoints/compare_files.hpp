// Networks of a comparison that stand in result files of their own: their models run on the same
// trials, their points as the earlier steps found them.
#pragma once

#include "inputs.hpp"

#include <assay/fixedpoints/compare_io.hpp>

#include <optional>
#include <string>
#include <vector>

namespace fixedpoints_app {

class FileNetworks : public assay::fixedpoints::NetworkSet {
  public:
    // The networks of inputs `indices` of the command. Throws Error that names the file.
    FileNetworks(assay::cli::Context& context, const NetworkOptions& network,
                 const std::vector<std::size_t>& indices);
    // Reads the trials that activations come from: --data, or the /data of the first file that has
    // some; without --data, all that have some must have the same.
    void load_data(const DataOptions& o);

    // arch, activation, units: of one network.
    [[nodiscard]] std::string label(assay::Index network, const std::string& name) const;
    // Groups /fixedpoints of all files.
    [[nodiscard]] std::vector<assay::hdf5::Group> results() const;

    [[nodiscard]] assay::Index count() const override;
    [[nodiscard]] assay::RowMatrix
    activations(assay::Index network, assay::fixedpoints::Coordinates coordinates) const override;
    [[nodiscard]] assay::fixedpoints::Trajectories
    trajectories(assay::Index network) const override;
    [[nodiscard]] assay::fixedpoints::PointSpectra spectra(assay::Index network) const override;
    [[nodiscard]] assay::fixedpoints::PointGraph graph(assay::Index network) const override;
    [[nodiscard]] assay::fixedpoints::PointGraph chain(assay::Index network) const override;

  private:
    [[nodiscard]] assay::fixedpoints::Trajectories run(assay::Index network) const;
    [[nodiscard]] assay::hdf5::Group results_of(assay::Index network) const;
    [[nodiscard]] const LoadedNetwork& at(assay::Index network) const {
        return networks_[static_cast<std::size_t>(network)];
    }
    assay::cli::Context& context_;
    std::vector<std::size_t> indices_;
    std::vector<LoadedNetwork> networks_;
    std::optional<StoredSamples> samples_;
};

// The labels that a network itself has.
inline constexpr const char* kModelLabels = "arch,activation,units";

// Names of result files: without folder and ending where these tell them apart.
std::vector<std::string> file_names(assay::cli::Context& context);

// Lines of the summary for one metric.
void report_comparison(assay::cli::Context& context, const std::string& metric,
                       const assay::fixedpoints::ComparisonSummary& summary,
                       const std::vector<assay::fixedpoints::NetworkLabel>& labels);

} // namespace fixedpoints_app
