// How repeats and sweep points are dealt to the jobs of an array, and that all came back.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <map>
#include <utility>
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

// Moves the numbered records of a part into those of the whole. Throws Error where one is there
// already; `what` names a record.
template <class Record>
void take_records(std::map<Index, Record>& whole, std::map<Index, Record>& part, const char* what) {
    for (auto& [number, record] : part)
        if (!whole.emplace(number, std::move(record)).second)
            throw Error(concat(what, " ", number, " is in two shards"));
}
// Throws Error where the numbers are not 0 ... count - 1.
template <class Record>
void check_complete(const std::map<Index, Record>& whole, Index count, const char* what) {
    for (Index i = 0; i < count; ++i)
        if (whole.count(i) == 0)
            throw Error(concat(what, " ", i, " of ", count, " is in no shard"));
    if (static_cast<Index>(whole.size()) == count) return;
    const Index first = whole.begin()->first, beyond = first < 0 ? first : whole.rbegin()->first;
    throw Error(concat(what, " ", beyond, " is none of the ", count, " of the study"));
}

} // namespace assay::lindyn
