// Which shapes and ranks there can be.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/model.hpp>

#include <cstdint>
#include <string>

namespace assay::tensor_amp {

inline constexpr Index kLeastOrder = 2, kMostOrder = 8;

[[nodiscard]] ASSAY_API std::string shape_text(const Shape& shape); // "80 x 100 x 90"
// Throws Error, which starts with `where`, unless the order is 2 to 8 and no mode is empty.
ASSAY_API void check_shape(const Shape& shape, const std::string& where);
// Throws Error unless 1 <= rank <= the product of the other dimensions, for every mode.
ASSAY_API void check_rank(const Shape& shape, Index rank);
// Throws Error where the dimensions differ, as symmetric tensors must not.
ASSAY_API void check_cubic(const Shape& shape);

// What --memory grants, in bytes: what it says, or for 0 60 % of the machine's.
[[nodiscard]] ASSAY_API double allowed_memory(std::int64_t option);
// Throws Error "what take ..., more than the ... allowed".
ASSAY_API void check_memory(double bytes, double allowed, const std::string& what);

} // namespace assay::tensor_amp
