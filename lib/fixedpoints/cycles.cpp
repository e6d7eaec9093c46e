#include <assay/fixedpoints/cycles.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/random.hpp>
#include <assay/fixedpoints/tangents.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr double kAtRest = 1e-8, kReturn = 1e-8;
constexpr double kVanished = 1e-14; // what rounding leaves of a direction that depends on others
constexpr double kStandardErrors = 3;
constexpr double kBlockBytes = 64 * 1024 * 1024;
constexpr Index kMostStarts = 128; // in one block

// Directions that lie in no null space by chance (exponents x state size).
RowMatrix generic_directions(Index exponents, Index size) {
    const Random random(0, "fixedpoints/cycles/direction");
    RowMatrix rows(exponents, size);
    for (Index k = 0; k < exponents; ++k)
        for (Index i = 0; i < size; ++i)
            rows(k, i) =
                random.normal(static_cast<std::uint64_t>(i), {static_cast<std::uint64_t>(k), 0, 0});
    return rows;
}

// Orthonormal rows by modified Gram-Schmidt; returns ln of the lengths R_kk. A direction that the
// others span to rounding counts as lost: ln 0, and that row of `generic` takes its place.
Eigen::RowVectorXd orthonormalise(Eigen::Ref<RowMatrix> rows, const RowMatrix& generic) {
    Eigen::RowVectorXd logs(rows.rows());
    for (Index k = 0; k < rows.rows(); ++k) {
        const double whole = rows.row(k).norm();
        const auto project = [&] {
            for (Index j = 0; j < k; ++j) rows.row(k) -= rows.row(k).dot(rows.row(j)) * rows.row(j);
            return rows.row(k).norm();
        };
        double left = project();
        logs(k) = std::log(left);
        if (!(left > kVanished * whole)) {
            logs(k) = -std::numeric_limits<double>::infinity();
            rows.row(k) = generic.row(k);
            left = project();
        }
        rows.row(k) /= left;
    }
    return logs;
}

struct Crossings {
    Index count = 0;
    double first = 0, last = 0; // in steps
    double squares = 0;         // of the intervals between them
    [[nodiscard]] double period() const {
        return count < 3 ? kNaN : (last - first) / static_cast<double>(count - 1);
    }
    [[nodiscard]] double relative_error() const {
        const auto intervals = static_cast<double>(count - 1);
        const double variance = squares / intervals - period() * period();
        return std::sqrt(std::max(0.0, variance) / intervals) / period();
    }
};

Crossings upward_crossings(const Vector& signal) {
    const Vector y = signal.array() - signal.mean();
    Crossings result;
    for (Index t = 0; t + 1 < y.size(); ++t) {
        if (!(y(t) < 0 && y(t + 1) >= 0)) continue;
        const double at = static_cast<double>(t) - y(t) / (y(t + 1) - y(t));
        if (result.count++ == 0)
            result.first = at;
        else
            result.squares += (at - result.last) * (at - result.last);
        result.last = at;
    }
    return result;
}

// Scores of the centred rows on their two leading principal components (steps x 2 or fewer).
RowMatrix leading_plane(const RowMatrix& centred) {
    const Matrix scatter = centred.transpose() * centred;
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(scatter);
    const Index planes = std::min<Index>(2, scatter.cols());
    return centred * solver.eigenvectors().rightCols(planes).rowwise().reverse();
}

// Angles between successive states of a plane.
Vector rotations(const RowMatrix& plane) {
    if (plane.cols() < 2) return {};
    Vector angle(plane.rows() - 1);
    for (Index t = 0; t < angle.size(); ++t) {
        const double cross = plane(t, 0) * plane(t + 1, 1) - plane(t, 1) * plane(t + 1, 0);
        angle(t) = std::atan2(cross, plane.row(t).dot(plane.row(t + 1)));
    }
    return angle;
}

// Of the mean of all, from those of blocks (not of equal length where they do not divide).
double standard_error(const Vector& block_means) {
    const auto blocks = static_cast<double>(block_means.size());
    if (block_means.size() < 2) return kNaN;
    return std::sqrt((block_means.array() - block_means.mean()).square().sum() / (blocks - 1) /
                     blocks);
}

// The smallest number of steps after which the last state has been before, twice; 0: none.
Index whole_period(const RowMatrix& states) {
    const Index last = states.rows() - 1;
    const auto back = [&](Index steps) {
        return (states.row(last - steps) - states.row(last)).norm() <=
               kReturn * (1 + states.row(last).norm());
    };
    for (Index p = 1; 2 * p <= last; ++p)
        if (back(p) && back(2 * p)) return p;
    return 0;
}

