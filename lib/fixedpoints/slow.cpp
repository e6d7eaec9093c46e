#include <assay/fixedpoints/slow.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/root_solver.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

namespace assay::fixedpoints {
namespace {

constexpr double kStepTolerance = 1e-10; // times 1 + |h|
constexpr double kLongestStep = 1;
constexpr double kNormalShift = 1e-14;   // of A^T A, against exact zeros
constexpr double kRitzTolerance = 1e-13; // residual of a slow eigenpair, relative to |A^T A|
constexpr int kMostSweeps = 40;
constexpr Index kSpareVectors = 3; // beyond the slow ones: they speed the iteration up

// The slow right singular vectors of A, as eigenvectors of A^T A.
struct SlowSpace {
    Matrix basis; // S x k
};

// How many of the ascending eigenvalues of A^T A are slow.
Index count_slow(const Vector& ascending, const SlowOptions& options) {
    if (options.dimension > 0) return std::min(options.dimension, ascending.size());
    return (ascending.array() <= options.cut * options.cut).count();
}

SlowSpace decompose(const Matrix& normal, const SlowOptions& options) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(normal);
    return {solver.eigenvectors().leftCols(count_slow(solver.eigenvalues(), options))};
}

// A^T A with its factor, for one step.
class Normal {
  public:
    Normal(const Eigen::Ref<const RowMatrix>& a, const SlowOptions& options)
        : options_(options), matrix_(a.cols(), a.cols()) {
        matrix_.setZero();
        matrix_.selfadjointView<Eigen::Lower>().rankUpdate(a.transpose());
        matrix_.triangularView<Eigen::StrictlyUpper>() = matrix_.transpose();
        Matrix shifted = matrix_;
        shifted.diagonal().array() +=
            kNormalShift * matrix_.trace() / static_cast<double>(a.cols());
        factor_.compute(shifted);
    }
    // By inverse subspace iteration from `guess`; a full decomposition where it does not settle.
    [[nodiscard]] SlowSpace slow_space(const Matrix& guess) const {
        if (factor_.info() != Eigen::Success) return decompose(matrix_, options_);
        const Index size = matrix_.rows();
        Index block = std::min(size, std::max(options_.dimension, guess.cols()) + kSpareVectors);
        while (block < size) {
            SlowSpace found;
            const Outcome outcome = iterate(start(guess, block), found);
            if (outcome == Outcome::settled) return found;
            if (outcome == Outcome::stuck) break;
            block *= 2; // all of the block is slow: there may be more
        }
        return decompose(matrix_, options_);
    }
    // The solution of A^T A d = b outside a space.
    [[nodiscard]] Vector solve_outside(const Vector& b, const Matrix& basis) const {
        const auto outside = [&](const Vector& v) {
            return Vector(v - basis * (basis.transpose() * v));
        };
        return outside(factor_.solve(outside(b)));
    }

  private:
    enum class Outcome { settled, all_slow, stuck };
    [[nodiscard]] Matrix start(const Matrix& guess, Index block) const {
        const Random random(0, "fixedpoints/slow/start");
        Matrix q(matrix_.rows(), block);
        for (Index k = 0; k < block; ++k)
            for (Index i = 0; i < q.rows(); ++i)
                q(i, k) = k < guess.cols() ? guess(i, k)
                                           : random.normal(static_cast<std::uint64_t>(i),
                                                           {static_cast<std::uint64_t>(k), 0, 0});
        return q;
    }
    Outcome iterate(Matrix q, SlowSpace& found) const {
        const double size = matrix_.norm();
        const Matrix unit = Matrix::Identity(q.rows(), q.cols());
        for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
            q = Eigen::HouseholderQR<Matrix>(factor_.solve(q)).householderQ() * unit;
            const Matrix image = matrix_ * q;
            const Eigen::SelfAdjointEigenSolver<Matrix> ritz(q.transpose() * image);
            q *= ritz.eigenvectors();
            const Index slow = count_slow(ritz.eigenvalues(), options_);
            if (slow == q.cols()) return Outcome::all_slow;
            const Matrix residual =
                image * ritz.eigenvectors() - q * ritz.eigenvalues().asDiagonal();
            const Vector error = residual.colwise().norm();
            // The slow ones have settled, and the next one is surely not slow.
            const double next = ritz.eigenvalues()(slow);
            const bool apart =
                options_.dimension > 0 || error(slow) <= 0.5 * (next - options_.cut * options_.cut);
            if (apart && (slow == 0 || error.head(slow).maxCoeff() <= kRitzTolerance * size)) {
                found.basis = q.leftCols(slow);
                return Outcome::settled;
            }
        }
        return Outcome::stuck;
    }
    const SlowOptions& options_;
    Matrix matrix_;
    Eigen::LLT<Matrix> factor_;
};

