// Internal to lib/formats: the numbers of an array in C order, whichever index runs fastest in its
// file.
#pragma once

#include <assay/formats/stored_array.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace assay::formats {

enum class Fastest { last_index, first_index };

// `number(i)` is the i-th number of the file, of an array of `shape` that is all there.
template <class Number>
void hand_over(const hdf5::Shape& shape, Fastest fastest, const Number& number,
               const NumberBlock& take) {
    constexpr Index most = Index{1} << 14;
    const std::size_t rank = shape.size();
    const Index count = hdf5::element_count(shape, "");
    if (count == 0) return; // then the other extents may be anything
    // How far apart neighbours along each axis stand in the file.
    std::vector<Index> steps(rank, 1), place(rank, 0);
    if (fastest == Fastest::first_index)
        for (std::size_t a = 1; a < rank; ++a) steps[a] = steps[a - 1] * shape[a - 1];
    else
        for (std::size_t a = rank; a-- > 1;) steps[a - 1] = steps[a] * shape[a];
    std::vector<double> block(static_cast<std::size_t>(std::min(count, most)));
    Index at = 0;
    for (Index first = 0; first < count; first += most) {
        const Index length = std::min(most, count - first);
        for (Index i = 0; i < length; ++i) {
            block[static_cast<std::size_t>(i)] = number(at);
            for (std::size_t a = rank; a-- > 0;) {
                at += steps[a];
                if (++place[a] < shape[a]) break;
                at -= steps[a] * shape[a];
                place[a] = 0;
            }
        }
        take(first, block.data(), length);
    }
}

} // namespace assay::formats