// Starts that one thread runs together.
class CycleBatch {
  public:
    CycleBatch(const Dynamics& dynamics, RowMatrix x, RowMatrix states, const CycleOptions& options,
               Index exponents)
        : dynamics_(dynamics), options_(options), x_(std::move(x)), count_(states.rows()),
          exponents_(exponents),
          generic_(generic_directions(exponents, states.cols())), at_{std::move(states), {}} {
        RowMatrix directions = generic_;
        orthonormalise(directions, generic_);
        at_.directions = directions.replicate(count_, 1);
        diverged_.assign(static_cast<std::size_t>(count_), 0);
    }

    void run() {
        for (Index t = 0; t < options_.transient; ++t) advance_all();
        sums_.assign(static_cast<std::size_t>(options_.blocks),
                     RowMatrix::Zero(count_, exponents_));
        history_.assign(static_cast<std::size_t>(count_),
                        RowMatrix(options_.steps + 1, at_.state.cols()));
        outputs_.resize(options_.steps + 1, options_.output ? count_ : 0);
        record(0);
        for (Index t = 0; t < options_.steps; ++t) {
            const RowMatrix logarithms = advance_all();
            sums_[static_cast<std::size_t>(t * options_.blocks / options_.steps)] += logarithms;
            record(t + 1);
        }
    }

    // Writes the rows first ... of the result.
    void report(LongRun& result, Index first) const {
        for (Index b = 0; b < count_; ++b) report_one(result, first + b, b);
    }

  private:
    // States that diverge are held at zero, so that they do not disturb.
    RowMatrix advance_all() {
        at_ = tangent_step(dynamics_, x_, at_.state, at_.directions);
        RowMatrix logarithms(count_, exponents_);
        for (Index b = 0; b < count_; ++b) {
            auto directions = at_.directions.middleRows(b * exponents_, exponents_);
            if (!(at_.state.row(b).norm() <= kDivergedNorm) || !directions.allFinite()) {
                diverged_[static_cast<std::size_t>(b)] = 1;
                at_.state.row(b).setZero();
                directions = generic_;
            }
            logarithms.row(b) = orthonormalise(directions, generic_);
        }
        return logarithms;
    }

    void record(Index t) {
        for (Index b = 0; b < count_; ++b)
            history_[static_cast<std::size_t>(b)].row(t) = at_.state.row(b);
        if (options_.output)
            outputs_.row(t) = dynamics_.readout(at_.state).col(*options_.output).transpose();
    }

    [[nodiscard]] RowMatrix input(Index b) const { return x_.row(x_.rows() == 1 ? 0 : b); }

    // Block i holds the steps t with floor(t blocks / steps) = i.
    [[nodiscard]] Index first_step(Index block) const {
        return (block * options_.steps + options_.blocks - 1) / options_.blocks;
    }

    void report_exponents(LongRun& result, Index row, Index b) const {
        for (Index k = 0; k < exponents_; ++k) {
            Vector means(options_.blocks);
            double total = 0;
            for (Index i = 0; i < options_.blocks; ++i) {
                const double sum = sums_[static_cast<std::size_t>(i)](b, k);
                means(i) = sum / static_cast<double>(first_step(i + 1) - first_step(i));
                total += sum;
            }
            result.lyapunov(row, k) = total / static_cast<double>(options_.steps);
            result.lyapunov_error(row, k) = standard_error(means);
        }
    }

    void report_rotation(LongRun& result, Index row, const RowMatrix& plane) const {
        const Vector angle = rotations(plane);
        if (angle.size() == 0) return;
        Vector means(options_.blocks);
        for (Index i = 0; i < options_.blocks; ++i)
            means(i) = angle.segment(first_step(i), first_step(i + 1) - first_step(i)).mean();
        result.rotation(row) = std::abs(angle.mean());
        result.rotation_error(row) = standard_error(means);
    }

    void report_one(LongRun& result, Index row, Index b) const {
        const auto i = static_cast<std::size_t>(b);
        auto& motion = result.motion[static_cast<std::size_t>(row)];
        if (diverged_[i]) {
            motion = Motion::diverged;
            return;
        }
        const RowMatrix& states = history_[i];
        result.state.row(row) = states.bottomRows(1);
        result.mean.row(row) = states.colwise().mean();
        result.speed(row) =
            (dynamics_.step(input(b), states.bottomRows(1)) - states.bottomRows(1)).norm();
        report_exponents(result, row, b);
        if (result.speed(row) < kAtRest) {
            motion = Motion::fixed;
            return;
        }
        const RowMatrix plane = leading_plane(states.rowwise() - states.colwise().mean());
        const Vector section = options_.output ? Vector(outputs_.col(b)) : Vector(plane.col(0));
        const Crossings crossings = upward_crossings(section);
        result.amplitude(row) = std::sqrt(2 * (section.array() - section.mean()).square().mean());
        report_rotation(result, row, plane);
        result.period(row) = crossings.period();
        result.frequency(row) = 2 * kPi / (result.period(row) * dynamics_.dt());
        result.frequency_error(row) = result.frequency(row) * crossings.relative_error();
        const double first = result.lyapunov(row, 0);
        const Index whole = whole_period(states);
        if (whole > 0) {
            motion = Motion::periodic;
            result.period(row) = static_cast<double>(whole);
        } else if (crossings.count < 3) {
            motion = Motion::unresolved;
        } else if (first > kStandardErrors * result.lyapunov_error(row, 0) &&
                   first > 1 / static_cast<double>(options_.steps)) {
            motion = Motion::chaotic;
        } else {
            motion = Motion::quasi_periodic;
        }
        report_floquet(result, row, b, whole);
    }

