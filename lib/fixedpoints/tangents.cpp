#include <assay/fixedpoints/tangents.hpp>

#include <assay/core/error.hpp>

namespace assay::fixedpoints {
namespace {

// Every row `times` times, one after another.
RowMatrix repeated(const RowMatrix& rows, Index times) {
    RowMatrix result(rows.rows() * times, rows.cols());
    for (Index i = 0; i < rows.rows(); ++i)
        result.middleRows(i * times, times).rowwise() = rows.row(i);
    return result;
}

} // namespace

TangentStep tangent_step(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& h,
                         const RowMatrix& directions) {
    if (h.rows() == 0 || directions.rows() % h.rows() != 0)
        throw Error(concat(directions.rows(), " directions do not belong to ", h.rows(),
                           " states in equal numbers"));
    const Index times = directions.rows() / h.rows();
    TangentStep result{dynamics.step(x, h), RowMatrix(directions.rows(), directions.cols())};
    const RowMatrix at = repeated(h, times), next = repeated(result.state, times);
    RowMatrix seen = x.rows() == 1 ? x : repeated(x, times), seen_direction;
    for (std::size_t l = 0; l < dynamics.cells().size(); ++l) {
        const Cell& cell = dynamics.cells()[l];
        const Index first = dynamics.offset(l), size = cell.state_size();
        const RowMatrix moved = cell.tangent(seen, at.middleCols(first, size), seen_direction,
                                             directions.middleCols(first, size));
        result.directions.middleCols(first, size) = moved;
        if (l + 1 == dynamics.cells().size()) break;
        // The layer above sees the new state of this one.
        const RowMatrix own = next.middleCols(first, size);
        seen = cell.output(own);
        seen_direction = cell.output_slopes(own).cwiseProduct(moved.leftCols(cell.units()));
    }
    return result;
}

} // namespace assay::fixedpoints
