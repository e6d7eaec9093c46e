// Reconstructions in HDF5, /tensor_amp/reconstruct: written slice by slice of the first mode, so
// that they may be larger than memory.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/reconstruction.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace assay::tensor_amp {

inline constexpr const char* kReconstructGroup = "/tensor_amp/reconstruct";

struct ReconstructionOutput {
    bool deviation = false;
    std::vector<std::string> mode_names; // may be empty
    double block_bytes = 64 << 20;       // of the slices in memory at a time, at least one
    double memory_bytes = std::numeric_limits<double>::infinity();
};

// Both throw Error where a slice, or the list of entries, would take more than `memory_bytes`.

// mean and, if asked for, std, of all slices chosen; slices/modeK says which they are. Returns the
// mean standard deviation (0 where it was not asked for).
ASSAY_API double write_reconstruction(hdf5::Group group, const Reconstruction& reconstruction,
                                      const ReconstructionOutput& output, const Execution& run);

// The same for the entries that `observed` (of the whole tensor, C order) says were not: index
// (entry x mode), mean and std. Returns how many there are.
ASSAY_API Index write_missing_entries(hdf5::Group group, const Reconstruction& reconstruction,
                                      const Shape& whole, const std::vector<std::uint8_t>& observed,
                                      const ReconstructionOutput& output, const Execution& run);

} // namespace assay::tensor_amp
