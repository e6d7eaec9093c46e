// Seeds as the attribute `seed`: all numbers of 64 bits without sign.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <optional>

namespace assay::hdf5 {

// A number, beyond 2^53 text: many read numbers as doubles, which have no room for more.
ASSAY_API void write_seed(Object& object, std::uint64_t seed);
// Empty where the attribute is missing or no seed.
[[nodiscard]] ASSAY_API std::optional<std::uint64_t> read_seed(const Object& object);

} // namespace assay::hdf5
