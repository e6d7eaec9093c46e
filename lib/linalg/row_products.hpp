// Innermost loops for products of a large array, read once and never copied, with few columns:
// eight rows of data with small matrices. For kernels; others take narrow_product.hpp. Vectors are
// those of the instruction set that the library is compiled for; rows are read to the end of
// their last vector, beyond the row's end, where the small matrices are padded with zeros (or the
// result is not used).
#pragma once

#include <Eigen/Core>

#include <array>
#include <cstring>

namespace assay::linalg::row_products {

using Eigen::Index;

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kTileColumns = 6; // accumulators of a tile: 4 rows x so many columns
inline constexpr int kTileVectors = 2; // vectors of a row held at once
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kTileColumns = 2;
inline constexpr int kTileVectors = 1;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kTileColumns = 2;
inline constexpr int kTileVectors = 1;
#endif

inline constexpr int kRows = 8;

template <class Scalar>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(Scalar));

template <class Scalar, int lanes>
struct VectorOf {
    typedef Scalar type __attribute__((vector_size(lanes * sizeof(Scalar)))); // NOLINT
};
template <class Scalar, int lanes = kLanes<Scalar>>
using Vector = typename VectorOf<Scalar, lanes>::type;

template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar> load(const Scalar* from) {
    Vector<Scalar> vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

template <class Scalar>
[[gnu::always_inline]] inline void store(Scalar* to, const Vector<Scalar>& vector) {
    std::memcpy(to, &vector, sizeof vector);
}

// The sum of the upper and the lower half.
template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar, 8> halved(const Vector<Scalar, 16>& a) {
    return __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
}
template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar, 4> halved(const Vector<Scalar, 8>& a) {
    return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
}
template <class Scalar, int lanes>
[[gnu::always_inline]] inline Vector<Scalar, 4> folded(const Vector<Scalar, lanes>& a) {
    if constexpr (lanes == 16)
        return halved<Scalar>(halved<Scalar>(a));
    else if constexpr (lanes == 8)
        return halved<Scalar>(a);
    else
        return a;
}

// The sums of the lanes of four vectors.
template <class Scalar>
[[gnu::always_inline]] inline std::array<Scalar, 4>
lane_sums(const Vector<Scalar>& a, const Vector<Scalar>& b, const Vector<Scalar>& c,
          const Vector<Scalar>& d) {
    constexpr int lanes = kLanes<Scalar>;
    if constexpr (lanes == 2) {
        return {a[0] + a[1], b[0] + b[1], c[0] + c[1], d[0] + d[1]};
    } else {
        const auto p = folded<Scalar, lanes>(a), q = folded<Scalar, lanes>(b),
                   s = folded<Scalar, lanes>(c), t = folded<Scalar, lanes>(d);
        const auto pq =
            __builtin_shufflevector(p, q, 0, 4, 2, 6) + __builtin_shufflevector(p, q, 1, 5, 3, 7);
        const auto st =
            __builtin_shufflevector(s, t, 0, 4, 2, 6) + __builtin_shufflevector(s, t, 1, 5, 3, 7);
        const auto total = __builtin_shufflevector(pq, st, 0, 1, 4, 5) +
                           __builtin_shufflevector(pq, st, 2, 3, 6, 7);
        std::array<Scalar, 4> sums;
        std::memcpy(sums.data(), &total, sizeof total);
        return sums;
    }
}

// Eight rows of data from one column on.
template <class Scalar>
struct Rows {
    const Scalar* data;
    Index stride;  // from row to row
    Index vectors; // of a row
};

// t[c * t_stride + row] (+)= sum_j rows[row][j] k[c * k_stride + j] for four rows and `columns` c.
// The first tile to see these rows asks for the four after them.
template <class Scalar, int columns, bool first, class Target>
inline void tile(const Rows<Scalar>& rows, const Scalar* k, Index k_stride, Target* t,
                 Index t_stride, bool add) {
    Vector<Scalar> sums[columns][4] = {};
    for (Index v = 0; v < rows.vectors; ++v) {
        const Scalar* at = rows.data + v * kLanes<Scalar>;
        if constexpr (first)
            for (int row = 4; row < 8; ++row) __builtin_prefetch(at + row * rows.stride);
        const auto y0 = load(at), y1 = load(at + rows.stride), y2 = load(at + 2 * rows.stride),
                   y3 = load(at + 3 * rows.stride);
#pragma GCC unroll 8
        for (int c = 0; c < columns; ++c) {
            const auto factor = load(k + c * k_stride + v * kLanes<Scalar>);
            sums[c][0] += y0 * factor;
            sums[c][1] += y1 * factor;
            sums[c][2] += y2 * factor;
            sums[c][3] += y3 * factor;
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < columns; ++c) {
        const auto total = lane_sums<Scalar>(sums[c][0], sums[c][1], sums[c][2], sums[c][3]);
        Target* to = t + c * t_stride;
        if (add)
            for (std::size_t row = 0; row < 4; ++row) to[row] += static_cast<Target>(total[row]);
        else
            for (std::size_t row = 0; row < 4; ++row) to[row] = static_cast<Target>(total[row]);
    }
}

template <class Scalar, bool first, class... Arguments>
inline void tile_of(Index columns, const Arguments&... arguments) {
    switch (columns) {
    case 1:
        return tile<Scalar, 1, first>(arguments...);
    case 2:
        return tile<Scalar, 2, first>(arguments...);
    case 3:
        return tile<Scalar, 3, first>(arguments...);
    case 4:
        return tile<Scalar, 4, first>(arguments...);
    case 5:
        return tile<Scalar, 5, first>(arguments...);
    default:
        return tile<Scalar, 6, first>(arguments...);
    }
}

// The same for eight rows and any number of columns.
template <class Scalar, class Target>
inline void times_right(const Rows<Scalar>& rows, const Scalar* k, Index k_stride, Index columns,
                        Target* t, Index t_stride, bool add) {
    const Index tiles = (columns + kTileColumns - 1) / kTileColumns;
    for (Index i = 0, c = 0; i < tiles; ++i) {
        const Index width = (columns - c + tiles - i - 1) / (tiles - i); // as equal as can be
        for (Index half = 0; half < kRows; half += 4) {
            const Rows<Scalar> four{rows.data + half * rows.stride, rows.stride, rows.vectors};
            const Scalar* from = k + c * k_stride;
            Target* to = t + c * t_stride + half;
            if (c == 0)
                tile_of<Scalar, true>(width, four, from, k_stride, to, t_stride, add);
            else
                tile_of<Scalar, false>(width, four, from, k_stride, to, t_stride, add);
        }
        c += width;
    }
}

// u[c * u_stride + j] += sum_row rows[row][j] k[c * 8 + row] over `vectors` vectors from `first`
// on.
template <class Scalar, int vectors, bool ahead>
inline void times_left_vectors(const Rows<Scalar>& rows, Index first, const Scalar* k,
                               Index columns, Scalar* u, Index u_stride) {
    Vector<Scalar> y[kRows][vectors];
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v)
            y[row][v] = load(rows.data + row * rows.stride + (first + v) * kLanes<Scalar>);
    // The eight rows after these, which come next where rows are all of the data's.
    if constexpr (ahead)
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v)
                __builtin_prefetch(rows.data + (row + kRows) * rows.stride +
                                   (first + v) * kLanes<Scalar>);
    Scalar* to = u + first * kLanes<Scalar>;
    for (Index c = 0; c < columns; ++c) {
        Vector<Scalar> sums[vectors];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[v] = load(to + c * u_stride + v * kLanes<Scalar>);
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) sums[v] += y[row][v] * k[c * kRows + row];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) store(to + c * u_stride + v * kLanes<Scalar>, sums[v]);
    }
}

// `ahead`: asks for the next eight rows, which nothing else has asked for.
template <class Scalar, bool ahead = false>
inline void times_left(const Rows<Scalar>& rows, const Scalar* k, Index columns, Scalar* u,
                       Index u_stride) {
    Index v = 0;
    for (; v + kTileVectors <= rows.vectors; v += kTileVectors)
        times_left_vectors<Scalar, kTileVectors, ahead>(rows, v, k, columns, u, u_stride);
    for (; v < rows.vectors; ++v)
        times_left_vectors<Scalar, 1, ahead>(rows, v, k, columns, u, u_stride);
}

} // namespace assay::linalg::row_products
