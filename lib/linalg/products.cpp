// Vector types carry attributes that do not count in a template's name, and g++ 12 takes the
// undefined operands of its own intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wignored-attributes"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <assay/linalg/products.hpp>

#include <assay/core/allowed_threads.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace assay::linalg {
namespace {

using Eigen::Index;

template <class S>
using Packet = typename Eigen::internal::packet_traits<S>::type;
template <class S>
constexpr Index kWidth = Eigen::internal::unpacket_traits<Packet<S>>::size;

// Tiles that leave registers for their operands.
constexpr bool kManyRegisters = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
constexpr int kTileRows = kManyRegisters ? 8 : 4;
constexpr int kTileVectors = 3;
constexpr int kDotRows = kManyRegisters ? 4 : 3;
constexpr int kDotColumns = kManyRegisters ? 6 : 4;
// Steps of a chain between two visits of its result, and numbers of a that share a panel of b: so
// much of a and b stays in the second-level cache.
constexpr Index kPanelSteps = 512;
constexpr Index kPanelNumbers = 1 << 17;
// Fewer rows or columns make no tile worth copying for.
constexpr Index kFew = 8;

// Calls body(integral_constant<int, value>) for 1 <= value <= kMost; larger values count as kMost.
template <int kMost, class Body>
void with_constant(Index value, Body&& body) {
    if constexpr (kMost > 1) {
        if (value < kMost) return with_constant<kMost - 1>(value, std::forward<Body>(body));
    }
    body(std::integral_constant<int, kMost>{});
}

// Row p of b, from the tile's first column on.
template <class S>
struct PointedRows {
    const S* const* rows;
    Index column;
    [[nodiscard]] const S* operator()(Index p) const { return rows[p] + column; }
};
template <class S>
struct PanelRows {
    const S* data;
    Index step;
    [[nodiscard]] const S* operator()(Index p) const { return data + p * step; }
};

// Element (r, p) of a, from the tile's first row on.
template <class S>
struct StridedRows {
    Strided<S> a;
    template <int kRows>
    [[nodiscard]] StridedRows tile() const {
        return *this;
    }
    [[nodiscard]] S operator()(Index r, Index p) const {
        return a.data[r * a.row_step + p * a.column_step];
    }
};
template <class S>
struct PlacedRows {
    Placed<S> a;
    template <int kRows>
    struct Tile {
        const S* rows[kRows];
        const Index* columns;
        [[nodiscard]] S operator()(Index r, Index p) const { return rows[r][columns[p]]; }
    };
    template <int kRows>
    [[nodiscard]] Tile<kRows> tile() const {
        Tile<kRows> made{{}, a.columns};
        for (int r = 0; r < kRows; ++r) made.rows[r] = a.data + a.rows[r];
        return made;
    }
};

// kRows x kVectors packets of c (+)= a b over k steps.
template <int kRows, int kVectors, class S, class A, class B>
void product_tile(Index k, A rows_of_a, B b, Target target, S* c, Index c_step) {
    using namespace Eigen::internal;
    Packet<S> sum[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v)
            sum[r][v] = target == Target::add ? ploadu<Packet<S>>(c + r * c_step + v * kWidth<S>)
                                              : pset1<Packet<S>>(S(0));
    const auto a = rows_of_a.template tile<kRows>();
    for (Index p = 0; p < k; ++p) {
        const S* const row = b(p);
        Packet<S> x[kVectors];
        for (int v = 0; v < kVectors; ++v) x[v] = ploadu<Packet<S>>(row + v * kWidth<S>);
        for (int r = 0; r < kRows; ++r) {
            const Packet<S> factor = pset1<Packet<S>>(a(r, p));
            for (int v = 0; v < kVectors; ++v) sum[r][v] = pmadd(factor, x[v], sum[r][v]);
        }
    }
    for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) pstoreu(c + r * c_step + v * kWidth<S>, sum[r][v]);
}

template <class S, class A, class B>
void product_tile(Index rows, Index vectors, Index k, A a, B b, Target target, S* c, Index c_step) {
    with_constant<kTileVectors>(vectors, [&](auto v) {
        with_constant<kTileRows>(
            rows, [&](auto r) { product_tile<r(), v()>(k, a, b, target, c, c_step); });
    });
}

