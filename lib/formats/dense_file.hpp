// One dense array of any number of dimensions, in the files that labs have beside HDF5: npy, npz,
// MATLAB level 5 and v7.3. The kind of file is told from its content.
#pragma once

#include <assay/core/export.hpp>
#include <assay/formats/recording_file.hpp>
#include <assay/formats/stored_array.hpp>
#include <assay/hdf5/stream.hpp>

#include <optional>
#include <string>

namespace assay::formats {

struct DenseFile {
    std::string name; // "x.npz:/Y"
    StoredArray array;
};

// Whether the file is none of HDF5.
[[nodiscard]] ASSAY_API bool is_foreign(const hdf5::Address& address);

// The array at the address, or the only one of a file whose address names none (of MATLAB: the only
// one of more than one number), whose numbers are not read yet; empty where it is a plain dataset
// of HDF5, which is read as such. Throws Error that names file and array for one that is not there,
// sparse, or not of numbers.
[[nodiscard]] ASSAY_API std::optional<DenseFile> open_dense(const hdf5::Address& address,
                                                            const Opener& opener);

} // namespace assay::formats
