// What ranks tell each other of the starts they have made (core/ranks.hpp).
#pragma once

#include <assay/cnmf/fit.hpp>
#include <assay/core/export.hpp>

#include <string>
#include <vector>

namespace assay::cnmf {

// Losses and numbers, work, and the best start of a fit as bytes, for a process of the same build.
[[nodiscard]] ASSAY_API std::string packed_starts(const FitState& state);
// Of several such, as if one process had made all starts in order: losses one after the other, work
// added up, the first of the best starts.
[[nodiscard]] ASSAY_API FitState joined_starts(const std::vector<std::string>& packed);

} // namespace assay::cnmf
