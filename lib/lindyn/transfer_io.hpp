// Results of transfer.hpp in HDF5: /lindyn/transfer.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/transfer.hpp>

namespace assay::lindyn {

// A whole study has means over pairs; a part has those it holds, each with its number.
ASSAY_API void write_transfer(hdf5::Group group, const TransferStudy& study);
// A part, whose theory is computed again. Throws Error on settings that make no sense.
[[nodiscard]] ASSAY_API TransferStudy read_transfer(const hdf5::Group& group, const Execution& run);

} // namespace assay::lindyn