// `steps` x `columns` of b into rows of `width`, zeros behind.
template <class S>
void pack(Strided<S> b, Index steps, Index columns, Index width, S* to) {
    using namespace Eigen::internal;
    constexpr Index kSide = kWidth<S>;
    if (b.column_step == 1) {
        const Index whole = columns / kSide * kSide;
        for (Index p = 0; p < steps; ++p) {
            const S* const from = b.data + p * b.row_step;
            S* const row = to + p * width;
            for (Index i = 0; i < whole; i += kSide) pstoreu(row + i, ploadu<Packet<S>>(from + i));
            for (Index i = whole; i < width; ++i) row[i] = i < columns ? from[i] : S(0);
        }
        return;
    }
    for (Index column = 0; column < width; column += kSide) {
        Index p = 0;
        for (; column + kSide <= columns && p + kSide <= steps; p += kSide) {
            PacketBlock<Packet<S>, kSide> block;
            for (Index i = 0; i < kSide; ++i)
                block.packet[i] =
                    ploadu<Packet<S>>(b.data + p * b.row_step + (column + i) * b.column_step);
            ptranspose(block);
            for (Index i = 0; i < kSide; ++i)
                pstoreu(to + (p + i) * width + column, block.packet[i]);
        }
        for (; p < steps; ++p)
            for (Index i = column; i < column + kSide; ++i)
                to[p * width + i] = i < columns ? b.data[p * b.row_step + i * b.column_step] : S(0);
    }
}

// kRows x kColumns dot products.
template <int kRows, int kColumns, class S>
void dot_tile(RowParts parts, const S* x, Index x_row, Index x_part, const S* const* y,
              Index y_part, S* d, Index d_step) {
    using namespace Eigen::internal;
    Packet<S> sum[kRows][kColumns];
    for (int r = 0; r < kRows; ++r)
        for (int j = 0; j < kColumns; ++j) sum[r][j] = pset1<Packet<S>>(S(0));
    for (Index part = 0; part < parts.count; ++part) {
        const S* const left = x + part * x_part;
        const S* right[kColumns];
        for (int j = 0; j < kColumns; ++j) right[j] = y[j] + part * y_part;
        for (Index i = 0; i < parts.length; i += kWidth<S>) {
            Packet<S> of_x[kRows];
            for (int r = 0; r < kRows; ++r) of_x[r] = ploadu<Packet<S>>(left + r * x_row + i);
            for (int j = 0; j < kColumns; ++j) {
                const Packet<S> of_y = ploadu<Packet<S>>(right[j] + i);
                for (int r = 0; r < kRows; ++r) sum[r][j] = pmadd(of_x[r], of_y, sum[r][j]);
            }
        }
    }
    for (int r = 0; r < kRows; ++r)
        for (int j = 0; j < kColumns; ++j) d[r * d_step + j] += predux(sum[r][j]);
}

// Calls body(matrix) with a row-major or a column-major view, whose steps Eigen's products know.
template <class S, class Body>
void with_view(Strided<S> a, Index rows, Index columns, Body&& body) {
    using Step = Eigen::OuterStride<>;
    if (a.column_step == 1)
        body(Eigen::Map<const RowMajor<S>, 0, Step>(a.data, rows, columns, Step(a.row_step)));
    else
        body(Eigen::Map<const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic>, 0, Step>(
            a.data, rows, columns, Step(a.column_step)));
}

template <class S>
void multiply_thin(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target, S* c,
                   Index c_step) {
    using Step = Eigen::OuterStride<>;
    Eigen::Map<RowMajor<S>, 0, Step> to(c, m, n, Step(c_step));
    with_view(a, m, k, [&](const auto& left) {
        with_view(b, k, n, [&](const auto& right) {
            if (target == Target::set)
                to.noalias() = left * right;
            else
                to.noalias() += left * right;
        });
    });
}

template <class S>
Strided<S> transpose_of(Strided<S> a) {
    return {a.data, a.column_step, a.row_step};
}

template <class S>
Strided<S> part_of(Strided<S> a, Index row, Index column) {
    a.data += row * a.row_step + column * a.column_step;
    return a;
}

// Few rows: to copy b would cost more than the product. Whole vectors of columns first.
template <class S>
void multiply_few_rows(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target, S* c,
                       Index c_step) {
    const Index whole = n / kWidth<S> * kWidth<S>;
    for (Index step = 0; step < k; step += kPanelSteps)
        for (Index column = 0; column < whole; column += kTileVectors * kWidth<S>)
            for (Index row = 0; row < m; row += kTileRows) {
                const Strided<S> part = part_of(b, step, column);
                product_tile(m - row, (whole - column) / kWidth<S>, std::min(kPanelSteps, k - step),
                             StridedRows<S>{part_of(a, row, step)},
                             PanelRows<S>{part.data, part.row_step},
                             step > 0 ? Target::add : target, c + row * c_step + column, c_step);
            }
    if (whole < n)
        multiply_thin(m, n - whole, k, a, part_of(b, Index{0}, whole), target, c + whole, c_step);
}

