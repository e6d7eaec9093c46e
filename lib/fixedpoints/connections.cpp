#include <assay/fixedpoints/connections.hpp>

#include <assay/core/error.hpp>
#include <assay/fixedpoints/tangents.hpp>

#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr int kRounds = 12, kShootingSteps = 8, kStepHalvings = 8;
constexpr double kLongestTurn = 0.3;      // radians
constexpr double kSolvedResidual = 1e-13; // of the residual
constexpr double kGain = 0.9;             // what a round must gain in distance
constexpr Index kLookAhead = 60;          // steps after the last approach where a nearer one may be
constexpr int kPieces = 50;
constexpr double kPieceGrowth = 1e10; // of errors in a piece
constexpr double kPieceGain = 0.99;
constexpr double kLargestCorrection = 1e-7; // relative to 1 + |h|

// Coordinates along the unstable directions of the saddle after `steps` steps.
class Target {
  public:
    Target(const Dynamics& dynamics, const RowMatrix& input, const ShootingTask& task)
        : dynamics_(dynamics), input_(input), task_(task) {}

    [[nodiscard]] RowMatrix start(const Vector& u) const { return task_.source.states(u); }
    [[nodiscard]] Vector residual(const Vector& u, Index steps) const {
        return unstable_part(advance(dynamics_, input_, start(u), steps));
    }
    // d residual / du.
    [[nodiscard]] Matrix slope(const Vector& u, Index steps) const {
        TangentStep at{start(u), task_.source.columns.transpose()};
        for (Index n = 0; n < steps; ++n)
            at = tangent_step(dynamics_, input_, at.state, at.directions);
        return task_.saddle_left * at.directions.transpose();
    }
    // The step of the nearest approach among the first `steps`.
    [[nodiscard]] Shot nearest(const Vector& u, Index steps) const {
        Shot best{u, 0, (start(u) - task_.saddle).norm()};
        RowMatrix state = start(u);
        for (Index n = 1; n <= steps; ++n) {
            state = dynamics_.step(input_, state);
            const double distance = (state - task_.saddle).norm();
            if (distance < best.distance) best = {u, n, distance};
        }
        return best;
    }

  private:
    [[nodiscard]] Vector unstable_part(const RowMatrix& state) const {
        return task_.saddle_left * (state - task_.saddle).transpose();
    }
    const Dynamics& dynamics_;
    const RowMatrix& input_;
    const ShootingTask& task_;
};

// Newton's method with halved steps on the unit sphere, at a fixed number of steps.
Vector solve_direction(const Target& target, Vector u, Index steps) {
    Vector r = target.residual(u, steps);
    for (int iteration = 0; iteration < kShootingSteps && r.norm() > kSolvedResidual; ++iteration) {
        const Matrix along = Matrix::Identity(u.size(), u.size()) - u * u.transpose();
        const Matrix slope = target.slope(u, steps) * along;
        Vector step = along * slope.completeOrthogonalDecomposition().solve(-r);
        if (!step.allFinite()) return u;
        step *= std::min(1.0, kLongestTurn / std::max(step.norm(), 1e-300));
        bool better = false;
        for (int halving = 0; halving < kStepHalvings && !better; ++halving, step /= 2) {
            const Vector next = (u + step).normalized();
            const Vector next_residual = target.residual(next, steps);
            better = next_residual.norm() < r.norm();
            if (!better) continue;
            u = next;
            r = next_residual;
        }
        if (!better) return u;
    }
    return u;
}

} // namespace

RowMatrix unstable_left_basis(const EigenSystem& system) {
    const Index count = count_unstable(system.values);
    Matrix columns(system.left.cols(), count);
    Index filled = 0;
    const auto add = [&](const Vector& column) {
        if (filled < count) columns.col(filled++) = column;
    };
    for (Index a = 0; a < system.left.rows() && filled < count; ++a) {
        const auto value = system.values(a);
        if (count_unstable(system.values.segment(a, 1)) == 0 || value.imag() < 0) continue;
        add(system.left.row(a).real().transpose());
        if (value.imag() > 0) add(system.left.row(a).imag().transpose());
    }
    if (filled < count)
        throw Error(concat("an eigen-system of ", system.left.rows(), " modes lacks ",
                           count - filled, " of ", count, " unstable ones"));
    const Matrix q =
        columns.householderQr().householderQ() * Matrix::Identity(columns.rows(), count);
    return q.transpose();
}

Shot shoot(const Dynamics& dynamics, const RowMatrix& input, const ShootingTask& task, Shot guess) {
    if (task.saddle_left.rows() >= task.source.dimensions())
        throw Error(concat("a point with ", task.source.dimensions(),
                           " unstable dimensions cannot be shot at one with ",
                           task.saddle_left.rows()));
    const Target target(dynamics, input, task);
    Shot best = std::move(guess);
    for (int round = 0; round < kRounds; ++round) {
        const Vector u = solve_direction(target, best.direction, best.steps);
        const Shot next = target.nearest(u, best.steps + kLookAhead);
        const bool gained = next.distance < kGain * best.distance;
        if (next.distance < best.distance) best = next;
        if (!gained) break;
    }
    return best;
}

namespace {

// Starts around a state on its way to a saddle, in the unstable coordinates of the latter. The
// state itself is that of the first direction.
Launch launch_from_orbit(const RowMatrix& state, const ShootingTask& task) {
    const RowMatrix apart = state - task.saddle;
    Matrix columns(apart.cols(), 1 + task.saddle_left.rows());
    columns << apart.transpose(), apart.norm() * task.saddle_left.transpose();
    return {task.saddle, std::move(columns), {}};
}

} // namespace

Aimed aim_again(const Dynamics& dynamics, const RowMatrix& input, const ShootingTask& task,
                const Shot& shot, double growth, double enough) {
    const auto back = static_cast<Index>(std::log(kPieceGrowth) / std::log(growth));
    ShootingTask piece = task;
    Shot best = shot;
    double largest = 0;
    for (int count = 0; count < kPieces && best.distance > enough; ++count) {
        const Index skipped = best.steps - back;
        if (skipped <= 0) break;
        const RowMatrix state =
            advance(dynamics, input, piece.source.states(best.direction), skipped);
        piece.source = launch_from_orbit(state, task);
        const Vector straight = Vector::Unit(piece.source.dimensions(), 0);
        Shot next = shoot(dynamics, input, piece, {straight, back, best.distance});
        const double correction =
            (piece.source.states(next.direction) - state).norm() / (1 + state.norm());
        if (!(correction <= kLargestCorrection)) break;
        largest = std::max(largest, correction);
        const bool gained = next.distance < kPieceGain * best.distance;
        best.distance = std::min(best.distance, next.distance);
        best.direction = std::move(next.direction);
        best.steps = next.steps;
        if (!gained) break;
    }
    return {best.distance, largest};
}

} // namespace assay::fixedpoints
