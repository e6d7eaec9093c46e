#include <assay/hdf5/seed.hpp>

#include <assay/core/seed.hpp>

#include <string>

namespace assay::hdf5 {

namespace {

constexpr std::uint64_t kMostNumber = std::uint64_t{1} << 53;

} // namespace

void write_seed(Object& object, std::uint64_t seed) {
    if (seed <= kMostNumber)
        object.set_attribute("seed", static_cast<std::int64_t>(seed));
    else
        object.set_attribute("seed", std::to_string(seed));
}

std::optional<std::uint64_t> read_seed(const Object& object) {
    if (const auto text = object.text_attribute("seed")) return parse_seed(*text);
    const auto number = object.number_attribute("seed");
    if (!number || !(*number >= 0 && *number <= static_cast<double>(kMostNumber)))
        return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

} // namespace assay::hdf5
