#include <assay/formats/scalar_types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace assay::formats {
namespace {

// Both the machine and most files are little-endian.
template <class T>
T stored(const char* bytes, ByteOrder order) {
    char raw[sizeof(T)];
    std::memcpy(raw, bytes, sizeof(T));
    if (order == ByteOrder::big) std::reverse(raw, raw + sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
}

template <class T>
double number(const char* bytes, ByteOrder order) {
    return static_cast<double>(stored<T>(bytes, order));
}

// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits.
double half(const char* bytes, ByteOrder order) {
    const unsigned bits = stored<std::uint16_t>(bytes, order);
    const int exponent = static_cast<int>((bits >> 10U) & 31U);
    const double fraction = bits & 1023U;
    double magnitude = 0;
    if (exponent == 31)
        magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                                  : std::numeric_limits<double>::quiet_NaN();
    else
        magnitude =
            exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    return (bits >> 15U) != 0 ? -magnitude : magnitude;
}

// The upper half of a binary32.
double bfloat(const char* bytes, ByteOrder order) {
    const std::uint32_t bits = std::uint32_t{stored<std::uint16_t>(bytes, order)} << 16U;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

constexpr std::array<ScalarType, 13> kScalarTypes{{{"float64", 8, number<double>},
                                                   {"float32", 4, number<float>},
                                                   {"float16", 2, half},
                                                   {"bfloat16", 2, bfloat},
                                                   {"int64", 8, number<std::int64_t>},
                                                   {"int32", 4, number<std::int32_t>},
                                                   {"int16", 2, number<std::int16_t>},
                                                   {"int8", 1, number<std::int8_t>},
                                                   {"uint64", 8, number<std::uint64_t>},
                                                   {"uint32", 4, number<std::uint32_t>},
                                                   {"uint16", 2, number<std::uint16_t>},
                                                   {"uint8", 1, number<std::uint8_t>},
                                                   {"boolean", 1, number<std::uint8_t>}}};

} // namespace

const ScalarType* scalar_type(std::string_view name) {
    const auto* const found = std::find_if(kScalarTypes.begin(), kScalarTypes.end(),
                                           [&](const ScalarType& t) { return t.name == name; });
    return found == kScalarTypes.end() ? nullptr : found;
}

DenseArray dense_array(const ScalarType& type, const char* bytes, const hdf5::Shape& shape,
                       ByteOrder order) {
    DenseArray array{shape, {}, std::string(type.name)};
    array.values.resize(static_cast<std::size_t>(hdf5::element_count(shape, "")));
    for (std::size_t i = 0; i < array.values.size(); ++i)
        array.values[i] = type.read(bytes + i * type.bytes, order);
    return array;
}

DenseArray dense_array(const hdf5::Dataset& dataset) {
    return {dataset.shape(), dataset.read<double>(), dataset.type_text()};
}

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
        value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
    return value;
}

} // namespace assay::formats
