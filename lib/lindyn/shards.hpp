// How repeats and sweep points are dealt to the jobs of an array, and that all came back.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <vector>

namespace assay::lindyn {

// Part `index` (from 1) of `count`: numbers n with n = index - 1 modulo count.
struct StudyPart {
    Index index = 1, count = 1;
};
// Numbers of 0 ... count - 1 that belong to a part, ascending.
[[nodiscard]] ASSAY_API std::vector<Index> own_numbers(Index count, const StudyPart& part);
// Throws Error where these are not all parts of one whole, each once.
ASSAY_API void check_parts(const std::vector<StudyPart>& parts);

} // namespace assay::lindyn
