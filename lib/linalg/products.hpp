// Products of dense matrices in register tiles over the platform's vectors, where Eigen's leave a
// third of a recent core unused, and with rows that stand anywhere in memory: what convolutions
// come to where the patches of an image are shifted views of it. Every number is one chain of
// multiplications and additions in ascending order, fused where the platform has it, so that its
// bits depend on no blocking, nor on how rows and columns are shared out into parts that `multiply`
// does not call thin.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>

namespace assay::linalg {

template <class S>
using RowMajor = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Element (i, j) stands at data[i * row_step + j * column_step].
template <class S>
struct Strided {
    const S* data;
    Eigen::Index row_step, column_step;
};
template <class S>
[[nodiscard]] Strided<S> plain(const S* data, Eigen::Index columns) {
    return {data, columns, 1};
}
template <class S>
[[nodiscard]] Strided<S> transposed(const S* data, Eigen::Index columns) {
    return {data, 1, columns};
}

enum class Target { set, add };

// c = a b or c += a b: a (m x k), b (k x n), each with one step of 1; c (m x n) with rows c_step
// apart. Products with m or n below 8, or n below half a vector, are made in other ways, some by
// Eigen, some as sums that are added to c in the end: their bits may be others. Large ones run on
// the threads allowed (core/allowed_threads.hpp), to the same bits.
template <class S>
ASSAY_API void multiply(Eigen::Index m, Eigen::Index n, Eigen::Index k, Strided<S> a, Strided<S> b,
                        Target target, S* c, Eigen::Index c_step);

// A number of columns, up to the next multiple of a vector.
template <class S>
[[nodiscard]] ASSAY_API Eigen::Index whole_vectors(Eigen::Index count);

// Element (i, j) stands at data[rows[i] + columns[j]].
template <class S>
struct Placed {
    const S* data;
    const Eigen::Index *rows, *columns;
};
// c = a b or c += a b: a (m x k), b (k x n) with rows b_step apart, c (m x n) with rows c_step
// apart. Rows of b and c are as long as whole_vectors(n).
template <class S>
ASSAY_API void placed_product(Eigen::Index m, Eigen::Index n, Eigen::Index k, Placed<S> a,
                              const S* b, Eigen::Index b_step, Target target, S* c,
                              Eigen::Index c_step);

// to = from^T or to += from^T: from (m x n) with rows from_step apart, to (n x m) with rows to_step
// apart.
template <class S>
ASSAY_API void transpose(Eigen::Index m, Eigen::Index n, const S* from, Eigen::Index from_step,
                         Target target, S* to, Eigen::Index to_step);

// Rows by pointer are read and written up to the next multiple of this many numbers.
inline constexpr Eigen::Index kRowPadding = 16;
[[nodiscard]] inline Eigen::Index padded(Eigen::Index count) {
    return (count + kRowPadding - 1) / kRowPadding * kRowPadding;
}

// c = a b: a (m x k, row-major), b: k pointers to rows of n numbers, c (m x n) with rows c_step
// apart. Rows of b and c are as long as padded(n).
template <class S>
ASSAY_API void row_pointer_product(Eigen::Index m, Eigen::Index n, Eigen::Index k, const S* a,
                                   const S* const* b, S* c, Eigen::Index c_step);

// Rows that stand in several parts.
struct RowParts {
    Eigen::Index count = 1, length = 0; // of a part: a multiple of kRowPadding
};
// d += x y^T: d (m x k, row-major), x: m rows x_row apart, y: k pointers to rows; parts of x are
// x_part apart, those of y y_part. Here each number is a sum over the places of a vector.
template <class S>
ASSAY_API void add_row_dots(Eigen::Index m, Eigen::Index k, RowParts parts, const S* x,
                            Eigen::Index x_row, Eigen::Index x_part, const S* const* y,
                            Eigen::Index y_part, S* d);

} // namespace assay::linalg
