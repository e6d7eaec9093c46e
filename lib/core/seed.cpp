#include <assay/core/seed.hpp>

#include <charconv>

namespace assay {

std::optional<std::uint64_t> parse_seed(std::string_view text) {
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

} // namespace assay
