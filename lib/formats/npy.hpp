// Internal to lib/formats: an array of a .npy file where it stands.
#pragma once

#include <assay/formats/number_blocks.hpp>
#include <assay/formats/scalar_types.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::formats {

// Of bytes that outlive it.
struct NpyNumbers {
    hdf5::Shape shape;
    Fastest fastest;
    const ScalarType* type;
    ByteOrder order;
    const char* first;
    // The i-th of the file.
    [[nodiscard]] double operator()(Index i) const {
        return type->read(first + static_cast<std::size_t>(i) * type->bytes, order);
    }
};
// Throws Error for a header that cannot be read, and where numbers are missing.
[[nodiscard]] NpyNumbers npy_numbers(std::string_view bytes, const std::string& where);

} // namespace assay::formats
