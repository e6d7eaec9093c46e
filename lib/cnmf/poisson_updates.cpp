#include <assay/cnmf/poisson_updates.hpp>

#include <assay/cnmf/updates.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>

namespace assay::cnmf {
namespace {

// body(row, unit, x, unseen) for the seen non-zeros and all unseen entries of a piece.
template <class Body>
void for_each_term(const Recording& data, const TimeAxis::Piece& piece, const Unseen& unseen,
                   const Body& body) {
    const SparseMatrix block = data.read_sparse(piece.first_bin, piece.bins);
    for (Index t = 0; t < piece.bins; ++t) {
        const Mask::Units masked = unseen.mask.units_of(piece.first_bin + t);
        for (SparseMatrix::InnerIterator it(block, t); it; ++it)
            if (!std::binary_search(masked.begin(), masked.end(),
                                    static_cast<std::int32_t>(it.row())))
                body(piece.first_row + t, it.row(), it.value(), false);
        for (const std::int32_t unit : masked) body(piece.first_row + t, Index{unit}, 0.0, true);
    }
}

// Sums over the bins of every segment of the columns of U: how often lag l of component k meets an
// observed bin.
Eigen::RowVectorXd column_sums(const TimeMatrix& h, const TimeAxis& axis) {
    Eigen::RowVectorXd sums = Eigen::RowVectorXd::Zero(h.cols() * axis.lags());
    for (const auto& piece : axis.pieces(kBlockBins))
        sums += unfolded(h, axis.lags(), piece.first_row, piece.bins).colwise().sum();
    return sums;
}

} // namespace

double divergence(const Matrix& motifs, const TimeMatrix& activations, const Recording& data,
                  const TimeAxis& axis, const Unseen& unseen, const Execution& run) {
    const RowMatrix by_unit = motifs;
    const auto pieces = axis.pieces(kBlockBins);
    std::vector<double> parts(pieces.size(), 0.0);
    parallel_blocks(static_cast<Index>(pieces.size()), run.threads, [&](Index p) {
        double sum = 0;
        for_each_term(data, pieces[static_cast<std::size_t>(p)], unseen,
                      [&](Index row, Index unit, double x, bool hidden) {
                          const double xhat = by_unit.row(unit).dot(
                              unfolded(activations, axis.lags(), row, 1).row(0));
                          sum += hidden ? -xhat : x * std::log(x / (xhat + kEpsilon)) - x;
                      });
        parts[static_cast<std::size_t>(p)] = sum;
    });
    const double total = (by_unit * column_sums(activations, axis).transpose()).sum();
    return total + tree_sum(std::move(parts));
}

namespace {

// The gradient is denominator - numerator, and an update multiplies by their ratio.
struct MotifTerms {
    RowMatrix numerator;            // units x K L
    Eigen::RowVectorXd denominator; // the same for every unit
};

MotifTerms motif_terms(const Matrix& motifs, const TimeMatrix& activations, const Recording& data,
                       const TimeAxis& axis, const Unseen& unseen, const Execution& run) {
    const RowMatrix by_unit = motifs;
    const auto pieces = axis.pieces(kBlockBins);
    const Index lanes = std::min<Index>(kMostLanes, static_cast<Index>(pieces.size()));
    std::vector<RowMatrix> partial(static_cast<std::size_t>(lanes),
                                   RowMatrix::Zero(motifs.rows(), motifs.cols()));
    parallel_blocks(lanes, run.threads, [&](Index lane) {
        for (auto p = static_cast<std::size_t>(lane); p < pieces.size();
             p += static_cast<std::size_t>(lanes))
            for_each_term(
                data, pieces[p], unseen, [&](Index row, Index unit, double x, bool hidden) {
                    const auto u = unfolded(activations, axis.lags(), row, 1).row(0);
                    const double ratio = hidden ? 1.0 : x / (by_unit.row(unit).dot(u) + kEpsilon);
                    partial[static_cast<std::size_t>(lane)].row(unit) += ratio * u;
                });
    });
    return {tree_sum(std::move(partial)), column_sums(activations, axis)};
}

struct ActivationTerms {
    TimeMatrix numerator; // rows x K; padding means nothing
    RowMatrix mass;       // of each component over lags 0..l
    // Cut off where the segment ends.
    [[nodiscard]] auto denominator(const Segment& segment, Index bin) const {
        return mass.row(std::min(mass.rows() - 1, segment.bins - 1 - bin));
    }
};

ActivationTerms activation_terms(const TimeMatrix& activations, const Matrix& motifs,
                                 const Recording& data, const TimeAxis& axis, const Unseen& unseen,
                                 const Execution& run) {
    const RowMatrix by_unit = motifs;
    const Index components = activations.cols(), lags = axis.lags(), reach = lags - 1;
    const auto pieces = axis.pieces(kBlockBins);
    ActivationTerms terms{TimeMatrix::Zero(activations.rows(), components),
                          RowMatrix(lags, components)};
    TimeMatrix& numerator = terms.numerator;
    std::vector<TimeMatrix> edges(pieces.size());
    parallel_blocks(static_cast<Index>(pieces.size()), run.threads, [&](Index p) {
        const auto& piece = pieces[static_cast<std::size_t>(p)];
        TimeMatrix local = TimeMatrix::Zero(piece.bins + reach, components);
        for_each_term(data, piece, unseen, [&](Index row, Index unit, double x, bool hidden) {
            const double ratio =
                hidden ? 1.0
                       : x / (by_unit.row(unit).dot(unfolded(activations, lags, row, 1).row(0)) +
                              kEpsilon);
            Eigen::Map<Eigen::RowVectorXd>(local.data() + (row - piece.first_row) * components,
                                           by_unit.cols()) += ratio * by_unit.row(unit);
        });
        numerator.middleRows(piece.first_row, piece.bins) = local.bottomRows(piece.bins);
        edges[static_cast<std::size_t>(p)] = local.topRows(reach);
    });
    for (std::size_t p = 0; p < pieces.size(); ++p)
        numerator.middleRows(pieces[p].first_row - reach, reach) += edges[p];

    const Eigen::RowVectorXd columns = motifs.colwise().sum();
    for (Index l = 0; l < lags; ++l) {
        terms.mass.row(l) = columns.segment((lags - 1 - l) * components, components);
        if (l > 0) terms.mass.row(l) += terms.mass.row(l - 1);
    }
    return terms;
}

} // namespace

void poisson_update_motifs(Matrix& motifs, const TimeMatrix& activations, const Recording& data,
                           const TimeAxis& axis, const Unseen& unseen, const Execution& run) {
    const MotifTerms terms = motif_terms(motifs, activations, data, axis, unseen, run);
    motifs.array() *= terms.numerator.array().rowwise() / (terms.denominator.array() + kEpsilon);
}

void poisson_update_activations(TimeMatrix& activations, const Matrix& motifs,
                                const Recording& data, const TimeAxis& axis, const Unseen& unseen,
                                const Execution& run) {
    const ActivationTerms terms = activation_terms(activations, motifs, data, axis, unseen, run);
    for (const auto& segment : axis.segments())
        for (Index t = 0; t < segment.bins; ++t) {
            const Index row = segment.first_row + t;
            activations.row(row).array() *= terms.numerator.row(row).array() /
                                            (terms.denominator(segment, t).array() + kEpsilon);
        }
}

double poisson_gradient_norm(const Matrix& motifs, const TimeMatrix& activations,
                             const Recording& data, const TimeAxis& axis, const Unseen& unseen,
                             const Execution& run) {
    const MotifTerms w = motif_terms(motifs, activations, data, axis, unseen, run);
    const Matrix motif_gradient = (-w.numerator).rowwise() + w.denominator;
    const ActivationTerms h = activation_terms(activations, motifs, data, axis, unseen, run);
    TimeMatrix activation_gradient = -h.numerator;
    for (const auto& segment : axis.segments())
        for (Index t = 0; t < segment.bins; ++t)
            activation_gradient.row(segment.first_row + t) += h.denominator(segment, t);
    axis.clear_padding(activation_gradient);
    return std::sqrt(projected_gradient_norm(motifs, motif_gradient) +
                     projected_gradient_norm(activations, activation_gradient));
}

} // namespace assay::cnmf
