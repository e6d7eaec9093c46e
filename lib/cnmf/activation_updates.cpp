#include <assay/cnmf/updates.hpp>

#include <assay/core/parallel.hpp>
#include <assay/linalg/nnls.hpp>

#include <array>

namespace assay::cnmf {
namespace {

using Stretch = Eigen::Map<Eigen::RowVectorXd>;

// sum[i] += sum_j steps[j] rows[j][i] for Width numbers, which stay in registers meanwhile.
template <int Width>
void add_rows(double* sum, const std::vector<const double*>& rows, const std::vector<double>& steps,
              Index offset) {
    using Piece = Eigen::Array<double, Width, 1>;
    Eigen::Map<Piece> place(sum + offset);
    Piece total = place;
    for (std::size_t j = 0; j < rows.size(); ++j)
        total += steps[j] * Eigen::Map<const Piece>(rows[j] + offset);
    place = total;
}

// What the steps of a bin add to a stretch of the gradient.
class Propagation {
  public:
    void note(const Vector& steps, const RowMatrix& table) {
        for (Index k = 0; k < steps.size(); ++k) {
            if (steps(k) == 0) continue;
            steps_.push_back(steps(k));
            rows_.push_back(table.row(k).data());
        }
    }
    void add_to(Stretch stretch) {
        Index i = 0;
        for (; i + 32 <= stretch.size(); i += 32) add_rows<32>(stretch.data(), rows_, steps_, i);
        for (; i + 8 <= stretch.size(); i += 8) add_rows<8>(stretch.data(), rows_, steps_, i);
        for (; i < stretch.size(); ++i) add_rows<1>(stretch.data(), rows_, steps_, i);
        steps_.clear();
        rows_.clear();
    }

  private:
    std::vector<double> steps_;
    std::vector<const double*> rows_;
};

// The part of the gradient that a change at `row` touches: 2L-1 rows, contiguous.
Stretch stretch_of(TimeMatrix& gradient, Index row, Index reach) {
    return {gradient.data() + (row - reach) * gradient.cols(), (2 * reach + 1) * gradient.cols()};
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

// The coordinates of one bin: they see each other through the K x K block of their table at lag 0.
// Plain loops without branches, for K is small and every step waits for the one before.
class BinStep {
  public:
    explicit BinStep(const Sweep& sweep)
        : sweep_(&sweep), inverse_(sweep.h.cols()), kept_(sweep.h.cols()), steps_(sweep.h.cols()) {}

    void use(const RowMatrix& table) {
        if (table_ == &table) return;
        table_ = &table;
        const auto block = table.middleCols(sweep_->reach * steps_.size(), steps_.size());
        kept_ = (block.diagonal().array() > sweep_->smallest_diagonal.array()).cast<double>();
        inverse_ = (kept_.array() > 0).select(block.diagonal().array().inverse(), 0.0);
    }
    // Moves `h` given its gradient; false if nothing moved.
    bool operator()(double* h, const double* gradient) {
        const Index components = steps_.size();
        const double* block = table_->data() + sweep_->reach * components;
        double* steps = steps_.data();
        bool any = false;
        for (Index k = 0; k < components; ++k) {
            double here = gradient[k];
            for (Index j = 0; j < k; ++j) here += steps[j] * block[j * table_->cols() + k];
            const double value = std::max(0.0, kept_[k] * h[k] - here * inverse_[k]);
            steps[k] = value - h[k];
            h[k] = value;
            any |= steps[k] != 0;
        }
        return any;
    }
    [[nodiscard]] const Vector& steps() const { return steps_; }

  private:
    const Sweep* sweep_;
    const RowMatrix* table_ = nullptr;
    Vector inverse_, kept_, steps_; // 1 / diagonal, 0 where it counts as zero; whether it does not
};

// Time outer, component inner. Returns the squared change.
double sweep_rows(const Sweep& s, Index first_row, Index count, Index end_row) {
    BinStep step(s);
    Propagation propagation;
    double change = 0;
    for (Index row = first_row; row < first_row + count; ++row) {
        const RowMatrix& table = s.correlation.table(end_row - 1 - row);
        step.use(table);
        if (!step(s.h.row(row).data(), s.gradient.row(row).data())) continue;
        change += step.steps().squaredNorm();
        propagation.note(step.steps(), table);
        propagation.add_to(stretch_of(s.gradient, row, s.reach));
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
        Propagation propagation;
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
            propagation.note(solution - h, table);
            propagation.add_to(stretch_of(gradient, row, reach));
        }
        fallbacks[at] += whole.fallbacks();
    });
    axis.clear_padding(gradient);
    return tree_sum(std::move(fallbacks));
}

} // namespace assay::cnmf
