// Small text helpers: numbers as people write and read them, near misses of names.
#pragma once

#include <assay/core/export.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// The shortest decimal that reads back as the same double; "nan", "inf" where they are.
[[nodiscard]] ASSAY_API std::string shortest(double value);
// `digits` significant digits, no trailing zeros: significant(0.0312345, 3) = "0.0312".
[[nodiscard]] ASSAY_API std::string significant(double value, int digits);
// 1536 -> "1.5 KiB".
[[nodiscard]] ASSAY_API std::string human_bytes(double bytes);
// "512M", "2GiB", "1.5g", "4096": bytes; units are powers of 1024. Empty where it is not a size.
[[nodiscard]] ASSAY_API std::optional<std::int64_t> parse_bytes(std::string_view text);
// The whole text as a number; empty otherwise. Independent of the locale.
[[nodiscard]] ASSAY_API std::optional<double> parse_double(std::string_view text);
[[nodiscard]] ASSAY_API std::optional<std::int64_t> parse_integer(std::string_view text);

[[nodiscard]] ASSAY_API std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] ASSAY_API std::string join(const std::vector<std::string>& parts,
                                         std::string_view separator);
[[nodiscard]] ASSAY_API std::string trim(std::string_view text);
[[nodiscard]] ASSAY_API bool starts_with(std::string_view text, std::string_view prefix);
[[nodiscard]] ASSAY_API bool ends_with(std::string_view text, std::string_view suffix);

// The candidate with the smallest edit distance to `name`, if that is at most `limit`.
[[nodiscard]] ASSAY_API std::optional<std::string>
nearest_name(const std::string& name, const std::vector<std::string>& candidates, int limit = 2);

// Text as it may be shown on one line of a terminal: control characters become '?', long text is
// cut.
[[nodiscard]] ASSAY_API std::string printable(std::string_view text, std::size_t limit = 120);

} // namespace assay
