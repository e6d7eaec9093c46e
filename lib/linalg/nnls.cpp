#include <assay/linalg/nnls.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace assay::linalg {
namespace {

// One byte a variable: 1 where it is passive (free to be positive).
using PassiveSet = std::string;

constexpr Index kFullExchanges =
    3; // non-improving full exchanges before single ones (Kim and Park, section 4)
constexpr std::size_t kCachedFactors = 1024;

struct Column {
    PassiveSet passive;
    Index fewest_infeasible = 0;
    Index trials_left = kFullExchanges;
    Index exchanges = 0;
};

} // namespace

struct NnlsSolver::State {
    struct Factor {
        std::vector<Index> variables;
        Eigen::LLT<Matrix> cholesky;
    };
    Matrix gram;  // scaled to a unit diagonal, so that no variable is small beside another
    Vector scale; // x = scale * (solution of the scaled problem); 0 for what nothing observes
    std::vector<bool> dead;
    std::map<PassiveSet, Factor> factors;
    Index fallbacks = 0;

    const Factor& factor(const PassiveSet& passive);
    void solve_passive(const PassiveSet& passive, const std::vector<Index>& columns,
                       const Matrix& right_sides, Matrix& x);
    [[nodiscard]] std::vector<Index> infeasible(const PassiveSet& passive,
                                                const Eigen::Ref<const Vector>& x,
                                                const Eigen::Ref<const Vector>& right_side) const;
    void coordinate_descent(const Eigen::Ref<const Vector>& right_side, Eigen::Ref<Vector> x) const;
};

const NnlsSolver::State::Factor& NnlsSolver::State::factor(const PassiveSet& passive) {
    const auto found = factors.find(passive);
    if (found != factors.end()) return found->second;
    if (factors.size() >= kCachedFactors) factors.clear();
    Factor& made = factors[passive];
    for (Index i = 0; i < gram.rows(); ++i)
        if (passive[static_cast<std::size_t>(i)] == 1) made.variables.push_back(i);
    const auto size = static_cast<Index>(made.variables.size());
    Matrix block(size, size);
    for (Index j = 0; j < size; ++j)
        for (Index i = 0; i < size; ++i)
            block(i, j) = gram(made.variables[static_cast<std::size_t>(i)],
                               made.variables[static_cast<std::size_t>(j)]);
    made.cholesky.compute(block);
    double shift = 1e-12 * gram.trace() / static_cast<double>(gram.rows());
    while (made.cholesky.info() != Eigen::Success) {
        block.diagonal().array() += shift;
        shift *= 10;
        made.cholesky.compute(block);
    }
    return made;
}

void NnlsSolver::State::solve_passive(const PassiveSet& passive, const std::vector<Index>& columns,
                                      const Matrix& right_sides, Matrix& x) {
    for (const Index column : columns) x.col(column).setZero();
    const Factor& made = factor(passive);
    if (made.variables.empty()) return;
    const auto size = static_cast<Index>(made.variables.size());
    Matrix reduced(size, static_cast<Index>(columns.size()));
    for (Index j = 0; j < reduced.cols(); ++j)
        for (Index i = 0; i < size; ++i)
            reduced(i, j) = right_sides(made.variables[static_cast<std::size_t>(i)],
                                        columns[static_cast<std::size_t>(j)]);
    made.cholesky.solveInPlace(reduced);
    for (Index j = 0; j < reduced.cols(); ++j)
        for (Index i = 0; i < size; ++i)
            x(made.variables[static_cast<std::size_t>(i)], columns[static_cast<std::size_t>(j)]) =
                reduced(i, j);
}