// Where one start ended.
struct End {
    Eigen::RowVectorXd state, drift;
    StartStatus status = StartStatus::max_iterations;
    std::int32_t iterations = 0;
    Index slow_dimension = 0;
    double q = 0;
};

class SlowBatch {
  public:
    SlowBatch(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
              const SlowOptions& options, const Monitor& monitor)
        : dynamics_(dynamics), x_(x), options_(options), monitor_(monitor), states_(starts),
          ends_(static_cast<std::size_t>(starts.rows())),
          spaces_(static_cast<std::size_t>(starts.rows())) {}
    std::vector<End> run() {
        std::vector<Index> active(ends_.size());
        std::iota(active.begin(), active.end(), Index{0});
        while (!active.empty()) {
            monitor_.stop_if_interrupted();
            active = advance(active);
        }
        return std::move(ends_);
    }

  private:
    // One step of all; those that go on.
    std::vector<Index> advance(const std::vector<Index>& active) {
        RowMatrix at(static_cast<Index>(active.size()), states_.cols());
        for (std::size_t i = 0; i < active.size(); ++i)
            at.row(static_cast<Index>(i)) = states_.row(active[i]);
        const RowMatrix residual = dynamics_.step(x_, at) - at;
        RowMatrix jacobians = dynamics_.jacobian_state(x_, at);
        std::vector<Index> going;
        const Index n = states_.cols();
        for (std::size_t i = 0; i < active.size(); ++i) {
            auto a = jacobians.middleRows(static_cast<Index>(i) * n, n);
            a.diagonal().array() -= 1;
            if (step(active[i], residual.row(static_cast<Index>(i)), a)) going.push_back(active[i]);
        }
        return going;
    }
    bool step(Index start, const Eigen::Ref<const Eigen::RowVectorXd>& g,
              const Eigen::Ref<const RowMatrix>& a) {
        End& end = ends_[static_cast<std::size_t>(start)];
        Matrix& space = spaces_[static_cast<std::size_t>(start)];
        end.state = states_.row(start);
        end.q = speed(g, options_.norm)(0);
        if (!std::isfinite(end.q) || end.state.norm() > kDivergedNorm) {
            end.status = StartStatus::diverged;
            return false;
        }
        const Normal normal(a, options_);
        space = normal.slow_space(space).basis;
        end.slow_dimension = space.cols();
        end.drift = (space * (space.transpose() * g.transpose())).transpose();
        Vector d = -normal.solve_outside(a.transpose() * g.transpose(), space);
        if (!d.allFinite()) {
            end.status = StartStatus::diverged;
            return false;
        }
        const double length = d.norm();
        if (length < kStepTolerance * (1 + end.state.norm())) {
            end.status = StartStatus::converged;
            return false;
        }
        if (end.iterations >= options_.max_iterations) return false;
        ++end.iterations;
        if (length > kLongestStep) d *= kLongestStep / length;
        states_.row(start) += d.transpose();
        return true;
    }

    const Dynamics& dynamics_;
    const RowMatrix& x_;
    const SlowOptions& options_;
    const Monitor& monitor_;
    RowMatrix states_;
    std::vector<End> ends_;
    std::vector<Matrix> spaces_; // each start's slow basis, the guess of the next step
};

// Ends that rest well enough, in order of (q, state); others get their status.
std::vector<Index> slow_ends(std::vector<End>& ends, const SlowOptions& options) {
    std::vector<Index> order;
    for (std::size_t s = 0; s < ends.size(); ++s) {
        if (ends[s].status == StartStatus::converged && !(ends[s].q <= options.tolerance))
            ends[s].status = StartStatus::local_minimum; // it rests nowhere near
        if (ends[s].status == StartStatus::converged) order.push_back(static_cast<Index>(s));
    }
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
        const End &one = ends[static_cast<std::size_t>(a)],
                  &other = ends[static_cast<std::size_t>(b)];
        if (one.q != other.q) return one.q < other.q;
        return std::lexicographical_compare(one.state.data(), one.state.data() + one.state.size(),
                                            other.state.data(),
                                            other.state.data() + other.state.size());
    });
    return order;
}

// Among those, the ones that become points, in that order; others get their status.
std::vector<Index> thin(std::vector<End>& ends, const RowMatrix& starts,
                        const DistinctOptions& options, const std::vector<Index>& order,
                        StartRecord& record) {
    const StartCloud cloud(starts);
    std::vector<Index> kept;
    for (const Index s : order) {
        End& end = ends[static_cast<std::size_t>(s)];
        const auto same = std::find_if(kept.begin(), kept.end(), [&](Index k) {
            return (ends[static_cast<std::size_t>(k)].state - end.state).norm() <=
                   options.tolerance;
        });
        if (same != kept.end()) {
            end.status = StartStatus::duplicate;
        } else if (!cloud.holds(end.state, options)) {
            end.status = StartStatus::outlier;
            continue;
        } else if (static_cast<Index>(kept.size()) >= options.max_points) {
            end.status = StartStatus::left_out;
            continue;
        }
        record.point[static_cast<std::size_t>(s)] = static_cast<std::int32_t>(same - kept.begin());
        if (same == kept.end()) kept.push_back(s);
    }
    return kept;
}

