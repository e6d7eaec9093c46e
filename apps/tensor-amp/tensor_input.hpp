// A tensor as input: where it is, what of it was observed, how it is stored while it is worked on.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/tensor_amp/centering.hpp>
#include <assay/tensor_amp/tensor_io.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tensor_amp_app {

// What was observed, and how spikes become a tensor.
struct MissingOptions {
    std::string mask;         // address; empty: the dataset "mask" beside the tensor, if any
    bool nan = false;         // NaN means unobserved
    std::optional<double> dt; // of NWB: spikes in bins of so many seconds
    std::string window;       // A:B, seconds about the event of every trial
    std::string align = "start_time";
};
// --mask, --missing; --dt, --window, --align.
void declare_missing(assay::cli::Command& c, MissingOptions& o);
// How the tensor at `address` (kTensorPath where it names no dataset) is to be read.
[[nodiscard]] assay::tensor_amp::TensorReading reading_of(assay::cli::Context& context,
                                                          const MissingOptions& o,
                                                          const assay::hdf5::Address& address);

// The tensor of a file that is no plain HDF5 (npy, npz, MATLAB, spikes of NWB); nothing for a file
// that is. Throws Error, before the numbers are read, where `copies` of it or its reading take more
// than `memory` bytes.
template <class Scalar = double>
[[nodiscard]] std::optional<assay::tensor_amp::TensorOf<Scalar>>
foreign_tensor(assay::cli::Context& context, const MissingOptions& o, assay::hdf5::Address address,
               double memory, double copies = 1);

struct TensorOptions {
    MissingOptions missing;
    std::vector<std::string> modes; // names; empty: those of the file
    int copies = 1;                 // that have to fit into the memory
    std::string center = "none";
    bool symmetric = false; // equal under permutations; entries with repeated indices become 0
    assay::tensor_amp::Storage storage = assay::tensor_amp::Storage::float64;
    std::int64_t memory = 0;
};

// --mask, --missing, --center, --precision, --memory.
void declare_tensor(assay::cli::Command& c, TensorOptions& o);
// --precision alone.
void declare_precision(assay::cli::Command& c, assay::tensor_amp::Storage& storage);

struct LoadedTensor {
    std::unique_ptr<assay::tensor_amp::TensorSource> source;
    std::vector<std::string> mode_names;
    std::optional<assay::tensor_amp::Centering> centering;
    // Checks the numbers of a tensor that is streamed (StreamedTensor::survey), before all passes,
    // and finds the means to be taken off; empty where that is done.
    std::function<std::optional<assay::tensor_amp::Centering>(assay::Monitor&)> survey;
    [[nodiscard]] const assay::tensor_amp::Shape& shape() const { return source->shape(); }
};

// The input's tensor: in memory where it fits into --memory, else streamed in every pass. Throws
// Error that names the file and dataset.
[[nodiscard]] LoadedTensor load_tensor(assay::cli::Context& context, const TensorOptions& o,
                                       std::size_t input = 0);

// "2", or a name of one of `order` modes. Throws UsageError naming `option`.
[[nodiscard]] assay::tensor_amp::Index mode_of(const std::string& option, const std::string& text,
                                               assay::tensor_amp::Index order,
                                               const std::vector<std::string>& names);

} // namespace tensor_amp_app