// Few columns: the transposed product has few rows.
template <class S>
void multiply_few_columns(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target,
                          S* c, Index c_step) {
    thread_local std::vector<S> turned;
    turned.resize(static_cast<std::size_t>(n * m));
    multiply_few_rows(n, m, k, transpose_of(b), transpose_of(a), Target::set, turned.data(), m);
    using Step = Eigen::OuterStride<>;
    Eigen::Map<RowMajor<S>, 0, Step> to(c, m, n, Step(c_step));
    const Eigen::Map<const RowMajor<S>> from(turned.data(), n, m);
    if (target == Target::set)
        to = from.transpose();
    else
        to += from.transpose();
}

// Panels of b, one after the other, meet all rows of a.
template <class S>
void multiply_part(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target, S* c,
                   Index c_step) {
    constexpr Index kMostColumns = kTileVectors * kWidth<S>;
    thread_local std::vector<S> panel;
    panel.resize(static_cast<std::size_t>(kPanelSteps * kMostColumns));
    alignas(64) S edge[kTileRows * kMostColumns] = {};
    for (Index column = 0; column < n; column += kMostColumns) {
        const Index columns = std::min(kMostColumns, n - column);
        const Index vectors = (columns + kWidth<S> - 1) / kWidth<S>, width = vectors * kWidth<S>;
        pack(part_of(b, Index{0}, column), k, columns, width, panel.data());
        const PanelRows<S> rows_of_b{panel.data(), width};
        for (Index row = 0; row < m; row += kTileRows) {
            const Index rows = std::min<Index>(kTileRows, m - row);
            const StridedRows<S> rows_of_a{part_of(a, row, Index{0})};
            S* const to = c + row * c_step + column;
            if (columns == width) {
                product_tile(rows, vectors, k, rows_of_a, rows_of_b, target, to, c_step);
                continue;
            }
            // What would reach beyond the rows of c is made beside them.
            for (Index r = 0; target == Target::add && r < rows; ++r)
                std::copy_n(to + r * c_step, columns, edge + r * width);
            product_tile(rows, vectors, k, rows_of_a, rows_of_b, target, edge, width);
            for (Index r = 0; r < rows; ++r)
                std::copy_n(edge + r * width, columns, to + r * c_step);
        }
    }
}

template <class S>
void multiply_panels(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target, S* c,
                     Index c_step) {
    const Index rows = kPanelNumbers / std::clamp<Index>(k, 128, kPanelSteps);
    for (Index step = 0; step < k; step += kPanelSteps)
        for (Index row = 0; row < m; row += rows)
            multiply_part(std::min(rows, m - row), n, std::min(kPanelSteps, k - step),
                          part_of(a, row, step), part_of(b, step, Index{0}),
                          step > 0 ? Target::add : target, c + row * c_step, c_step);
}

} // namespace

template <class S>
void multiply(Index m, Index n, Index k, Strided<S> a, Strided<S> b, Target target, S* c,
              Index c_step) {
    if (k > 0 && m < kFew && n >= kWidth<S> && b.column_step == 1)
        return multiply_few_rows(m, n, k, a, b, target, c, c_step);
    if (k > 0 && n < kFew && m >= kWidth<S> && a.row_step == 1)
        return multiply_few_columns(m, n, k, a, b, target, c, c_step);
    if (m < kFew || 2 * n < kWidth<S>) return multiply_thin(m, n, k, a, b, target, c, c_step);
    if (k == 0 && target == Target::set)
        for (Index row = 0; row < m; ++row) std::fill_n(c + row * c_step, n, S(0));
    const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    // Wide parts of whole vectors, one a thread.
    const Index vectors = whole_vectors<S>(n) / kWidth<S>;
    const Index parts = std::min<Index>(vectors, allowed_threads());
    share_out(parts, work / kProductsANumber, [&](Index part, Index count) {
        const Index first = part * vectors / parts * kWidth<S>;
        const Index end = std::min(n, (part + count) * vectors / parts * kWidth<S>);
        multiply_panels(m, end - first, k, a, part_of(b, Index{0}, first), target, c + first,
                        c_step);
    });
}

template <class S>
Index whole_vectors(Index count) {
    return (count + kWidth<S> - 1) / kWidth<S> * kWidth<S>;
}

