// States of interrupted work (core/packing.hpp) as one array of bytes.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <cstdint>
#include <vector>

namespace assay::hdf5 {

ASSAY_API void write_packed(Group group, const std::vector<std::uint8_t>& bytes);
// Throws Error where the group holds none.
[[nodiscard]] ASSAY_API std::vector<std::uint8_t> read_packed(const Group& group);

} // namespace assay::hdf5
