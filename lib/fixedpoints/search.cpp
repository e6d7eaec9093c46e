#include <assay/fixedpoints/search.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/fixedpoints/certificate.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/root_solver.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

namespace assay::fixedpoints {
namespace {

constexpr Index kFirstWave = 2;    // batches; waves double up to
constexpr Index kLargestWave = 32; // batches
constexpr double kCaptureShare = 1.0 / 3;
constexpr double kDegenerate = 1e-12; // smallest pivot of I - J against the largest

// A root that has passed both tests, with what is known of it.
struct Found {
    RowMatrix argument, state;
    double q = 0, residual = 0, reduced_residual = 0;
    Certificate certificate;
    std::int32_t round = 0, index = 0;
};

// sign det(I - J) from the LU's diagonal and permutation; 0 where it is singular.
std::int32_t poincare_index(const RowMatrix& jacobian) {
    const Index n = jacobian.rows();
    const Eigen::PartialPivLU<Matrix> lu(Matrix::Identity(n, n) - jacobian);
    const Vector pivots = lu.matrixLU().diagonal();
    if (!(pivots.cwiseAbs().minCoeff() > kDegenerate * pivots.cwiseAbs().maxCoeff())) return 0;
    const auto negative = (pivots.array() < 0).count();
    const auto swaps = static_cast<Index>(lu.permutationP().determinant()) < 0 ? 1 : 0;
    return (negative + swaps) % 2 == 0 ? 1 : -1;
}

class Search {
  public:
    Search(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
           const SearchOptions& options, const Execution& run)
        : map_(dynamics, x, options.residual), starts_(starts), options_(options), run_(run),
          cloud_(starts), q_scale_(options.norm == SpeedNorm::half
                                       ? 1
                                       : 2 / static_cast<double>(std::max<Index>(1, map_.size()))) {
    }

    SearchResult operator()() {
        return search([this](const RowMatrix& arguments, std::int32_t round, StartRecord* record) {
            solve(arguments, round, record);
        });
    }

    SearchResult collect(const Descent& descend) {
        return search([&](const RowMatrix& arguments, std::int32_t round, StartRecord* record) {
            gather(descend(map_.state(arguments)), round, record);
        });
    }

  private:
    // From arguments to found_ and, for the given starts, their record.
    using Solve = std::function<void(const RowMatrix&, std::int32_t round, StartRecord*)>;

    SearchResult search(const Solve& from) {
        prepare_record();
        const RowMatrix arguments = map_.argument(starts_);
        if (options_.residual == Residual::reduced) warn_of_open_gates(arguments);
        from(arguments, 0, &result_.starts);
        note_round();
        measure_effort();
        if (options_.expansion == Expansion::midpoints) expand(from);
        finish();
        return std::move(result_);
    }

    [[nodiscard]] Index count() const { return static_cast<Index>(found_.size()); }

    // A forget gate of hard_sigmoid may be open throughout: c* = i g / (1 - f) is without bounds
    // then, and so is R where its activation is.
    void warn_of_open_gates(const RowMatrix& arguments) const {
        const auto& cells = map_.dynamics().cells();
        const bool may_be = std::any_of(cells.begin(), cells.end(), [](const Cell& cell) {
            return cell.form().kind == network::CellKind::lstm &&
                   cell.form().gate.function == network::Function::hard_sigmoid;
        });
        if (!may_be) return;
        const RowMatrix residual = map_.residual(arguments);
        Index open = 0;
        for (Index row = 0; row < residual.rows(); ++row)
            open += residual.row(row).norm() <= kDivergedNorm ? 0 : 1;
        if (open > 0)
            run_.monitor->warn(concat("at ", open, " of ", residual.rows(), " starts the reduced ",
                                      "map has no bounds (gates that are wholly open); --residual "
                                      "full searches from them"));
    }

    void prepare_record() {
        const auto rows = static_cast<std::size_t>(starts_.rows());
        result_.starts.status.assign(rows, StartStatus::max_iterations);
        result_.starts.iterations.assign(rows, 0);
        result_.starts.point.assign(rows, -1);
        result_.starts.q_final.setZero(starts_.rows());
    }