// Those that have another within reach.
std::vector<Index> without_lonely(std::vector<End>& ends, const std::vector<Index>& kept,
                                  double reach, StartRecord& record) {
    RowMatrix states(static_cast<Index>(kept.size()), ends.empty() ? 0 : ends[0].state.size());
    for (std::size_t p = 0; p < kept.size(); ++p)
        states.row(static_cast<Index>(p)) = ends[static_cast<std::size_t>(kept[p])].state;
    const auto lonely = lonely_rows(states, reach);
    std::vector<Index> some;
    std::vector<std::int32_t> place(kept.size(), -1);
    for (std::size_t p = 0; p < kept.size(); ++p) {
        if (lonely[p]) continue;
        place[p] = static_cast<std::int32_t>(some.size());
        some.push_back(kept[p]);
    }
    for (std::size_t s = 0; s < ends.size(); ++s) {
        auto& point = record.point[s];
        if (point < 0) continue;
        point = place[static_cast<std::size_t>(point)];
        if (point < 0) ends[s].status = StartStatus::outlier;
    }
    return some;
}

} // namespace

SlowResult search_slow(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                       const SlowOptions& options, const Execution& run) {
    const Index n = dynamics.state_size();
    if (options.dimension >= n)
        throw Error(concat("--slow-dim ", options.dimension, " with a ", n,
                           "-dimensional state leaves no fast direction"));
    const Blocks batches{starts.rows(), batch_size(n)};
    std::vector<std::vector<End>> parts(static_cast<std::size_t>(batches.count()));
    std::atomic<Index> done{0};
    parallel_blocks(batches.count(), run.threads, [&](Index b) {
        parts[static_cast<std::size_t>(b)] =
            SlowBatch(dynamics, x, starts.middleRows(batches.begin(b), batches.extent(b)), options,
                      *run.monitor)
                .run();
        run.monitor->progress({static_cast<double>(done += batches.extent(b)),
                               static_cast<double>(starts.rows()), "starts", "slow points"});
    });
    std::vector<End> ends;
    for (auto& part : parts)
        for (End& end : part) ends.push_back(std::move(end));

    SlowResult result;
    StartRecord& record = result.starts;
    record.point.assign(ends.size(), -1);
    const auto order_of_ends = slow_ends(ends, options);
    const auto kept =
        without_lonely(ends, thin(ends, starts, options.distinct, order_of_ends, record),
                       options.distinct.neighbour_outlier, record);
    record.q_final.resize(starts.rows());
    result.best_q = std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < ends.size(); ++s) {
        record.status.push_back(ends[s].status);
        record.iterations.push_back(ends[s].iterations);
        record.q_final(static_cast<Index>(s)) = ends[s].q;
        if (ends[s].status != StartStatus::diverged)
            result.best_q = std::min(result.best_q, ends[s].q);
    }
    Points points;
    const auto count = static_cast<Index>(kept.size());
    points.state.resize(count, n);
    points.drift.resize(count, n);
    points.input = x.replicate(count, 1);
    points.q.resize(count);
    points.hits.assign(kept.size(), 0);
    for (Index p = 0; p < count; ++p) {
        const End& end = ends[static_cast<std::size_t>(kept[static_cast<std::size_t>(p)])];
        points.state.row(p) = end.state;
        points.drift.row(p) = end.drift;
        points.q(p) = end.q;
        points.input_id.push_back(0);
        points.kind.push_back(PointKind::slow);
        points.found_in_round.push_back(0);
        points.poincare_index.push_back(0);
        points.slow_dimension.push_back(static_cast<std::int32_t>(end.slow_dimension));
    }
    for (const auto point : record.point)
        if (point >= 0) ++points.hits[static_cast<std::size_t>(point)];
    const RowMatrix v = dynamics.reduced_part(points.state);
    points.residual_inf =
        (dynamics.step(x, points.state) - points.state).cwiseAbs().rowwise().maxCoeff();
    points.reduced_residual_inf = (dynamics.reduced(x, v) - v).cwiseAbs().rowwise().maxCoeff();
    points.n_unstable.resize(kept.size());
    parallel_blocks(count, run.threads, [&](Index p) {
        points.n_unstable[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(
            unstable_dimensions(dynamics.jacobian_state(x, points.state.row(p))));
    });
    const auto order = canonical_order(points);
    std::vector<std::int32_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        place[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
    for (auto& point : record.point)
        if (point >= 0) point = place[static_cast<std::size_t>(point)];
    result.points = points.chosen(order);
    return result;
}

} // namespace assay::fixedpoints
