// How much memory there is, and what the allocator does with large arrays.
#pragma once

#include <assay/core/export.hpp>

#include <cstddef>
#include <string>

namespace assay {

// Bytes of the machine.
[[nodiscard]] ASSAY_API double physical_memory();
// Throws Error naming `what` where `bytes` are more than the machine has.
ASSAY_API void check_memory(double bytes, const std::string& what);

// Gives pages that are free inside the heap back to the system. Reading a file of many chunks
// through HDF5 leaves small long-lived objects between large freed buffers, and without this the
// heap grows to the size of the file.
ASSAY_API void release_free_memory();

// Asks for large pages under an array that is about to be filled and then gone through again and
// again: where the system grants them, passes over it take a tenth less time. Nothing else changes.
ASSAY_API void prefer_large_pages(void* data, std::size_t bytes);

// Lets freed arrays up to 32 MiB stay in the heap for the next ones. Otherwise every step of an
// iteration asks the system for fresh pages, which costs more than many a computation on them. For
// the start of a program.
ASSAY_API void keep_free_memory();

} // namespace assay