    // Waves of batches, every batch against the points that stood before its wave.
    void solve(const RowMatrix& arguments, std::int32_t round, StartRecord* record) {
        const Blocks batches{arguments.rows(), batch_size(map_.size())};
        Index wave = kFirstWave;
        for (Index first = 0; first < batches.count();
             first += wave, wave = std::min(2 * wave, kLargestWave)) {
            const Index count = std::min(wave, batches.count() - first);
            std::vector<std::vector<Root>> roots(static_cast<std::size_t>(count));
            parallel_blocks(count, run_.threads, [&](Index i) {
                const Index begin = batches.begin(first + i);
                roots[static_cast<std::size_t>(i)] = solve_batch(
                    map_, arguments.middleRows(begin, batches.extent(first + i)), known_, options_);
            });
            Index row = batches.begin(first);
            const Index before = this->count();
            for (auto& batch : roots)
                for (Root& root : batch) {
                    const Index point = accept(root, round);
                    if (record) note(*record, row, root, point);
                    ++row;
                }
            describe(before);
            run_.monitor->stop_if_interrupted();
            run_.monitor->progress({static_cast<double>(row), static_cast<double>(arguments.rows()),
                                    "starts", concat(this->count(), " points")});
        }
    }

    // The points among another solver's ends.
    void gather(const Ends& ends, std::int32_t round, StartRecord* record) {
        const RowMatrix arguments = map_.argument(ends.states);
        const Vector q = speed(map_.residual(arguments), SpeedNorm::half);
        const Index before = count();
        for (Index b = 0; b < arguments.rows(); ++b) {
            Root root{arguments.row(b), ends.status[static_cast<std::size_t>(b)],
                      static_cast<std::int32_t>(ends.iterations), q(b), -1};
            const Index point = accept(root, round);
            if (record) note(*record, b, root, point);
        }
        describe(before);
    }

    void note(StartRecord& record, Index row, const Root& root, Index point) const {
        const auto i = static_cast<std::size_t>(row);
        record.status[i] = root.status;
        record.iterations[i] = root.iterations;
        record.point[i] = static_cast<std::int32_t>(point);
        record.q_final(row) = root.q * q_scale_;
    }

    // The point that a root is, old or new; -1 where it is none (and its status says why).
    Index accept(Root& root, std::int32_t round) {
        if (root.captured_by >= 0) return root.captured_by;
        if (root.status == StartStatus::diverged) return -1;
        const auto [known, distance] = known_.nearest(root.argument);
        if (known >= 0 && distance < known_.capture(known)) {
            root.status = StartStatus::converged;
            return known_.id(known);
        }
        // The same as one of its own wave, which is not among the known ones yet.
        if (root.status == StartStatus::converged) {
            const Index same = nearest_within(map_.state(root.argument));
            if (same >= 0) return same;
        }
        Found found;
        found.argument = polish(map_, root.argument, options_.polish_steps);
        if (!rests(found, root)) return -1;
        const Index same = nearest_within(found.state);
        if (same >= 0) return same;
        if (!cloud_.holds(found.state, options_.distinct)) {
            root.status = StartStatus::outlier;
            return -1;
        }
        if (count() >= options_.distinct.max_points) {
            root.status = StartStatus::left_out;
            return -1;
        }
        found.round = round;
        found_.push_back(std::move(found));
        return count() - 1;
    }

    // Index and certificate of the points from `first` on, to which later starts may then be
    // captured: a certificate speaks of the reduced map.
    void describe(Index first) {
        std::vector<Matrix> inverses(static_cast<std::size_t>(count() - first));
        const Dynamics& d = map_.dynamics();
        const auto captures = [this](const Found& found) {
            return options_.certify && options_.residual == Residual::reduced &&
                   found.certificate.holds();
        };
        parallel_blocks(count() - first, run_.threads, [&](Index i) {
            Found& found = found_[static_cast<std::size_t>(first + i)];
            found.index = poincare_index(d.jacobian_state(map_.input(), found.state));
            if (options_.certify)
                found.certificate = certify(d, map_.input(), d.reduced_part(found.state));
            if (!captures(found) || !known_.keeps_inverse(i, map_.size())) return;
            Matrix a = map_.jacobian(found.argument);
            a.diagonal().array() -= 1;
            inverses[static_cast<std::size_t>(i)] = a.inverse();
        });
        for (Index p = first; p < count(); ++p) {
            const Found& found = found_[static_cast<std::size_t>(p)];
            if (captures(found))
                known_.add(p, found.argument, kCaptureShare * found.certificate.uniqueness_radius,
                           std::move(inverses[static_cast<std::size_t>(p - first)]));
        }
    }

