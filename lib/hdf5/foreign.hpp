// Files of foreign form are not sealed: damage in their metadata can make the HDF5 library crash or
// spin. Their metadata is read once in a forked child with a time limit, before we read them.
#pragma once

#include <string>

namespace assay::hdf5 {

// Throws Error "name: ..." when the child that walks the file at `path` dies or takes too long.
// Files in our sealed form pass unread.
void check_foreign_metadata(const std::string& path, const std::string& name);

} // namespace assay::hdf5