template <class S>
void placed_product(Index m, Index n, Index k, Placed<S> a, const S* b, Index b_step, Target target,
                    S* c, Index c_step) {
    const Index vectors = whole_vectors<S>(n) / kWidth<S>;
    if (k == 0 && target == Target::set)
        for (Index row = 0; row < m; ++row) std::fill_n(c + row * c_step, n, S(0));
    const Index groups = (vectors + kTileVectors - 1) / kTileVectors;
    const Index together = (vectors + groups - 1) / std::max<Index>(1, groups);
    for (Index step = 0; step < k; step += kPanelSteps)
        for (Index v = 0; v < vectors; v += together) {
            const Index column = v * kWidth<S>;
            for (Index row = 0; row < m; row += kTileRows)
                product_tile(m - row, std::min(together, vectors - v),
                             std::min(kPanelSteps, k - step),
                             PlacedRows<S>{{a.data, a.rows + row, a.columns + step}},
                             PanelRows<S>{b + step * b_step + column, b_step},
                             step > 0 ? Target::add : target, c + row * c_step + column, c_step);
        }
}

template <class S>
void transpose(Index m, Index n, const S* from, Index from_step, Target target, S* to,
               Index to_step) {
    using namespace Eigen::internal;
    constexpr Index kSide = kWidth<S>;
    const auto put = [&](Index i, Index j) {
        S& number = to[j * to_step + i];
        number = (target == Target::add ? number : S(0)) + from[i * from_step + j];
    };
    Index row = 0;
    for (; row + kSide <= m; row += kSide) {
        Index column = 0;
        for (; column + kSide <= n; column += kSide) {
            PacketBlock<Packet<S>, kSide> block;
            for (Index i = 0; i < kSide; ++i)
                block.packet[i] = ploadu<Packet<S>>(from + (row + i) * from_step + column);
            ptranspose(block);
            for (Index i = 0; i < kSide; ++i) {
                S* const at = to + (column + i) * to_step + row;
                pstoreu(at, target == Target::add ? padd(ploadu<Packet<S>>(at), block.packet[i])
                                                  : block.packet[i]);
            }
        }
        for (; column < n; ++column)
            for (Index i = row; i < row + kSide; ++i) put(i, column);
    }
    for (; row < m; ++row)
        for (Index column = 0; column < n; ++column) put(row, column);
}

template <class S>
void row_pointer_product(Index m, Index n, Index k, const S* a, const S* const* b, S* c,
                         Index c_step) {
    const Index packets = padded(n) / kWidth<S>;
    // The rows of b under a tile stay in the cache while all rows of a pass over them.
    for (Index packet = 0; packet < packets; packet += kTileVectors)
        for (Index row = 0; row < m; row += kTileRows)
            product_tile(m - row, packets - packet, k, StridedRows<S>{{a + row * k, k, 1}},
                         PointedRows<S>{b, packet * kWidth<S>}, Target::set,
                         c + row * c_step + packet * kWidth<S>, c_step);
}

template <class S>
void add_row_dots(Index m, Index k, RowParts parts, const S* x, Index x_row, Index x_part,
                  const S* const* y, Index y_part, S* d) {
    for (Index row = 0; row < m; row += kDotRows)
        with_constant<kDotRows>(m - row, [&](auto rows) {
            for (Index column = 0; column < k; column += kDotColumns)
                with_constant<kDotColumns>(k - column, [&](auto columns) {
                    dot_tile<rows(), columns()>(parts, x + row * x_row, x_row, x_part, y + column,
                                                y_part, d + row * k + column, k);
                });
        });
}

#define ASSAY_INSTANTIATE(S)                                                                       \
    template ASSAY_API void multiply(Index, Index, Index, Strided<S>, Strided<S>, Target, S*,      \
                                     Index);                                                       \
    template ASSAY_API void row_pointer_product(Index, Index, Index, const S*, const S* const*,    \
                                                S*, Index);                                        \
    template ASSAY_API Index whole_vectors<S>(Index);                                              \
    template ASSAY_API void placed_product(Index, Index, Index, Placed<S>, const S*, Index,        \
                                           Target, S*, Index);                                     \
    template ASSAY_API void transpose(Index, Index, const S*, Index, Target, S*, Index);           \
    template ASSAY_API void add_row_dots(Index, Index, RowParts, const S*, Index, Index,           \
                                         const S* const*, Index, S*);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
#undef ASSAY_INSTANTIATE

} // namespace assay::linalg
