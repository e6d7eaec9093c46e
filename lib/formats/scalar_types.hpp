// Internal to lib/formats: kinds of numbers as files of other libraries name and store them, all
// converted to double.
#pragma once

#include <assay/formats/arrays.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::formats {

enum class ByteOrder { little, big };

struct ScalarType {
    std::string_view name; // "float32", "bfloat16", "boolean"
    std::size_t bytes;
    double (*read)(const char* bytes, ByteOrder order);
};

// The kind of that name; null for none.
[[nodiscard]] const ScalarType* scalar_type(std::string_view name);

// Consecutive numbers of an array whose shape was checked against the bytes that are there.
[[nodiscard]] DenseArray dense_array(const ScalarType& type, const char* bytes,
                                     const hdf5::Shape& shape, ByteOrder order);

[[nodiscard]] DenseArray dense_array(const hdf5::Dataset& dataset);

// An unsigned integer of little-endian bytes, at most eight.
[[nodiscard]] std::uint64_t little_endian(std::string_view bytes);

} // namespace assay::formats
