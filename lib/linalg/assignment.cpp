#include <assay/linalg/assignment.hpp>

#include <assay/core/error.hpp>

#include <limits>
#include <utility>

namespace assay::linalg {
namespace {

constexpr Index kNone = -1;

// Rows are added one by one; each is joined by a shortest path in reduced costs
// (Dijkstra), along which earlier pairs exchange their columns. At most as many rows as columns.
class ShortestPaths {
  public:
    // `transposed`: the cost of row i and column j stands in column i, row j (contiguous rows).
    explicit ShortestPaths(const Matrix& transposed)
        : cost_(transposed), row_potential_(Vector::Zero(transposed.cols())),
          column_potential_(Vector::Zero(transposed.rows())),
          row_of_(static_cast<std::size_t>(transposed.rows()), kNone),
          before_(static_cast<std::size_t>(transposed.rows()), kNone) {}

    void add(Index row) {
        distance_ =
            Vector::Constant(column_potential_.size(), std::numeric_limits<double>::infinity());
        scanned_.assign(row_of_.size(), false);
        Index column = kNone;
        double reached = 0;
        for (Index from = row; from != kNone; from = row_of_[at(column)]) {
            relax(from, column, reached);
            column = nearest();
            reached = distance_(column);
            scanned_[at(column)] = true;
        }
        update_potentials(row, reached);
        augment(row, column);
    }
    [[nodiscard]] const std::vector<Index>& row_of_column() const { return row_of_; }

  private:
    static std::size_t at(Index index) { return static_cast<std::size_t>(index); }

    void relax(Index from, Index through, double reached) {
        const auto costs = cost_.col(from);
        for (Index j = 0; j < distance_.size(); ++j) {
            if (scanned_[at(j)]) continue;
            const double length = reached + costs(j) - row_potential_(from) - column_potential_(j);
            if (length < distance_(j)) {
                distance_(j) = length;
                before_[at(j)] = through;
            }
        }
    }
    [[nodiscard]] Index nearest() const {
        Index best = kNone;
        for (Index j = 0; j < distance_.size(); ++j) {
            if (scanned_[at(j)]) continue;
            // Among equals a free column ends the path at once.
            if (best == kNone || distance_(j) < distance_(best) ||
                (distance_(j) == distance_(best) && row_of_[at(j)] == kNone &&
                 row_of_[at(best)] != kNone))
                best = j;
        }
        return best;
    }
    void update_potentials(Index row, double reached) {
        row_potential_(row) += reached;
        for (Index j = 0; j < distance_.size(); ++j) {
            if (!scanned_[at(j)] || row_of_[at(j)] == kNone) continue;
            row_potential_(row_of_[at(j)]) += reached - distance_(j);
            column_potential_(j) -= reached - distance_(j);
        }
    }
    void augment(Index row, Index column) {
        while (column != kNone) {
            const Index previous = before_[at(column)];
            row_of_[at(column)] = previous == kNone ? row : row_of_[at(previous)];
            column = previous;
        }
    }

    const Matrix& cost_;
    Vector row_potential_, column_potential_, distance_;
    std::vector<Index> row_of_, before_; // of each column: its row, and the column before on a path
    std::vector<bool> scanned_;
};

} // namespace

Assignment assign(const Matrix& cost) {
    if (!cost.allFinite()) throw Error("assignment: the costs are not finite");
    const bool transposed = cost.rows() > cost.cols();
    const Matrix by_row = transposed ? cost : Matrix(cost.transpose());
    ShortestPaths paths(by_row);
    for (Index row = 0; row < by_row.cols(); ++row) paths.add(row);
    Assignment found;
    found.column.assign(static_cast<std::size_t>(cost.rows()), kNone);
    for (std::size_t j = 0; j < paths.row_of_column().size(); ++j) {
        Index row = paths.row_of_column()[j], column = static_cast<Index>(j);
        if (row == kNone) continue;
        if (transposed) std::swap(row, column);
        found.column[static_cast<std::size_t>(row)] = column;
    }
    for (Index i = 0; i < cost.rows(); ++i)
        if (found.column[static_cast<std::size_t>(i)] != kNone)
            found.cost += cost(i, found.column[static_cast<std::size_t>(i)]);
    return found;
}

} // namespace assay::linalg
