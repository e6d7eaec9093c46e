#include <assay/cnmf/updates.hpp>

#include <assay/core/parallel.hpp>
#include <assay/linalg/nnls.hpp>

#include <array>
#include <limits>

namespace assay::cnmf {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
// Near the end of a segment C_t[k,k,0] counts as zero below this share of the component's own
// C[k,k,0]: judged so, no result depends on how scale is shared between W and H.
constexpr double kZeroDiagonal = 1e-13;

using Stretch = Eigen::Map<Eigen::RowVectorXd>;

// The part of the gradient that a change at `row` touches: 2L-1 rows, contiguous.
Stretch stretch_of(TimeMatrix& gradient, Index row, Index reach) {
    return {gradient.data() + (row - reach) * gradient.cols(), (2 * reach + 1) * gradient.cols()};
}

// stretch += sum_k steps[k] table.row(k) over the steps that are not zero, four at a time.
void propagate(Stretch stretch, const RowMatrix& table, const Vector& steps,
               std::vector<Index>& changed) {
    changed.clear();
    for (Index k = 0; k < steps.size(); ++k)
        if (steps(k) != 0) changed.push_back(k);
    std::size_t i = 0;
    for (; i + 4 <= changed.size(); i += 4)
        stretch += steps(changed[i]) * table.row(changed[i]) +
                   steps(changed[i + 1]) * table.row(changed[i + 1]) +
                   steps(changed[i + 2]) * table.row(changed[i + 2]) +
                   steps(changed[i + 3]) * table.row(changed[i + 3]);
    for (; i + 2 <= changed.size(); i += 2)
        stretch += steps(changed[i]) * table.row(changed[i]) +
                   steps(changed[i + 1]) * table.row(changed[i + 1]);
    if (i < changed.size()) stretch += steps(changed[i]) * table.row(changed[i]);
}

struct Sweep {
    TimeMatrix& h;
    TimeMatrix& gradient;
    const MotifCorrelation& correlation;
    Index reach;
    Vector smallest_diagonal;

    [[nodiscard]] double updated(Index component, double value, double gradient_value,
                                 double diagonal) const {
        // A coordinate that nothing observes: its exact right-hand side is zero.
        if (diagonal <= smallest_diagonal(component)) return 0.0;
        return std::max(0.0, value - gradient_value / diagonal);
    }
};

// Time outer, component inner. Steps of one bin see each other through the K x K block at lag 0 and
// are propagated together. Returns the squared change.
double sweep_rows(const Sweep& s, Index first_row, Index count, Index end_row) {
    const Index components = s.h.cols();
    const Index centre = s.reach * components;
    Vector steps(components);
    std::vector<Index> changed;
    double change = 0;
    for (Index row = first_row; row < first_row + count; ++row) {
        auto h = s.h.row(row);
        const auto p = s.gradient.row(row);
        if ((h.array() == 0).all() && (p.array() >= 0).all()) continue;
        const RowMatrix& table = s.correlation.table(end_row - 1 - row);
        bool any = false;
        for (Index k = 0; k < components; ++k) {
            double here = p(k);
            for (Index j = 0; j < k; ++j) here += steps(j) * table(j, centre + k);
            const double value = s.updated(k, h(k), here, table(k, centre + k));
            steps(k) = value - h(k);
            any |= steps(k) != 0;
        }
        if (!any) continue;
        h += steps.transpose();
        change += steps.squaredNorm();
        propagate(stretch_of(s.gradient, row, s.reach), table, steps, changed);
    }
    return change;
}

// Component outer, time inner, as published.
double sweep_components(const Sweep& s, const TimeAxis& axis) {
    const Index components = s.h.cols();
    double change = 0;
    for (Index k = 0; k < components; ++k)
        for (const auto& segment : axis.segments())
            for (Index row = segment.first_row; row < segment.first_row + segment.bins; ++row) {
                const RowMatrix& table =
                    s.correlation.table(segment.first_row + segment.bins - 1 - row);
                const double old = s.h(row, k);
                const double step =
                    s.updated(k, old, s.gradient(row, k), table(k, s.reach * components + k)) - old;
                if (step == 0) continue;
                s.h(row, k) = old + step;
                change += step * step;
                stretch_of(s.gradient, row, s.reach) += step * table.row(k);
            }
    return change;
}

double sweep(const Sweep& s, const TimeAxis& axis, Order order, const Execution& run) {
    if (order == Order::component) return sweep_components(s, axis);
    if (order == Order::time) {
        double change = 0;
        for (const auto& segment : axis.segments())
            change +=
                sweep_rows(s, segment.first_row, segment.bins, segment.first_row + segment.bins);
        return change;
    }
    const auto pieces = chunks(axis);
    const auto ends = segment_ends(pieces, axis);
    std::vector<double> changes(pieces.size());
    for_each_colour(pieces, run.threads, [&](Index chunk) {
        const auto at = static_cast<std::size_t>(chunk);
        changes[at] = sweep_rows(s, pieces[at].first_row, pieces[at].bins, ends[at]);
    });
    return tree_sum(std::move(changes));
}

// Chunks for the parallel order, whole segments for the others.
std::vector<TimeAxis::Piece> pieces_for(const TimeAxis& axis, Order order) {
    return order == Order::chunk ? chunks(axis) : axis.pieces(axis.bins());
}

} // namespace

