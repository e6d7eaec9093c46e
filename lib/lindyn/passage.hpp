// When a sampled curve passes a level.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

// The first time at which `curve` (as long as `time`, which rises) is at `level` or above, linear
// between samples; time(0) where it starts there, NaN where it never comes.
[[nodiscard]] ASSAY_API double first_passage(const Vector& time, const Vector& curve, double level);
// The same for a mode that grows to `end`, at `fraction` of it: between samples within (0, end) the
// logit of the curve is linear, which it is for two layers. NaN where it starts there.
[[nodiscard]] ASSAY_API double growth_passage(const Vector& time, const Vector& curve, double end,
                                              double fraction);
// Of the columns of `curves` (T x K) and their ends (K); NaN for those that end at 0.
[[nodiscard]] ASSAY_API Vector growth_passages(const Vector& time, const Matrix& curves,
                                               const Vector& ends, double fraction);

} // namespace assay::lindyn
