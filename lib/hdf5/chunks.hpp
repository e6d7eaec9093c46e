// How a dataset is stored: in chunks, each of which is read and unpacked as a whole.
#pragma once

#include <assay/hdf5/object.hpp>

#include <cstddef>

namespace assay::hdf5 {

// Their shape; empty for a dataset in one piece.
[[nodiscard]] Shape chunk_shape(const Dataset& dataset);
// Bytes of chunks that are kept unpacked.
[[nodiscard]] std::size_t chunk_cache(const Dataset& dataset);

} // namespace assay::hdf5
