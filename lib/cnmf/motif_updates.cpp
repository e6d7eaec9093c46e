#include <assay/cnmf/updates.hpp>

#include <assay/core/parallel.hpp>
#include <assay/linalg/nnls.hpp>

#include <atomic>

namespace assay::cnmf {
namespace {

constexpr Index kUnitBlock = 64;
constexpr Index kPanel = 32;

// Column order of the sweep: component outer, lag inner.
std::vector<Index> sweep_order(Index components, Index lags) {
    std::vector<Index> order;
    for (Index k = 0; k < components; ++k)
        for (Index l = 0; l < lags; ++l) order.push_back(motif_column(k, l, components, lags));
    return order;
}

// For each lag-descending column of `gram` the diagonal below which its lag counts as never
// observed: a share of the component's largest, so that no result depends on how scale is shared
// between W and H.
Vector smallest_diagonals(const Matrix& gram, Index components) {
    Vector largest = Vector::Zero(components), smallest(gram.rows());
    for (Index j = 0; j < gram.rows(); ++j)
        largest(j % components) = std::max(largest(j % components), gram(j, j));
    for (Index j = 0; j < gram.rows(); ++j) smallest(j) = kZeroDiagonal * largest(j % components);
    return smallest;
}

// One sweep over all columns of a block of units (columns in sweep order); returns the squared
// change.
double sweep_block(Matrix& w, const Matrix& gram, const Matrix& right_side,
                   const Vector& smallest_diagonal) {
    double change = 0;
    Matrix residual;
    Vector step(w.rows());
    for (Index first = 0; first < w.cols(); first += kPanel) {
        const Index width = std::min(kPanel, w.cols() - first);
        // Before a panel: everything outside it and its own old values, as one product.
        residual = right_side.middleCols(first, width);
        residual.noalias() -= w * gram.middleCols(first, width);
        for (Index j = 0; j < width; ++j) {
            const double diagonal = gram(first + j, first + j);
            if (diagonal <= smallest_diagonal(first + j)) continue;
            auto column = w.col(first + j);
            step = (column + residual.col(j) / diagonal).cwiseMax(0.0) - column;
            column += step;
            change += step.squaredNorm();
            const Index left = width - j - 1;
            if (left > 0)
                residual.rightCols(left).noalias() -=
                    step * gram.block(first + j, first + j + 1, 1, left);
        }
    }
    return change;
}

} // namespace

void hals_motifs(Matrix& motifs, const Matrix& gram, const Matrix& right_side, Index components,
                 const InnerSweeps& sweeps, const Execution& run) {
    const auto order = sweep_order(components, motifs.cols() / components);
    const Matrix ordered_gram = gram(order, order);
    const Vector smallest = smallest_diagonals(gram, components)(order);
    const Blocks blocks{motifs.rows(), kUnitBlock};
    std::vector<Matrix> unit_blocks(static_cast<std::size_t>(blocks.count()));
    std::vector<Matrix> right_sides(unit_blocks.size());
    for (Index b = 0; b < blocks.count(); ++b) {
        unit_blocks[static_cast<std::size_t>(b)] =
            motifs.middleRows(blocks.begin(b), blocks.extent(b))(Eigen::all, order);
        right_sides[static_cast<std::size_t>(b)] =
            right_side.middleRows(blocks.begin(b), blocks.extent(b))(Eigen::all, order);
    }
    double first_change = 0;
    for (Index sweep = 0; sweep < sweeps.most; ++sweep) {
        std::vector<double> changes(unit_blocks.size());
        parallel_blocks(blocks.count(), run.threads, [&](Index b) {
            const auto at = static_cast<std::size_t>(b);
            changes[at] = sweep_block(unit_blocks[at], ordered_gram, right_sides[at], smallest);
        });
        const double change = std::sqrt(tree_sum(std::move(changes)));
        if (sweep == 0)
            first_change = change;
        else if (change <= sweeps.enough * first_change)
            break;
    }
    for (Index b = 0; b < blocks.count(); ++b)
        motifs.middleRows(blocks.begin(b), blocks.extent(b))(Eigen::all, order) =
            unit_blocks[static_cast<std::size_t>(b)];
}

void multiply_motifs(Matrix& motifs, const Matrix& gram, const Matrix& product, const Matrix& extra,
                     const Execution& run) {
    const Blocks blocks{motifs.rows(), kUnitBlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index b) {
        auto w = motifs.middleRows(blocks.begin(b), blocks.extent(b));
        Matrix denominator = w * gram;
        if (extra.size() > 0) denominator += extra.middleRows(blocks.begin(b), blocks.extent(b));
        // Products by spectra may be -1e-17 where they are zero.
        w.array() *= product.middleRows(blocks.begin(b), blocks.extent(b)).array().max(0.0) /
                     (denominator.array() + kEpsilon);
    });
}

Index anls_motifs(Matrix& motifs, const Matrix& gram, const Matrix& right_side, Index components,
                  const Execution& run) {
    Matrix observed = gram;
    const Vector smallest = smallest_diagonals(gram, components);
    for (Index j = 0; j < gram.rows(); ++j)
        if (gram(j, j) <= smallest(j)) {
            observed.row(j).setZero();
            observed.col(j).setZero();
        }
    const Blocks blocks{motifs.rows(), 4 * kUnitBlock};
    std::vector<Index> fallbacks(static_cast<std::size_t>(blocks.count()), 0);
    parallel_blocks(blocks.count(), run.threads, [&](Index b) {
        linalg::NnlsSolver solver(observed);
        const auto rows = motifs.middleRows(blocks.begin(b), blocks.extent(b));
        const Matrix start = rows.transpose();
        const Matrix right = right_side.middleRows(blocks.begin(b), blocks.extent(b)).transpose();
        motifs.middleRows(blocks.begin(b), blocks.extent(b)) =
            solver.solve(right, start).transpose();
        fallbacks[static_cast<std::size_t>(b)] = solver.fallbacks();
    });
    return tree_sum(std::move(fallbacks));
}

} // namespace assay::cnmf
