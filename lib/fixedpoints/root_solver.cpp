#include <assay/fixedpoints/root_solver.hpp>

#include <Eigen/Cholesky>
#include <Eigen/LU>

#include <algorithm>
#include <cmath>

namespace assay::fixedpoints {
namespace {

constexpr double kRoot = 1e-26;       // |g|^2 / 2 of a root
constexpr double kStuckAbove = 1e-20; // below it a slow descent is a fold, not a minimum
constexpr int kPatience = 20;         // iterations that may pass without progress
constexpr double kProgress = 0.9;     // of q
constexpr double kLargestLambda = 1e12, kLeastLambda = 1e-15;
constexpr double kLeastStep = 1e-15;
constexpr Index kBatch = 32;
constexpr double kChordFall = 0.25;               // what a chord may leave of q
constexpr Index kInverseNumbers = Index{1} << 23; // of known roots: 64 MB

using Row = Eigen::Ref<const Eigen::RowVectorXd>;
using Step = Eigen::RowVectorXd;

// Levenberg-Marquardt: (A^T A + lambda I) d = -A^T g. A rejected step raises lambda and keeps A^T
// A.
class DampedRule {
  public:
    explicit DampedRule(const SearchOptions& options) : lambda_(options.lambda) {}
    void refresh(const Eigen::Ref<const RowMatrix>& a, const Row& g) {
        normal_.setZero(a.cols(), a.cols());
        normal_.selfadjointView<Eigen::Lower>().rankUpdate(a.transpose());
        slope_.noalias() = a.transpose() * g.transpose();
    }
    void step(Step& d) {
        damped_ = normal_;
        damped_.diagonal().array() += lambda_;
        const Eigen::LLT<Eigen::Ref<Matrix>> cholesky(damped_);
        d = -cholesky.solve(slope_).transpose();
    }
    void accepted() { lambda_ = std::max(lambda_ / 5, kLeastLambda); }
    void rejected() { lambda_ *= 4; }
    [[nodiscard]] bool exhausted() const { return lambda_ > kLargestLambda; }

  private:
    double lambda_;
    Matrix normal_, damped_;
    Vector slope_;
};

// Newton with backtracking: a rejected step is halved.
class NewtonRule {
  public:
    explicit NewtonRule(const SearchOptions&) {}
    void refresh(const Eigen::Ref<const RowMatrix>& a, const Row& g) {
        direction_ = -Eigen::PartialPivLU<Matrix>(a).solve(Vector(g.transpose())).transpose();
    }
    void step(Step& d) { d = scale_ * direction_; }
    void accepted() { scale_ = 1; }
    void rejected() { scale_ /= 2; }
    [[nodiscard]] bool exhausted() const { return scale_ < kLeastScale; }

  private:
    static constexpr double kLeastScale = 1e-6;
    double scale_ = 1;
    Step direction_;
};

template <class Rule>
struct Walker {
    Walker(const SearchOptions& options, Index row) : rule(options), start(row) {}
    Rule rule;
    Index start;
    double best = 0;     // q at the last progress
    int idle = 0;        // iterations since then
    bool fresh = true;   // the Jacobian must be taken anew
    bool chord = false;  // the step is one with the inverse of a known root
    bool barred = false; // from chords: the last one failed
    Step step;
    void judge(bool accepted) {
        if (chord) {
            barred = !accepted;
        } else if (accepted) {
            rule.accepted();
            barred = false;
        } else {
            rule.rejected();
        }
    }
};

// Why a walker ends here, if it does.
template <class Rule>
bool ended(Walker<Rule>& walker, Root& root, const SearchOptions& options) {
    if (!std::isfinite(root.q) || root.argument.norm() > kDivergedNorm)
        root.status = StartStatus::diverged;
    else if (root.q < kRoot)
        root.status = StartStatus::converged;
    else if (walker.rule.exhausted() || walker.idle >= kPatience)
        root.status = root.q > kStuckAbove ? StartStatus::local_minimum : StartStatus::converged;
    else if (root.iterations >= options.max_iterations)
        root.status = StartStatus::max_iterations;
    else
        return false;
    return true;
}

template <class Rule>
class Batch {
  public:
    Batch(const RestMap& map, const RowMatrix& starts, const KnownRoots& known,
          const SearchOptions& options)
        : map_(map), known_(known), options_(options), points_(starts),
          residuals_(map.residual(starts)), roots_(static_cast<std::size_t>(starts.rows())) {
        for (Index b = 0; b < starts.rows(); ++b) {
            walkers_.emplace_back(options, b);
            Root& root = roots_[static_cast<std::size_t>(b)];
            root.argument = starts.row(b);
            root.q = 0.5 * residuals_.row(b).squaredNorm();
            walkers_.back().best = root.q;
        }
    }
    std::vector<Root> run() {
        retire();
        while (!walkers_.empty()) {
            take_jacobians();
            try_steps();
            retire();
        }
        return std::move(roots_);
    }

