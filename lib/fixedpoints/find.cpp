#include <assay/fixedpoints/find.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::fixedpoints {
namespace {

// Adam stops far above rounding: its ends rest as well as sqrt(2 q) says, and R there, which lacks
// the factor 1 - z of F, by two orders less.
constexpr double kReducedSlack = 100;
// Gates that let through less than this make any place seem slow.
constexpr double kShutGates = 1e-3;

SearchResult search_by_adam(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                            const FindOptions& options, const Execution& run) {
    SearchOptions collect = options.exact;
    collect.residual = Residual::full;
    collect.polish_steps = 0;
    collect.tolerance_residual = std::sqrt(2 * options.adam.tolerance_q);
    collect.tolerance_reduced = kReducedSlack * collect.tolerance_residual;
    collect.shut_gates = kShutGates;
    const auto descend = [&](const RowMatrix& from) {
        const AdamResult adam = search_adam(dynamics, x, from, options.adam, run);
        return Ends{adam.states, adam.status, adam.iterations};
    };
    return collect_points(dynamics, x, starts, descend, collect, run);
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

template <class M>
void append_rows(M& to, const M& from) {
    if (from.rows() == 0) return;
    if (to.rows() == 0) {
        to = from;
        return;
    }
    M all(to.rows() + from.rows(), to.cols());
    all << to, from;
    to = std::move(all);
}

void append_points(Points& to, Points from, std::int32_t input) {
    std::fill(from.input_id.begin(), from.input_id.end(), input);
    const Index before = to.count(), added = from.count();
    if (from.drift.rows() == 0) from.drift = RowMatrix::Zero(added, from.state.cols());
    if (from.slow_dimension.empty()) from.slow_dimension.assign(static_cast<std::size_t>(added), 0);
    if (from.certificates.empty()) {
        for (const PointKind kind : from.kind)
            from.certificates.push_back(
                {kNaN, kNaN, kNaN, kNaN,
                 kind == PointKind::slow ? CertificateState::slow : CertificateState::not_asked});
    }
    if (before == 0) {
        to = std::move(from);
        return;
    }
    append_rows(to.state, from.state);
    append_rows(to.input, from.input);
    append(to.input_id, from.input_id);
    append(to.kind, from.kind);
    append_rows(to.q, from.q);
    append_rows(to.residual_inf, from.residual_inf);
    append_rows(to.reduced_residual_inf, from.reduced_residual_inf);
    append(to.hits, from.hits);
    append(to.found_in_round, from.found_in_round);
    append(to.poincare_index, from.poincare_index);
    append(to.n_unstable, from.n_unstable);
    append(to.certificates, from.certificates);
    append_rows(to.drift, from.drift);
    append(to.slow_dimension, from.slow_dimension);
}

void append_starts(FindResult& result, const StartRecord& record, std::int32_t input) {
    append(result.starts.status, record.status);
    append(result.starts.iterations, record.iterations);
    append_rows(result.starts.q_final, record.q_final);
    result.start_input.insert(result.start_input.end(), record.status.size(), input);
    const auto offset = static_cast<std::int32_t>(result.points.count());
    for (const auto point : record.point)
        result.starts.point.push_back(point < 0 ? -1 : point + offset);
}

// Slow points that are not exact ones.
Points apart(const Points& slow, const Points& exact, double limit) {
    std::vector<Index> kept;
    for (Index p = 0; p < slow.count(); ++p) {
        bool same = false;
        for (Index e = 0; e < exact.count() && !same; ++e)
            same = (slow.state.row(p) - exact.state.row(e)).norm() <= limit;
        if (!same) kept.push_back(p);
    }
    return slow.chosen(kept);
}

void add_rounds(std::vector<Index>& sum, const std::vector<Index>& rounds) {
    const std::size_t size = std::max(sum.size(), rounds.size());
    std::vector<Index> total(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
        if (!sum.empty()) total[i] += sum[std::min(i, sum.size() - 1)];
        total[i] += rounds[std::min(i, rounds.size() - 1)];
    }
    sum = std::move(total);
}

void sort_points(FindResult& result) {
    const auto order = canonical_order(result.points);
    std::vector<std::int32_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        place[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
    for (auto& point : result.starts.point)
        if (point >= 0) point = place[static_cast<std::size_t>(point)];
    result.points = result.points.chosen(order);
}

} // namespace

std::map<StartStatus, Index> FindResult::status_counts() const {
    std::map<StartStatus, Index> counts;
    for (const auto status : starts.status) ++counts[status];
    return counts;
}

Completeness FindResult::completeness() const {
    Completeness all = Completeness::yes;
    for (const auto one : complete) {
        if (one == Completeness::no) return one;
        if (one == Completeness::unknown) all = one;
    }
    return complete.empty() ? Completeness::unknown : all;
}

FindResult find_points(const Dynamics& dynamics, const RowMatrix& inputs, const RowMatrix& starts,
                       const FindOptions& options, const Execution& run) {
    const Phase phase(*run.monitor, "search");
    FindResult result;
    result.inputs = inputs;
    result.best_slow_q = std::numeric_limits<double>::infinity();
    SearchOptions exact = options.exact;
    exact.solver = options.method == Method::newton ? Solver::newton : Solver::lm;
    for (Index k = 0; k < inputs.rows(); ++k) {
        const RowMatrix x = inputs.row(k);
        const auto id = static_cast<std::int32_t>(k);
        Points found;
        if (options.mode != FindMode::slow) {
            SearchResult search = options.method == Method::adam
                                      ? search_by_adam(dynamics, x, starts, options, run)
                                      : search_exact(dynamics, x, starts, exact, run);
            append_starts(result, search.starts, id);
            add_rounds(result.rounds, search.rounds);
            add_rounds(result.round_index, search.round_index);
            result.index_sum.push_back(search.index_sum);
            result.complete.push_back(search.complete);
            result.mean_iterations += search.mean_iterations / static_cast<double>(inputs.rows());
            found = search.points;
            append_points(result.points, std::move(search.points), id);
        }
        if (options.mode == FindMode::exact) continue;
        SlowResult slow = search_slow(dynamics, x, starts, options.slow, run);
        result.best_slow_q = std::min(result.best_slow_q, slow.best_q);
        if (options.mode == FindMode::slow) {
            append_starts(result, slow.starts, id);
            const auto& iterations = slow.starts.iterations;
            result.mean_iterations += std::accumulate(iterations.begin(), iterations.end(), 0.0) /
                                      static_cast<double>(iterations.size()) /
                                      static_cast<double>(inputs.rows());
        }
        append_points(result.points, apart(slow.points, found, options.slow.distinct.tolerance),
                      id);
    }
    sort_points(result);
    return result;
}

Vector nearest_distance(const RowMatrix& points, const RowMatrix& states) {
    constexpr Index kRows = 2048;
    Vector least = Vector::Constant(points.rows(), std::numeric_limits<double>::infinity());
    const Vector size = points.rowwise().squaredNorm();
    std::vector<Index> nearest(static_cast<std::size_t>(points.rows()), 0);
    for (Index first = 0; first < states.rows(); first += kRows) {
        const auto block = states.middleRows(first, std::min(kRows, states.rows() - first));
        const Eigen::RowVectorXd block_size = block.rowwise().squaredNorm().transpose();
        const RowMatrix squared = (-2 * (points * block.transpose())).rowwise() + block_size;
        for (Index p = 0; p < points.rows(); ++p) {
            Index at = 0;
            const double value = squared.row(p).minCoeff(&at) + size(p);
            if (value < least(p)) {
                least(p) = value;
                nearest[static_cast<std::size_t>(p)] = first + at;
            }
        }
    }
    for (Index p = 0; p < points.rows(); ++p) // without the cancellation of the expanded square
        if (states.rows() > 0)
            least(p) = (points.row(p) - states.row(nearest[static_cast<std::size_t>(p)])).norm();
    return least;
}

} // namespace assay::fixedpoints
