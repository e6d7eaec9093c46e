// An array in somebody's file whose numbers are handed over block by block: nothing holds all of
// them but the file's own form and what becomes of them.
#pragma once

#include <assay/hdf5/object.hpp>

#include <functional>

namespace assay::formats {

// Consecutive numbers of an array in C order, the first of which is entry `first`.
using NumberBlock = std::function<void(Index first, const double* numbers, Index count)>;

struct StoredArray {
    hdf5::Shape shape;
    double bytes = 0; // of memory that its own form takes while it is read
    // Hands over all numbers, the last index fastest. Throws Error for a damaged file.
    std::function<void(const NumberBlock&)> read;
};

} // namespace assay::formats
