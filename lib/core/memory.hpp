// Memory that long reading leaves behind in the allocator.
#pragma once

#include <assay/core/export.hpp>

namespace assay {

// Gives pages that are free inside the heap back to the system. Reading a file of many chunks
// through HDF5 leaves small long-lived objects between large freed buffers, and without this the
// heap grows to the size of the file.
ASSAY_API void release_free_memory();

} // namespace assay
