// SHA-256 (FIPS 180-4): digests that other programs can compute again, of numbers that leave the
// house. For our own bookkeeping Digest is faster.
#pragma once

#include <assay/core/export.hpp>

#include <cstddef>
#include <string>

namespace assay {

// 64 hexadecimal digits. About 0.2 GB/s.
[[nodiscard]] ASSAY_API std::string sha256(const void* data, std::size_t bytes);

} // namespace assay
