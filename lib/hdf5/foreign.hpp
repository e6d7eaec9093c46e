// Files of foreign form are not sealed: damage in their metadata can make the HDF5 library crash or
// spin, or ask for more memory than the machine has. Their metadata is read once in a forked child
// with limits on time and memory, before we read them.
#pragma once

#include <assay/core/export.hpp>

#include <cstdint>
#include <string>

namespace assay::hdf5 {

// What the child may take beyond the process it is forked from. The library keeps 32 MB of metadata
// and the names of one group at a time: ten million of them fit.
inline constexpr std::int64_t kMetadataBytes = std::int64_t{1} << 30;

// Throws Error "name: ..." when the child that walks the file at `path` dies, takes too long or
// asks for more memory than that. Files in our sealed form pass unread.
ASSAY_API void check_foreign_metadata(const std::string& path, const std::string& name,
                                      std::int64_t memory = kMetadataBytes);

} // namespace assay::hdf5
