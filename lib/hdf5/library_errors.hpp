// What the HDF5 library itself said when it failed. Our errors are one line of our own words; this
// is for whoever looks deeper (-vv).
#pragma once

#include <assay/core/export.hpp>

#include <string>
#include <vector>

namespace assay::hdf5 {

// The library's stack of errors, innermost last, behind the newest failure, where `message` reports
// that failure (perhaps with places put before it); else empty.
[[nodiscard]] ASSAY_API std::vector<std::string> library_errors(const std::string& message);

// The library closes what is open when a program ends, and crashes over a file that a full disk
// could not take: with this it does not. For programs that close their files themselves, before
// anything else is done with files.
ASSAY_API void leave_files_at_exit();

} // namespace assay::hdf5
