#include <assay/lindyn/shards.hpp>

#include <set>

namespace assay::lindyn {

std::vector<Index> own_numbers(Index count, const StudyPart& part) {
    std::vector<Index> numbers;
    for (Index i = part.index - 1; i < count; i += part.count) numbers.push_back(i);
    return numbers;
}

void check_parts(const std::vector<StudyPart>& parts) {
    if (parts.empty()) throw Error("no shards given");
    const Index count = parts.front().count;
    std::set<Index> seen;
    for (const StudyPart& part : parts) {
        if (part.count != count)
            throw Error(concat("shard ", part.index, " is one of ", part.count,
                               ", the first one of ", count));
        if (!seen.insert(part.index).second)
            throw Error(concat("shard ", part.index, " is given twice"));
    }
    for (Index s = 1; s <= count; ++s)
        if (seen.count(s) == 0) throw Error(concat("shard ", s, " of ", count, " is missing"));
}

} // namespace assay::lindyn