    void report_floquet(LongRun& result, Index row, Index b, Index whole) const {
        if (!(result.period(row) > 0)) return;
        result.floquet_exponents.row(row) = result.lyapunov.row(row) * result.period(row);
        if (whole == 0) {
            result.floquet_multipliers.row(row) =
                result.floquet_exponents.row(row).array().exp().cast<std::complex<double>>();
            return;
        }
        const Index size = at_.state.cols();
        TangentStep around{history_[static_cast<std::size_t>(b)].bottomRows(1),
                           RowMatrix::Identity(size, size)};
        for (Index t = 0; t < whole; ++t)
            around = tangent_step(dynamics_, input(b), around.state, around.directions);
        // Rows are images of unit vectors: the transpose, with the same eigenvalues.
        const EigenSystem system = eigen_system(around.directions, 0);
        result.floquet_multipliers.row(row) = system.values.head(exponents_).transpose();
    }

    const Dynamics& dynamics_;
    const CycleOptions& options_;
    RowMatrix x_;
    Index count_, exponents_;
    RowMatrix generic_;
    TangentStep at_;
    std::vector<char> diverged_;
    std::vector<RowMatrix> sums_;    // a block of steps: starts x exponents
    std::vector<RowMatrix> history_; // a start: steps + 1 x state size
    RowMatrix outputs_;              // steps + 1 x starts
};

void check_cycle_search(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                        const CycleOptions& options) {
    const auto at_least = [](const char* name, Index value, Index least) {
        if (value < least) throw Error(concat(name, " ", value, ": must be >= ", least));
    };
    at_least("transient", options.transient, 0);
    at_least("steps", options.steps, 1);
    at_least("lyapunov", options.exponents, 1);
    at_least("blocks", options.blocks, 1);
    if (options.blocks > options.steps)
        throw Error(concat(options.blocks, " blocks of ", options.steps, " steps"));
    if (options.output && (*options.output < 0 || *options.output >= dynamics.outputs()))
        throw Error(concat("output ", *options.output, ": the network has ", dynamics.outputs()));
    if (starts.cols() != dynamics.state_size())
        throw Error(concat("starts have ", starts.cols(), " columns, the state needs ",
                           dynamics.state_size()));
    if (x.rows() != 1 && x.rows() != starts.rows())
        throw Error(concat(x.rows(), " inputs for ", starts.rows(), " starts"));
}

} // namespace

LongRun run_long(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                 const CycleOptions& options, const Execution& run) {
    check_cycle_search(dynamics, x, starts, options);
    const Phase phase(*run.monitor, "long runs");
    const Index count = starts.rows(), size = starts.cols();
    const Index exponents = std::min(options.exponents, size);
    LongRun result;
    result.motion.resize(static_cast<std::size_t>(count));
    for (Vector* vector : {&result.speed, &result.period, &result.frequency, &result.amplitude,
                           &result.rotation, &result.frequency_error, &result.rotation_error})
        *vector = Vector::Constant(count, kNaN);
    for (RowMatrix* matrix : {&result.lyapunov, &result.lyapunov_error, &result.floquet_exponents})
        *matrix = RowMatrix::Constant(count, exponents, kNaN);
    for (RowMatrix* matrix : {&result.mean, &result.state})
        *matrix = RowMatrix::Constant(count, size, kNaN);
    result.floquet_multipliers = ComplexMatrix::Constant(count, exponents, {kNaN, kNaN});
    const double bytes = static_cast<double>((options.steps + 1) * size) * sizeof(double);
    const Blocks blocks{count,
                        std::clamp(static_cast<Index>(kBlockBytes / bytes), Index{1}, kMostStarts)};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        run.monitor->stop_if_interrupted();
        const Index first = blocks.begin(block), extent = blocks.extent(block);
        CycleBatch batch(dynamics, x.rows() == 1 ? x : RowMatrix(x.middleRows(first, extent)),
                         starts.middleRows(first, extent), options, exponents);
        batch.run();
        batch.report(result, first);
    });
    return result;
}

double crossing_frequency(const Vector& signal, double dt) {
    return 2 * kPi / (upward_crossings(signal).period() * dt);
}

} // namespace assay::fixedpoints
