// Which build of assay this is.
#pragma once

#include <string>

namespace assay::cli {

// Of the source at build time, ".changed" behind it where files differ from it; empty without git.
// The build writes its definition (share/cmake/AssayCommit.cmake).
[[nodiscard]] const char* commit();

// "0.1.0+d72fec9821e4", or the release alone.
[[nodiscard]] std::string build_version();
// The same with the instruction level: "0.1.0+d72fec9821e4.native".
[[nodiscard]] std::string build_version_and_level();

} // namespace assay::cli
