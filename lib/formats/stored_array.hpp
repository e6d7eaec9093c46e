// An array in somebody's file whose numbers are handed over block by block: nothing holds all of
// them but the file's own form and what becomes of them.
#pragma once

#include <assay/core/number_reader.hpp>
#include <assay/hdf5/object.hpp>

namespace assay::formats {

struct StoredArray {
    hdf5::Shape shape;
    double bytes = 0; // of memory that its own form takes while it is read
    NumberReader read;
};

} // namespace assay::formats
