// Seeds in words: all numbers of 64 bits without sign.
#pragma once

#include <assay/core/export.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace assay {

// The whole text as a seed; empty otherwise.
[[nodiscard]] ASSAY_API std::optional<std::uint64_t> parse_seed(std::string_view text);

} // namespace assay
