#include <assay/cnmf/gram.hpp>

#include <assay/core/parallel.hpp>

#include <algorithm>

namespace assay::cnmf {
namespace {

constexpr double kSparseActivations =
    0.35; // share of non-zeros below which scattering beats the dense product

Index nonzeros(const TimeMatrix& activations) {
    return (activations.array() != 0).count();
}

bool is_sparse(const TimeMatrix& activations, const TimeAxis& axis) {
    return static_cast<double>(nonzeros(activations)) <
           kSparseActivations * static_cast<double>(axis.bins() * activations.cols());
}

// H U^T over one piece: K x K L.
void add_first_block_row(const TimeMatrix& h, Index lags, const TimeAxis::Piece& piece, bool sparse,
                         RowMatrix& sum) {
    if (!sparse) {
        sum.noalias() += h.middleRows(piece.first_row, piece.bins).transpose() *
                         unfolded(h, lags, piece.first_row, piece.bins);
        return;
    }
    for (Index row = piece.first_row; row < piece.first_row + piece.bins; ++row)
        for (Index k = 0; k < h.cols(); ++k)
            if (h(row, k) != 0) sum.row(k) += h(row, k) * unfolded(h, lags, row, 1).row(0);
}

} // namespace

Matrix activation_gram(const TimeMatrix& h, const TimeAxis& axis, const Execution& run) {
    const Index components = h.cols(), lags = axis.lags(), size = components * lags;
    const auto pieces = axis.pieces(kBlockBins);
    const bool sparse = is_sparse(h, axis);
    const Index lanes = std::min<Index>(kMostLanes, static_cast<Index>(pieces.size()));
    std::vector<RowMatrix> partial(static_cast<std::size_t>(lanes),
                                   RowMatrix::Zero(components, size));
    parallel_blocks(lanes, run.threads, [&](Index lane) {
        for (auto p = static_cast<std::size_t>(lane); p < pieces.size();
             p += static_cast<std::size_t>(lanes))
            add_first_block_row(h, lags, pieces[p], sparse,
                                partial[static_cast<std::size_t>(lane)]);
    });
    const RowMatrix first = tree_sum(std::move(partial));

    // Lag-descending: lag l stands at block q = L-1-l, so the recursion l -> l+1 goes from block
    // row q to q-1. What it subtracts for all (l, l') at once is Z^T Z, one row of Z a segment: its
    // last L-1 rows of H, flattened.
    Matrix gram = Matrix::Zero(size, size);
    gram.bottomRows(components) = first;
    gram.rightCols(components) = first.transpose();
    const Index edge_size = (lags - 1) * components;
    RowMatrix edges(static_cast<Index>(axis.segments().size()), edge_size);
    for (Index s = 0; s < edges.rows(); ++s) {
        const Segment& segment = axis.segments()[static_cast<std::size_t>(s)];
        const Index start = segment.first_row + segment.bins - lags + 1;
        edges.row(s) =
            Eigen::Map<const Eigen::RowVectorXd>(h.data() + start * components, edge_size);
    }
    const Matrix correction = edges.transpose() * edges;
    for (Index q = lags - 1; q >= 1; --q)
        gram.block((q - 1) * components, 0, components, edge_size) =
            gram.block(q * components, components, components, edge_size) -
            correction.middleRows((q - 1) * components, components);
    return gram.selfadjointView<Eigen::Upper>();
}

MotifCorrelation::MotifCorrelation(const Matrix& motifs, Index components)
    : components_(components), lags_(motifs.cols() / components) {
    const Index width = (2 * lags_ - 1) * components_;
    const Matrix product = motifs.transpose() * motifs; // M, lag-descending
    RowMatrix sum = RowMatrix::Zero(components_, width);
    tails_.reserve(static_cast<std::size_t>(lags_ - 1));
    for (Index l = 0; l < lags_; ++l) {
        // Row lag l meets column lag l' at d = l - l'; blocks of l' descending lie side by side, so
        // d ascends along them.
        sum.middleCols(l * components_, lags_ * components_) +=
            product.middleRows((lags_ - 1 - l) * components_, components_);
        if (l + 1 < lags_) tails_.push_back(sum);
    }
    full_ = std::move(sum);
}

void MotifCorrelation::add_penalties(double l2, double events) {
    if (l2 == 0 && events == 0) return;
    const auto edit = [&](RowMatrix& table) {
        for (Index k = 0; k < components_; ++k) {
            for (Index column = 0; events != 0 && column < table.cols(); ++column)
                if (column % components_ != k) table(k, column) += events;
            table(k, (lags_ - 1) * components_ + k) += l2;
        }
    };
    edit(full_);
    for (auto& table : tails_) edit(table);
}

Vector MotifCorrelation::diagonal() const {
    return full_.middleCols((lags_ - 1) * components_, components_).diagonal();
}

std::vector<TimeAxis::Piece> chunks(const TimeAxis& axis) {
    return axis.pieces(std::max<Index>(256, 4 * axis.lags()), 2 * axis.lags());
}

void for_each_colour(const std::vector<TimeAxis::Piece>& pieces, int threads,
                     const std::function<void(Index chunk)>& body) {
    const auto count = static_cast<Index>(pieces.size());
    for (Index colour = 0; colour < 2; ++colour)
        parallel_blocks((count + 1 - colour) / 2, threads, [&](Index i) { body(2 * i + colour); });
}

std::vector<Index> segment_ends(const std::vector<TimeAxis::Piece>& pieces, const TimeAxis& axis) {
    std::vector<Index> ends;
    std::size_t segment = 0;
    for (const auto& piece : pieces) {
        while (piece.first_bin >=
               axis.segments()[segment].first_bin + axis.segments()[segment].bins)
            ++segment;
        ends.push_back(axis.segments()[segment].first_row + axis.segments()[segment].bins);
    }
    return ends;
}

namespace {

// What activations add to the gradient, coordinate by coordinate, skipping zeros.
TimeMatrix scatter_correlation(const MotifCorrelation& correlation, const TimeMatrix& h,
                               const TimeAxis& axis, const Execution& run) {
    const Index components = h.cols(), reach = axis.lags() - 1;
    TimeMatrix field = TimeMatrix::Zero(h.rows(), components);
    const auto pieces = chunks(axis);
    const auto ends = segment_ends(pieces, axis);
    for_each_colour(pieces, run.threads, [&](Index chunk) {
        const auto& piece = pieces[static_cast<std::size_t>(chunk)];
        for (Index row = piece.first_row; row < piece.first_row + piece.bins; ++row) {
            const RowMatrix& table =
                correlation.table(ends[static_cast<std::size_t>(chunk)] - 1 - row);
            Eigen::Map<Eigen::RowVectorXd> stretch(field.data() + (row - reach) * components,
                                                   table.cols());
            for (Index k = 0; k < components; ++k)
                if (h(row, k) != 0) stretch += h(row, k) * table.row(k);
        }
    });
    return field;
}

// The same as one product with the view of 2L-1 neighbouring rows; the last L-1 rows of a segment
// by their own tables.
TimeMatrix dense_correlation(const MotifCorrelation& correlation, const TimeMatrix& h,
                             const TimeAxis& axis, const Execution& run) {
    const Index components = h.cols(), lags = axis.lags(), reach = lags - 1;
    const Index width = (2 * lags - 1) * components;
    TimeMatrix field = TimeMatrix::Zero(h.rows(), components);
    const auto neighbours = [&](Index row, Index count) {
        return UnfoldedView(h.data() + (row - reach) * components, count, width,
                            Eigen::OuterStride<>(components));
    };
    const auto pieces = axis.pieces(kBlockBins);
    const auto ends = segment_ends(pieces, axis);
    const Matrix full = correlation.full().transpose();
    parallel_blocks(static_cast<Index>(pieces.size()), run.threads, [&](Index p) {
        const auto& piece = pieces[static_cast<std::size_t>(p)];
        const Index end = ends[static_cast<std::size_t>(p)];
        const Index whole = std::clamp<Index>(end - reach - piece.first_row, 0, piece.bins);
        if (whole > 0)
            field.middleRows(piece.first_row, whole).noalias() =
                neighbours(piece.first_row, whole) * full;
        for (Index row = piece.first_row + whole; row < piece.first_row + piece.bins; ++row)
            field.row(row).noalias() =
                neighbours(row, 1) * correlation.table(end - 1 - row).transpose();
    });
    return field;
}

} // namespace

TimeMatrix correlate(const MotifCorrelation& correlation, const TimeMatrix& activations,
                     const TimeAxis& axis, const Execution& run) {
    TimeMatrix field = is_sparse(activations, axis)
                           ? scatter_correlation(correlation, activations, axis, run)
                           : dense_correlation(correlation, activations, axis, run);
    axis.clear_padding(field);
    return field;
}

double inner_product(const TimeMatrix& a, const TimeMatrix& b) {
    std::vector<double> partial;
    const Blocks blocks{a.rows(), kBlockBins};
    for (Index i = 0; i < blocks.count(); ++i)
        partial.push_back(a.middleRows(blocks.begin(i), blocks.extent(i))
                              .cwiseProduct(b.middleRows(blocks.begin(i), blocks.extent(i)))
                              .sum());
    return tree_sum(std::move(partial));
}

} // namespace assay::cnmf