    // Both tests of a fixed point: F and R rest, relative to the size of the state.
    bool rests(Found& found, Root& root) {
        const Dynamics& d = map_.dynamics();
        found.state = map_.state(found.argument);
        // A start's argument may rest where c* of an lstm is beyond all bounds.
        if (!found.state.allFinite() || found.state.norm() > kDivergedNorm) {
            root.status = StartStatus::diverged;
            return false;
        }
        const RowMatrix g = d.step(map_.input(), found.state) - found.state;
        const RowMatrix v = d.reduced_part(found.state);
        found.residual = g.cwiseAbs().maxCoeff();
        found.reduced_residual = (d.reduced(map_.input(), v) - v).cwiseAbs().maxCoeff();
        found.q = speed(g, options_.norm)(0);
        const double size = 1 + found.state.cwiseAbs().maxCoeff();
        if (!(found.residual <= options_.tolerance_residual * size)) {
            if (found.residual < options_.shut_gates * found.reduced_residual)
                root.status = StartStatus::artefact;
            else if (root.status == StartStatus::converged)
                root.status = StartStatus::local_minimum;
            return false;
        }
        root.status = found.reduced_residual <= options_.tolerance_reduced * size
                          ? StartStatus::converged
                          : StartStatus::artefact;
        return root.status == StartStatus::converged;
    }

    [[nodiscard]] Index nearest_within(const RowMatrix& state) const {
        for (std::size_t p = 0; p < found_.size(); ++p)
            if ((found_[p].state - state).norm() <= options_.distinct.tolerance)
                return static_cast<Index>(p);
        return -1;
    }

    void note_round() {
        result_.rounds.push_back(count());
        result_.round_index.push_back(
            std::accumulate(found_.begin(), found_.end(), Index{0},
                            [](Index sum, const Found& found) { return sum + found.index; }));
    }

    void measure_effort() {
        double sum = 0;
        for (const auto iterations : result_.starts.iterations) sum += iterations;
        result_.mean_iterations = sum / static_cast<double>(std::max<Index>(1, starts_.rows()));
    }

    // Saddles sit between attractors: midpoints of all pairs, nearest first, until a round finds
    // nothing new. Points that are not isolated have no partners.
    void expand(const Solve& from) {
        for (std::int32_t round = 1; round <= options_.expand_rounds; ++round) {
            const Index before = count();
            const RowMatrix middle = midpoints();
            if (middle.rows() == 0) return;
            from(middle, round, nullptr);
            note_round();
            if (count() == before) return;
        }
    }

    RowMatrix midpoints() {
        struct Pair {
            double distance;
            Index a, b;
        };
        std::vector<Pair> pairs;
        for (Index a = 0; a < count(); ++a)
            for (Index b = 0; b < a; ++b) {
                const Found &one = found_[static_cast<std::size_t>(a)],
                            &other = found_[static_cast<std::size_t>(b)];
                if (one.index == 0 || other.index == 0 || tried_.count({a, b}) > 0) continue;
                pairs.push_back({(one.state - other.state).squaredNorm(), a, b});
            }
        std::stable_sort(pairs.begin(), pairs.end(),
                         [](const Pair& p, const Pair& q) { return p.distance < q.distance; });
        if (static_cast<Index>(pairs.size()) > options_.expand_max)
            pairs.resize(static_cast<std::size_t>(options_.expand_max));
        RowMatrix middle(static_cast<Index>(pairs.size()), map_.size());
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            tried_.insert({pairs[i].a, pairs[i].b});
            middle.row(static_cast<Index>(i)) =
                0.5 * (found_[static_cast<std::size_t>(pairs[i].a)].argument +
                       found_[static_cast<std::size_t>(pairs[i].b)].argument);
        }
        return middle;
    }