void hals_activations(TimeMatrix& activations, TimeMatrix& gradient,
                      const MotifCorrelation& correlation, const TimeAxis& axis, Order order,
                      const InnerSweeps& sweeps, const Execution& run) {
    const Sweep s{activations, gradient, correlation, axis.lags() - 1,
                  kZeroDiagonal * correlation.diagonal()};
    double first_change = 0;
    for (Index i = 0; i < sweeps.most; ++i) {
        const double change = std::sqrt(sweep(s, axis, order, run));
        if (i == 0)
            first_change = change;
        else if (change <= sweeps.enough * first_change)
            break;
    }
    axis.clear_padding(gradient);
}

void multiply_activations(TimeMatrix& activations, const TimeMatrix& correlated,
                          const TimeMatrix& product, const TimeMatrix& extra,
                          const TimeAxis& axis) {
    if (extra.size() > 0)
        activations.array() *=
            product.array().max(0.0) / (correlated.array() + extra.array() + kEpsilon);
    else
        activations.array() *= product.array().max(0.0) / (correlated.array() + kEpsilon);
    axis.clear_padding(activations);
}

Index anls_activations(TimeMatrix& activations, TimeMatrix& gradient,
                       const MotifCorrelation& correlation, const TimeAxis& axis, Order order,
                       const Execution& run) {
    const Index components = activations.cols(), reach = axis.lags() - 1,
                centre = reach * components;
    const auto pieces = pieces_for(axis, order);
    const auto ends = segment_ends(pieces, axis);
    std::vector<Index> fallbacks(pieces.size(), 0);
    for_each_colour(pieces, order == Order::chunk ? run.threads : 1, [&](Index chunk) {
        const auto at = static_cast<std::size_t>(chunk);
        linalg::NnlsSolver whole(correlation.full().middleCols(centre, components));
        std::vector<Index> changed;
        for (Index row = pieces[at].first_row; row < pieces[at].first_row + pieces[at].bins;
             ++row) {
            const Vector h = activations.row(row);
            const Vector p = gradient.row(row);
            if ((h.array() == 0).all() && (p.array() >= 0).all()) continue;
            const Index left = ends[at] - 1 - row;
            const RowMatrix& table = correlation.table(left);
            const Matrix block = table.middleCols(centre, components);
            const Matrix right = block * h - p;
            Vector solution;
            if (left >= reach) {
                solution = whole.solve(right, h);
            } else {
                linalg::NnlsSolver tail(block);
                solution = tail.solve(right, h);
                fallbacks[at] += tail.fallbacks();
            }
            activations.row(row) = solution;
            propagate(stretch_of(gradient, row, reach), table, solution - h, changed);
        }
        fallbacks[at] += whole.fallbacks();
    });
    axis.clear_padding(gradient);
    return tree_sum(std::move(fallbacks));
}

} // namespace assay::cnmf
