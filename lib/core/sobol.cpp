#include <assay/core/sobol.hpp>

#include <assay/core/error.hpp>

#include <array>

namespace assay {
namespace {

constexpr std::size_t kBits = 32;

// A primitive polynomial over GF(2), its coefficients as bits, and the first odd numbers m_1 ...
// m_degree of its recurrence.
struct Primitive {
    std::uint32_t polynomial;
    std::array<std::uint32_t, 8> first;
};

// Dimensions 2, 3, ...; the first dimension has m = 1 throughout.
constexpr std::array<Primitive, kSobolDimensions - 1> kPrimitives{{
    {3, {1}},
    {7, {1, 3}},
    {11, {1, 3, 1}},
    {13, {1, 1, 1}},
    {19, {1, 1, 3, 3}},
    {25, {1, 3, 5, 13}},
    {37, {1, 1, 5, 5, 17}},
    {41, {1, 1, 5, 5, 5}},
    {47, {1, 1, 7, 11, 19}},
    {55, {1, 1, 5, 1, 1}},
    {59, {1, 1, 1, 3, 11}},
    {61, {1, 3, 5, 5, 31}},
    {67, {1, 3, 3, 9, 7, 49}},
    {91, {1, 1, 1, 15, 21, 21}},
    {97, {1, 3, 1, 13, 27, 49}},
    {103, {1, 1, 1, 15, 7, 5}},
    {109, {1, 3, 1, 15, 13, 25}},
    {115, {1, 1, 5, 5, 19, 61}},
    {131, {1, 3, 7, 11, 23, 15, 103}},
    {137, {1, 3, 7, 13, 13, 15, 69}},
    {143, {1, 1, 3, 13, 7, 35, 63}},
    {145, {1, 3, 5, 9, 1, 25, 53}},
    {157, {1, 3, 1, 13, 9, 35, 107}},
    {167, {1, 3, 1, 5, 27, 61, 31}},
    {171, {1, 1, 5, 11, 19, 41, 61}},
    {185, {1, 3, 5, 3, 3, 13, 69}},
    {191, {1, 1, 7, 13, 1, 19, 1}},
    {193, {1, 3, 7, 5, 13, 19, 59}},
    {203, {1, 1, 3, 9, 25, 29, 41}},
    {211, {1, 3, 5, 13, 23, 1, 55}},
    {213, {1, 3, 7, 3, 13, 59, 17}},
    {229, {1, 3, 1, 3, 5, 53, 69}},
    {239, {1, 1, 5, 5, 23, 33, 13}},
    {241, {1, 1, 7, 7, 1, 61, 123}},
    {247, {1, 1, 7, 9, 13, 61, 49}},
    {253, {1, 3, 3, 5, 3, 55, 33}},
    {285, {1, 3, 1, 15, 31, 13, 49, 245}},
    {299, {1, 3, 5, 15, 31, 59, 63, 97}},
    {301, {1, 3, 1, 11, 11, 11, 77, 249}},
}};

using Directions = std::array<std::uint32_t, kBits>;

std::size_t degree_of(std::uint32_t polynomial) {
    std::size_t degree = 0;
    while ((polynomial >> (degree + 1)) != 0) ++degree;
    return degree;
}

Directions first_dimension() {
    Directions v{};
    for (std::size_t i = 0; i < kBits; ++i) v[i] = std::uint32_t{1} << (kBits - 1 - i);
    return v;
}

// v_i = a_1 v_{i-1} + ... + a_{d-1} v_{i-d+1} + v_{i-d} + v_{i-d} / 2^d over GF(2), v_i = m_i /
// 2^i.
Directions directions_of(const Primitive& primitive) {
    const std::size_t degree = degree_of(primitive.polynomial);
    Directions v{};
    for (std::size_t i = 0; i < kBits; ++i) {
        if (i < degree) {
            v[i] = primitive.first[i] << (kBits - 1 - i);
            continue;
        }
        v[i] = v[i - degree] ^ (v[i - degree] >> degree);
        for (std::size_t k = 1; k < degree; ++k)
            if ((primitive.polynomial >> (degree - k) & 1U) != 0) v[i] ^= v[i - k];
    }
    return v;
}

double coordinate(const Directions& v, std::uint32_t gray) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kBits; ++i)
        if ((gray >> i & 1U) != 0) sum ^= v[i];
    return sum * 0x1p-32;
}

} // namespace

std::vector<double> sobol_point(int dimensions, std::uint32_t index) {
    if (dimensions < 1 || dimensions > kSobolDimensions)
        throw Error(concat("Sobol points: found ", dimensions, " dimensions; from 1 to ",
                           kSobolDimensions, " are expected"));
    const std::uint32_t gray = index ^ (index >> 1U);
    std::vector<double> point{coordinate(first_dimension(), gray)};
    for (int d = 1; d < dimensions; ++d)
        point.push_back(
            coordinate(directions_of(kPrimitives[static_cast<std::size_t>(d - 1)]), gray));
    return point;
}

} // namespace assay