std::vector<Index> NnlsSolver::State::infeasible(const PassiveSet& passive,
                                                 const Eigen::Ref<const Vector>& x,
                                                 const Eigen::Ref<const Vector>& right_side) const {
    const double tolerance = 1e-12 * std::max(1.0, right_side.cwiseAbs().maxCoeff());
    const Vector gradient = gram * x - right_side;
    std::vector<Index> found;
    for (Index i = 0; i < x.size(); ++i) {
        if (dead[static_cast<std::size_t>(i)]) continue;
        const bool is_passive = passive[static_cast<std::size_t>(i)] == 1;
        if (is_passive ? x(i) < -tolerance : gradient(i) < -tolerance) found.push_back(i);
    }
    return found;
}

void NnlsSolver::State::coordinate_descent(const Eigen::Ref<const Vector>& right_side,
                                           Eigen::Ref<Vector> x) const {
    constexpr int kSweeps = 200;
    x = x.cwiseMax(0.0);
    for (int sweep = 0; sweep < kSweeps; ++sweep)
        for (Index i = 0; i < x.size(); ++i) {
            if (dead[static_cast<std::size_t>(i)]) continue;
            x(i) = std::max(0.0, x(i) - (gram.col(i).dot(x) - right_side(i)) / gram(i, i));
        }
}

NnlsSolver::NnlsSolver(Matrix gram) : state_(std::make_unique<State>()) {
    state_->scale = Vector::Zero(gram.rows());
    for (Index i = 0; i < gram.rows(); ++i) {
        state_->dead.push_back(!(gram(i, i) > std::numeric_limits<double>::min()));
        if (!state_->dead.back()) state_->scale(i) = 1 / std::sqrt(gram(i, i));
    }
    state_->gram = state_->scale.asDiagonal() * gram * state_->scale.asDiagonal();
}

NnlsSolver::~NnlsSolver() = default;
NnlsSolver::NnlsSolver(NnlsSolver&&) noexcept = default;

Index NnlsSolver::fallbacks() const {
    return state_->fallbacks;
}

Matrix NnlsSolver::solve(const Matrix& unscaled_right_sides, const Matrix& start) {
    const Matrix right_sides = state_->scale.asDiagonal() * unscaled_right_sides;
    const Index size = state_->gram.rows();
    Matrix x = Matrix::Zero(size, right_sides.cols());
    std::vector<Column> columns(static_cast<std::size_t>(right_sides.cols()));
    std::map<PassiveSet, std::vector<Index>> pending;
    for (Index j = 0; j < right_sides.cols(); ++j) {
        Column& column = columns[static_cast<std::size_t>(j)];
        column.passive.assign(static_cast<std::size_t>(size), 0);
        column.fewest_infeasible = size + 1;
        for (Index i = 0; start.size() > 0 && i < size; ++i)
            if (start(i, j) > 0 && !state_->dead[static_cast<std::size_t>(i)])
                column.passive[static_cast<std::size_t>(i)] = 1;
        pending[column.passive].push_back(j);
    }
    while (!pending.empty()) {
        std::map<PassiveSet, std::vector<Index>> next;
        for (const auto& [passive, group] : pending) {
            state_->solve_passive(passive, group, right_sides, x);
            for (const Index j : group) {
                Column& column = columns[static_cast<std::size_t>(j)];
                auto wrong = state_->infeasible(passive, x.col(j), right_sides.col(j));
                if (wrong.empty()) continue;
                if (++column.exchanges > 5 * size) {
                    ++state_->fallbacks;
                    state_->coordinate_descent(right_sides.col(j), x.col(j));
                    continue;
                }
                const auto count = static_cast<Index>(wrong.size());
                if (count < column.fewest_infeasible) {
                    column.fewest_infeasible = count;
                    column.trials_left = kFullExchanges;
                } else if (column.trials_left > 0) {
                    --column.trials_left;
                } else {
                    wrong.erase(wrong.begin(),
                                wrong.end() - 1); // the largest index alone: cannot cycle
                }
                for (const Index i : wrong) column.passive[static_cast<std::size_t>(i)] ^= 1;
                next[column.passive].push_back(j);
            }
        }
        pending = std::move(next);
    }
    return state_->scale.asDiagonal() * x.cwiseMax(0.0);
}

} // namespace assay::linalg
