// Internal to lib/formats: negative values made acceptable, units brought to one scale.
#pragma once

#include <assay/formats/recording_file.hpp>

#include <memory>

namespace assay::formats {

// offset: each unit's least value is subtracted where it is negative. Scales are per unit: x /
// |x|_2, / |x|_1, / max, or / (max + 95th percentile of all values). `unit_scale` receives the
// factors.
[[nodiscard]] std::unique_ptr<Recording>
adjusted(std::unique_ptr<Recording> recording, const RecordingOptions& options, Vector& unit_scale);

} // namespace assay::formats