  private:
    // Walkers that have ended or were captured leave; rows of the rest are closed up.
    void retire() {
        Index kept = 0;
        for (std::size_t w = 0; w < walkers_.size(); ++w) {
            Walker<Rule>& walker = walkers_[w];
            Root& root = roots_[static_cast<std::size_t>(walker.start)];
            const auto row = static_cast<Index>(w);
            root.argument = points_.row(row);
            if (captured(walker, root, row) || ended(walker, root, options_)) continue;
            if (kept != row) {
                points_.row(kept) = points_.row(row);
                residuals_.row(kept) = residuals_.row(row);
                walkers_[static_cast<std::size_t>(kept)] = std::move(walker);
            }
            ++kept;
        }
        walkers_.erase(walkers_.begin() + kept, walkers_.end());
        points_.conservativeResize(kept, Eigen::NoChange);
        residuals_.conservativeResize(kept, Eigen::NoChange);
    }

    // Whether a walker is within certain capture of a known root, or a chord leads it there. Else
    // the next step is a chord if that promises to get closer.
    bool captured(Walker<Rule>& walker, Root& root, Index row) {
        walker.chord = false;
        const auto [known, distance] = known_.nearest(root.argument);
        if (known < 0) return false;
        double left = distance;
        if (left >= known_.capture(known)) {
            const Matrix& inverse = known_.inverse(known);
            if (walker.barred || inverse.size() == 0 || options_.chord_share == 0) return false;
            walker.step.noalias() = -residuals_.row(row) * inverse.transpose();
            left = (root.argument + walker.step - known_.argument(known)).norm();
            walker.chord = left < options_.chord_share * distance;
            if (left >= known_.capture(known)) return false;
            root.argument += walker.step;
            ++root.iterations;
        }
        root.captured_by = known_.id(known);
        root.status = StartStatus::converged;
        return true;
    }

    void take_jacobians() {
        for (std::size_t w = 0; w < walkers_.size(); ++w) {
            Walker<Rule>& walker = walkers_[w];
            if (walker.chord || !walker.fresh) continue;
            const auto row = static_cast<Index>(w);
            RowMatrix a = map_.jacobian(points_.row(row));
            a.diagonal().array() -= 1;
            walker.rule.refresh(a, residuals_.row(row));
            walker.fresh = false;
        }
    }

    void try_steps() {
        RowMatrix trial = points_;
        for (std::size_t w = 0; w < walkers_.size(); ++w) {
            if (!walkers_[w].chord) walkers_[w].rule.step(walkers_[w].step);
            trial.row(static_cast<Index>(w)) += walkers_[w].step;
        }
        const RowMatrix residual = map_.residual(trial);
        for (std::size_t w = 0; w < walkers_.size(); ++w) {
            Walker<Rule>& walker = walkers_[w];
            Root& root = roots_[static_cast<std::size_t>(walker.start)];
            const auto row = static_cast<Index>(w);
            const double q = 0.5 * residual.row(row).squaredNorm();
            const bool accepted = q < (walker.chord ? kChordFall : 1) * root.q;
            ++root.iterations;
            ++walker.idle;
            if (accepted) {
                points_.row(row) = trial.row(row);
                residuals_.row(row) = residual.row(row);
                root.q = q;
                walker.fresh = true;
            }
            walker.judge(accepted);
            if (root.q < kProgress * walker.best) {
                walker.best = root.q;
                walker.idle = 0;
            }
            // No step moves the point any more: it is as exact as the arithmetic.
            if (walker.step.norm() < kLeastStep * (1 + points_.row(row).norm()))
                walker.idle = kPatience;
        }
    }

    const RestMap& map_;
    const KnownRoots& known_;
    const SearchOptions& options_;
    RowMatrix points_, residuals_; // of the walkers, row by row
    std::vector<Root> roots_;      // of all starts
    std::vector<Walker<Rule>> walkers_;
};

} // namespace

KnownRoots::Near KnownRoots::nearest(const Eigen::Ref<const Eigen::RowVectorXd>& point) const {
    Near near;
    for (std::size_t k = 0; k < roots_.size(); ++k) {
        const double squared = (roots_[k].argument - point).squaredNorm();
        if (near.root >= 0 && squared >= near.distance) continue;
        near = {static_cast<Index>(k), squared};
    }
    near.distance = std::sqrt(near.distance);
    return near;
}

bool KnownRoots::keeps_inverse(Index ahead, Index dimension) const {
    return (static_cast<Index>(roots_.size()) + ahead) * dimension * dimension < kInverseNumbers;
}

void KnownRoots::add(Index id, const RowMatrix& argument, double capture, Matrix inverse) {
    roots_.push_back({id, argument.row(0), capture, std::move(inverse)});
}

Index batch_size(Index dimension) {
    return std::clamp<Index>((Index{1} << 20) / (dimension * dimension), 4, kBatch);
}

std::vector<Root> solve_batch(const RestMap& map, const RowMatrix& starts, const KnownRoots& known,
                              const SearchOptions& options) {
    if (options.solver == Solver::newton)
        return Batch<NewtonRule>(map, starts, known, options).run();
    return Batch<DampedRule>(map, starts, known, options).run();
}

RowMatrix polish(const RestMap& map, RowMatrix point, int steps) {
    RowMatrix g = map.residual(point);
    for (int i = 0; i < steps; ++i) {
        Matrix a = map.jacobian(point);
        a.diagonal().array() -= 1;
        const RowMatrix trial =
            point - Eigen::PartialPivLU<Matrix>(a).solve(Vector(g.row(0).transpose())).transpose();
        const RowMatrix residual = map.residual(trial);
        if (!(residual.norm() < g.norm())) break;
        point = trial;
        g = residual;
    }
    return point;
}

} // namespace assay::fixedpoints
