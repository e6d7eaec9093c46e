#include <assay/cli/version.hpp>

#include <string_view>

namespace assay::cli {
namespace {

constexpr std::string_view kRelease = ASSAY_VERSION;

} // namespace

std::string build_version() {
    const std::string_view source = commit();
    std::string version(kRelease);
    if (!source.empty()) version.append("+").append(source);
    return version;
}

std::string build_version_and_level() {
    const std::string version = build_version();
    // Semantic versioning: one plus sign, then parts between points.
    return version + (version == kRelease ? "+" : ".") + ASSAY_ISA_LEVEL;
}

} // namespace assay::cli