    void finish() {
        drop_lonely();
        fill_points();
        const auto order = canonical_order(result_.points);
        std::vector<std::int32_t> place(order.size());
        for (std::size_t i = 0; i < order.size(); ++i)
            place[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
        result_.points = result_.points.chosen(order);
        bool degenerate = false;
        for (std::size_t s = 0; s < result_.starts.point.size(); ++s) {
            auto& point = result_.starts.point[s];
            if (point >= 0) point = place[static_cast<std::size_t>(point)];
            if (result_.starts.status[s] == StartStatus::artefact) ++result_.artefacts;
        }
        for (const auto index : result_.points.poincare_index) {
            result_.index_sum += index;
            degenerate = degenerate || index == 0;
        }
        if (map_.dynamics().maps_ball_into_itself() && !degenerate)
            result_.complete = result_.index_sum == 1 ? Completeness::yes : Completeness::no;
    }

    // Points without a neighbour within reach, where that rule is asked for.
    void drop_lonely() {
        RowMatrix states(count(), map_.dynamics().state_size());
        for (Index p = 0; p < count(); ++p)
            states.row(p) = found_[static_cast<std::size_t>(p)].state;
        const auto lonely = lonely_rows(states, options_.distinct.neighbour_outlier);
        std::vector<Found> kept;
        std::vector<std::int32_t> place(found_.size(), -1);
        for (std::size_t p = 0; p < found_.size(); ++p) {
            if (lonely[p]) continue;
            place[p] = static_cast<std::int32_t>(kept.size());
            kept.push_back(found_[p]);
        }
        found_ = std::move(kept);
        for (std::size_t s = 0; s < result_.starts.point.size(); ++s) {
            auto& point = result_.starts.point[s];
            if (point < 0) continue;
            point = place[static_cast<std::size_t>(point)];
            if (point < 0) result_.starts.status[s] = StartStatus::outlier;
        }
    }

    void fill_points() {
        Points& points = result_.points;
        const Dynamics& d = map_.dynamics();
        points.state.resize(count(), d.state_size());
        points.input = map_.input().replicate(count(), 1);
        points.q.resize(count());
        points.residual_inf.resize(count());
        points.reduced_residual_inf.resize(count());
        for (Index p = 0; p < count(); ++p) {
            const Found& found = found_[static_cast<std::size_t>(p)];
            points.state.row(p) = found.state;
            points.q(p) = found.q;
            points.residual_inf(p) = found.residual;
            points.reduced_residual_inf(p) = found.reduced_residual;
            points.input_id.push_back(0);
            points.kind.push_back(PointKind::fixed);
            points.found_in_round.push_back(found.round);
            points.poincare_index.push_back(found.index);
            if (options_.certify) points.certificates.push_back(found.certificate);
        }
        points.hits.assign(found_.size(), 0);
        for (const auto point : result_.starts.point)
            if (point >= 0) ++points.hits[static_cast<std::size_t>(point)];
        points.n_unstable.resize(found_.size());
        parallel_blocks(count(), run_.threads, [&](Index p) {
            const Matrix j = d.jacobian_state(map_.input(), points.state.row(p));
            points.n_unstable[static_cast<std::size_t>(p)] =
                static_cast<std::int32_t>(unstable_dimensions(j));
        });
    }

    RestMap map_;
    const RowMatrix& starts_;
    const SearchOptions& options_;
    const Execution& run_;
    StartCloud cloud_;
    double q_scale_; // solvers take half
    std::vector<Found> found_;
    KnownRoots known_;
    std::set<std::pair<Index, Index>> tried_;
    SearchResult result_;
};

} // namespace

Vector speed(const RowMatrix& residual, SpeedNorm norm) {
    const double scale = norm == SpeedNorm::half
                             ? 0.5
                             : 1 / static_cast<double>(std::max<Index>(1, residual.cols()));
    return scale * residual.rowwise().squaredNorm();
}

std::vector<Index> canonical_order(const Points& points) {
    constexpr double kGrid = 1e6;
    std::vector<Index> order(static_cast<std::size_t>(points.count()));
    std::iota(order.begin(), order.end(), Index{0});
    const RowMatrix rounded = (points.state * kGrid).array().round();
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
        const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
        if (points.input_id[i] != points.input_id[j])
            return points.input_id[i] < points.input_id[j];
        if (points.n_unstable[i] != points.n_unstable[j])
            return points.n_unstable[i] < points.n_unstable[j];
        return std::lexicographical_compare(
            rounded.row(a).data(), rounded.row(a).data() + rounded.cols(), rounded.row(b).data(),
            rounded.row(b).data() + rounded.cols());
    });
    return order;
}

namespace {

void check_shapes(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts) {
    if (x.rows() != 1 || x.cols() != dynamics.inputs())
        throw Error(
            concat("an input of ", x.cols(), " numbers, the cell takes ", dynamics.inputs()));
    if (starts.cols() != dynamics.state_size())
        throw Error(concat("states have ", starts.cols(), " columns, the ", dynamics.description(),
                           " state needs ", dynamics.state_size()));
}

} // namespace

SearchResult search_exact(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                          const SearchOptions& options, const Execution& run) {
    check_shapes(dynamics, x, starts);
    return Search(dynamics, x, starts, options, run)();
}

SearchResult collect_points(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                            const Descent& descend, const SearchOptions& options,
                            const Execution& run) {
    check_shapes(dynamics, x, starts);
    return Search(dynamics, x, starts, options, run).collect(descend);
}

} // namespace assay::fixedpoints
