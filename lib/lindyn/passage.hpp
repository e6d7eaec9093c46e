// When a sampled curve passes a level.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

// The first time at which `curve` (as long as `time`, which rises) is at `level` or above, linear
// between samples; time(0) where it starts there, NaN where it never comes.
[[nodiscard]] ASSAY_API double first_passage(const Vector& time, const Vector& curve, double level);

} // namespace assay::lindyn
