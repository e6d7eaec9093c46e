// The files of a population in the making: one a network, so that an interrupted run goes on where
// it was, and their assembly into the output. Shared by population and merge where both need it.
#pragma once

#include <assay/cli/context.hpp>
#include <assay/fixedpoints/fixedpoints_io.hpp>
#include <assay/fixedpoints/population_io.hpp>
#include <assay/hdf5/stream.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fixedpoints_app {

// Every option that changes results, with digests of files that they name, but for names of files
// whose content has a digest elsewhere.
std::string options_of(const assay::cli::Context& context);

// In what one file differs from another, "was run with other options: --noise 0.5 against 0.3";
// empty where both belong together.
std::string difference(const assay::fixedpoints::PopulationHeader& one,
                       const assay::fixedpoints::PopulationHeader& other);

// The results of one network on their way into a file. HDF5 serves one thread at a time: everything
// that touches the file, its end too, holds the store's lock.
class Part {
  public:
    Part(std::mutex& files, const std::string& file, assay::hdf5::Compression compression,
         const assay::fixedpoints::PopulationHeader& header,
         const assay::fixedpoints::NetworkRecord& record);
    ~Part();
    Part(Part&&) noexcept;
    Part& operator=(Part&&) = delete;
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    // Calls body with the network's group.
    void write(const std::function<void(assay::hdf5::Group)>& body);
    // A writer that lives as long as the file; to be made and used inside `write`.
    void keep(assay::fixedpoints::LinearisationWriter writer);
    assay::fixedpoints::LinearisationWriter& kept();
    void commit();

  private:
    struct Content;
    std::mutex* files_;
    std::unique_ptr<Content> content_;
};

class PartStore {
  public:
    // Takes up what an interrupted run left behind where the command resumes. Throws Error where
    // that belongs to other work. Without an output file parts stand in a folder that is removed.
    PartStore(assay::cli::Context& context, const assay::fixedpoints::PopulationHeader& header);
    ~PartStore();
    PartStore(const PartStore&) = delete;
    PartStore& operator=(const PartStore&) = delete;

    [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(files_); }
    Part begin(const assay::fixedpoints::NetworkRecord& record);
    // Commits the part of a network that was done or excluded.
    void finish(Part part, const assay::fixedpoints::NetworkRecord& record);
    void add_failure(const assay::fixedpoints::NetworkRecord& record);
    [[nodiscard]] bool finished(assay::Index network) const {
        return finished_.count(network) != 0;
    }
    // The digest of a network that is finished.
    [[nodiscard]] const std::string& model_of(assay::Index network) const {
        return finished_.at(network);
    }
    [[nodiscard]] std::size_t count_finished(const std::vector<assay::Index>& networks) const;
    // Copies parts and failures into a population, in this order; parts are removed once the output
    // stands.
    void assemble(const std::vector<assay::Index>& networks, const assay::hdf5::Group& population);

  private:
    [[nodiscard]] std::string file_of(assay::Index network) const;
    assay::cli::Context& context_;
    const assay::fixedpoints::PopulationHeader& header_;
    std::string directory_;
    bool temporary_ = false;
    std::mutex files_;
    std::map<assay::Index, std::string> finished_; // with digests of their models
    std::map<assay::Index, assay::fixedpoints::NetworkRecord> failures_;
};

// Adds a network of one population to another: results and attributes copied as they are; of one
// that failed, written anew, so that files have the same bytes whether shards were joined or not.
void add_network(const assay::hdf5::Group& from, const assay::fixedpoints::NetworkRecord& record,
                 const assay::hdf5::Group& to);

// How many networks were done, excluded, failed; and what was found in them.
void report_population(assay::cli::Context& context, const assay::hdf5::Group& population);

} // namespace fixedpoints_app
