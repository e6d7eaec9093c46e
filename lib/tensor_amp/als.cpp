#include <assay/tensor_amp/als.hpp>

#include <assay/core/error.hpp>

#include <assay/tensor_amp/least_squares.hpp>
#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <assay/core/random.hpp>
#include <assay/linalg/assignment.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {

namespace {

constexpr int kLineSearchEvery = 5;

class AlsRun {
  public:
    AlsRun(const TensorSource& source, const AlsSettings& settings, double squared_norm,
           const Execution& run, const Keeping<AlsProgress>& keeping)
        : source_(source), settings_(settings), run_(run), squared_norm_(squared_norm),
          safe_points_(keeping, *run.monitor), values_(source),
          observed_(source, Content::observed), fixed_(flags(settings.fixed_modes)),
          nonnegative_(flags(settings.nonnegative_modes)) {
        for (Index a = 0; a < order(); ++a)
            if (!is(fixed_, a)) last_free_ = a;
        if (last_free_ < 0) throw Error("all modes are fixed; there is nothing to fit");
    }

    // The replicates of `starts`, after those of `progress`, to which they are added.
    void fit(const std::vector<Factors>& starts, AlsProgress& progress) {
        std::vector<AlsIterate>& replicates = progress.running;
        if (replicates.empty())
            for (const Factors& start : starts) replicates.push_back(begin(start));
        check(progress, starts);
        active_.clear();
        for (AlsIterate& replicate : replicates)
            if (replicate.running) active_.push_back(&replicate);
        while (progress.sweeps < settings_.max_iterations && !active_.empty()) {
            safe_points_.step([&] { return progress; }, [&] { sweep(progress.sweeps + 1); });
            ++progress.sweeps;
            ++sweeps_;
            finish_sweep(progress.sweeps);
        }
        for (std::size_t k = 0; k < starts.size(); ++k) {
            replicates[k].result.factors = in_model_units(replicates[k].now, starts[k]);
            progress.done.push_back(std::move(replicates[k].result));
        }
        replicates.clear();
        progress.sweeps = 0;
    }

    [[nodiscard]] int sweeps() const { return sweeps_; }

  private:
    [[nodiscard]] Index order() const { return source_.order(); }
    [[nodiscard]] Index rank() const { return settings_.rank; }
    [[nodiscard]] std::vector<bool> flags(const std::vector<Index>& modes) const {
        std::vector<bool> result(static_cast<std::size_t>(order()), false);
        for (const Index mode : modes) {
            if (mode < 0 || mode >= order())
                throw Error(
                    concat("mode ", mode, " was named; the tensor has modes 0 to ", order() - 1));
            result[static_cast<std::size_t>(mode)] = true;
        }
        return result;
    }
    [[nodiscard]] static bool is(const std::vector<bool>& flags, Index mode) {
        return flags[static_cast<std::size_t>(mode)];
    }

    [[nodiscard]] AlsIterate begin(const Factors& start) const {
        bool fits = static_cast<Index>(start.size()) == order();
        for (std::size_t a = 0; fits && a < start.size(); ++a)
            fits = start[a].rows() == source_.shape()[a] && start[a].cols() == rank();
        if (!fits) throw Error("a start does not have the shape of the tensor and the rank");
        AlsIterate replicate;
        replicate.now = unit_form(start);
        replicate.grams = gram_matrices(replicate.now.columns);
        return replicate;
    }

    // Whether iterates that were kept are of these starts.
    void check(const AlsProgress& progress, const std::vector<Factors>& starts) const {
        bool fits = progress.running.size() == starts.size();
        const auto look_at = [&](const UnitForm& form) {
            fits = fits && static_cast<Index>(form.columns.size()) == order() &&
                   form.weights.size() == rank();
            for (std::size_t a = 0; fits && a < form.columns.size(); ++a)
                fits = form.columns[a].rows() == source_.shape()[a] &&
                       form.columns[a].cols() == rank();
        };
        for (const AlsIterate& one : progress.running) {
            look_at(one.now);
            if (progress.sweeps > 0) look_at(one.before);
        }
        if (!fits) throw Error("the state to go on from does not fit the tensor and its starts");
    }

    [[nodiscard]] Factors in_model_units(const UnitForm& form, const Factors& start) const {
        MatrixXd norms(order(), rank());
        for (Index a = 0; a < order(); ++a)
            norms.row(a) = start[static_cast<std::size_t>(a)].colwise().norm();
        Factors factors = balanced_factors(form, fixed_, norms);
        for (std::size_t a = 0; a < factors.size(); ++a)
            if (fixed_[a]) factors[a] = start[a];
        return factors;
    }

    // The columns of all active replicates side by side; with `pairs` their pairwise products.
    [[nodiscard]] MatrixXd joint_mode(Index mode, bool pairs) const {
        const Index width = pairs ? pair_count(rank()) : rank();
        MatrixXd joint(source_.shape()[static_cast<std::size_t>(mode)],
                       width * static_cast<Index>(active_.size()));
        Index column = 0;
        for (const AlsIterate* replicate : active_) {
            const MatrixXd& x = replicate->now.columns[static_cast<std::size_t>(mode)];
            if (pairs)
                joint.middleCols(column, width) = pair_products(x);
            else
                joint.middleCols(column, width) = x;
            column += width;
        }
        return joint;
    }
    void join(Index mode) {
        joint_[static_cast<std::size_t>(mode)] = joint_mode(mode, false);
        if (source_.masked()) joint_pairs_[static_cast<std::size_t>(mode)] = joint_mode(mode, true);
    }
    void join_all() {
        joint_.resize(static_cast<std::size_t>(order()));
        joint_pairs_.resize(static_cast<std::size_t>(source_.masked() ? order() : 0));
        for (Index a = 0; a < order(); ++a) join(a);
    }

    void left_group_pass() {
        values_.right_partial(joint_, run_);
        if (source_.masked()) observed_.right_partial(joint_pairs_, run_);
    }
    void right_group_pass() {
        values_.left_partial(joint_, run_);
        if (source_.masked()) observed_.left_partial(joint_pairs_, run_);
    }

    // The normal equations of a mode, all active replicates side by side.
    struct Equations {
        MatrixXd products; // N_a x K r
        MatrixXd pairs;    // N_a x K r(r+1)/2; empty where nothing is missing
    };
    [[nodiscard]] Equations equations(Index mode) {
        Equations all;
        all.products = values_.contract(mode, joint_, run_);
        if (source_.masked()) all.pairs = observed_.contract(mode, joint_pairs_, run_);
        return all;
    }
    [[nodiscard]] MatrixXd products_of(const Equations& all, std::size_t k) const {
        return all.products.middleCols(static_cast<Index>(k) * rank(), rank());
    }
    [[nodiscard]] NormalMatrices normal_of(const Equations& all, std::size_t k, Index mode) const {
        NormalMatrices normal;
        const Index width = pair_count(rank());
        if (source_.masked())
            normal.packed = all.pairs.middleCols(static_cast<Index>(k) * width, width);
        else
            normal.common = hadamard_except(active_[k]->grams, {mode});
        return normal;
    }

    void sweep(int number) {
        join_all();
        bool have_pass = false;
        if (settings_.line_search && number > 2 && number % kLineSearchEvery == 0)
            have_pass = search_line(number);
        for (AlsIterate* replicate : active_) replicate->before = replicate->now;
        const Index split = values_.split();
        for (Index a = 0; a < order(); ++a) {
            if (a == 0 && !have_pass && any_free(0, split)) left_group_pass();
            if (a == split && any_free(split, order())) right_group_pass();
            if (is(fixed_, a)) continue;
            const Equations all = equations(a);
            for (std::size_t k = 0; k < active_.size(); ++k)
                update(*active_[k], a, normal_of(all, k, a), products_of(all, k));
            join(a);
        }
    }

    [[nodiscard]] bool any_free(Index first, Index last) const {
        for (Index a = first; a < last; ++a)
            if (!is(fixed_, a)) return true;
        return false;
    }

    void update(AlsIterate& replicate, Index mode, const NormalMatrices& normal,
                const MatrixXd& products) const {
        UnitForm& form = replicate.now;
        MatrixXd& columns = form.columns[static_cast<std::size_t>(mode)];
        MatrixXd x;
        if (is(nonnegative_, mode)) {
            x = columns * form.weights.asDiagonal();
            improve_nonnegative(x, normal, products, settings_.ridge, run_.threads);
        } else {
            x = solve_rows(normal, products, settings_.ridge, run_.threads);
        }
        if (mode == last_free_) measure(replicate, x, normal, products);
        for (Index c = 0; c < rank(); ++c) {
            const double norm = x.col(c).norm();
            form.weights(c) = norm;
            // A component that vanished keeps its direction, so that it can come back.
            if (norm > 0) columns.col(c) = x.col(c) / norm;
        }
        replicate.grams[static_cast<std::size_t>(mode)] = columns.transpose() * columns;
    }

    // Errors of the model that has x in this mode, columns with their weights.
    void measure(AlsIterate& replicate, const MatrixXd& x, const NormalMatrices& normal,
                 const MatrixXd& products) const {
        const double residual = std::max(0.0, squared_norm_ - 2 * products.cwiseProduct(x).sum() +
                                                  model_norm(x, normal));
        const double norm = squared_norm_ > 0 ? squared_norm_ : 1;
        replicate.result.relative_error = std::sqrt(residual / norm);
        replicate.objective = (residual + settings_.ridge * x.squaredNorm()) / norm;
        // max() hides numbers that are none.
        if (!x.allFinite()) replicate.objective = std::nan("");
    }

    // Moves on along the last sweep's step, by the cube root of the sweep's number for three modes
    // (Harshman 1970); a replicate that is not better there goes back. True where the pass that
    // this took is good for the sweep.
    [[nodiscard]] bool search_line(int number) {
        const double step = std::pow(number, 1 / static_cast<double>(order()));
        std::vector<AlsIterate> old;
        for (AlsIterate* replicate : active_) {
            old.push_back(*replicate);
            extrapolate(*replicate, step);
        }
        join_all();
        left_group_pass();
        const Equations all = equations(0);
        bool all_better = true;
        for (std::size_t k = 0; k < active_.size(); ++k) {
            AlsIterate& replicate = *active_[k];
            const MatrixXd x = replicate.now.columns.front() * replicate.now.weights.asDiagonal();
            measure(replicate, x, normal_of(all, k, 0), products_of(all, k));
            if (replicate.objective < old[k].objective) continue;
            replicate = std::move(old[k]);
            all_better = false;
        }
        if (!all_better) join_all();
        return all_better;
    }

    void extrapolate(AlsIterate& replicate, double step) const {
        UnitForm& now = replicate.now;
        const UnitForm& before = replicate.before;
        VectorXd weights = VectorXd::Ones(rank());
        for (Index a = 0; a < order(); ++a) {
            if (is(fixed_, a)) continue;
            const auto mode = static_cast<std::size_t>(a);
            MatrixXd from = before.columns[mode], to = now.columns[mode];
            if (a == last_free_) {
                from *= before.weights.asDiagonal();
                to *= now.weights.asDiagonal();
            }
            MatrixXd x = from + step * (to - from);
            if (is(nonnegative_, a)) x = x.cwiseMax(0.0);
            for (Index c = 0; c < rank(); ++c) {
                const double norm = x.col(c).norm();
                weights(c) *= norm;
                if (norm > 0) now.columns[mode].col(c) = x.col(c) / norm;
            }
            replicate.grams[mode] = now.columns[mode].transpose() * now.columns[mode];
        }
        now.weights = weights;
    }

    void finish_sweep(int number) {
        std::vector<AlsIterate*> going_on;
        double best = std::numeric_limits<double>::infinity();
        for (AlsIterate* replicate : active_) {
            AlsReplicate& result = replicate->result;
            result.objective = replicate->objective;
            const double last = result.relative_trace.empty() ? 2.0 : result.relative_trace.back();
            result.relative_trace.push_back(result.relative_error);
            best = std::min(best, result.relative_error);
            if (!std::isfinite(result.objective))
                result.status = AlsStatus::diverged;
            else if (number > 1 && std::abs(last - result.relative_error) < settings_.tolerance)
                result.status = AlsStatus::converged;
            else
                going_on.push_back(replicate);
            replicate->running = !going_on.empty() && going_on.back() == replicate;
        }
        active_ = std::move(going_on);
        run_.monitor->progress({static_cast<double>(number),
                                static_cast<double>(settings_.max_iterations), "sweeps",
                                concat("relative error ", best)});
    }

    const TensorSource& source_;
    const AlsSettings& settings_;
    const Execution& run_;
    double squared_norm_;
    SafePoints<AlsProgress> safe_points_;
    SweepKernel values_, observed_;
    std::vector<bool> fixed_, nonnegative_;
    Index last_free_ = -1;
    int sweeps_ = 0; // made
    std::vector<AlsIterate*> active_;
    Factors joint_, joint_pairs_;
};

void check_slices(const TensorSource& source, const Execution& run) {
    if (!source.masked()) return;
    const auto counts = observed_counts(source, run);
    for (std::size_t a = 0; a < counts.size(); ++a) {
        Index slice = 0;
        if (counts[a].minCoeff(&slice) < 0.5)
            throw Error(concat("slice ", slice, " of mode ", a,
                               " has no observed entry; least squares cannot fit it"));
    }
}

} // namespace

Factors random_start(const Shape& shape, const AlsSettings& settings, std::uint64_t seed,
                     Index replicate) {
    const Random random(seed, "tensor-amp/least-squares-start");
    Factors start;
    for (std::size_t a = 0; a < shape.size(); ++a) {
        MatrixXd x(shape[a], settings.rank);
        for (Index c = 0; c < x.cols(); ++c)
            for (Index i = 0; i < x.rows(); ++i)
                x(i, c) = random.normal(
                    static_cast<std::uint64_t>(i),
                    {static_cast<std::uint64_t>(replicate), a, static_cast<std::uint64_t>(c)});
        const auto& nonnegative = settings.nonnegative_modes;
        if (std::find(nonnegative.begin(), nonnegative.end(), static_cast<Index>(a)) !=
            nonnegative.end())
            x = x.cwiseAbs();
        start.push_back(std::move(x));
    }
    return start;
}

std::vector<Factors> random_starts(const Shape& shape, const AlsSettings& settings,
                                   std::uint64_t seed, Index replicates) {
    std::vector<Factors> starts;
    for (Index k = 0; k < replicates; ++k) starts.push_back(random_start(shape, settings, seed, k));
    return starts;
}

std::string status_name(AlsStatus status) {
    switch (status) {
    case AlsStatus::converged:
        return "converged";
    case AlsStatus::diverged:
        return "diverged";
    default:
        return "max-iter";
    }
}

double component_similarity(const Factors& a, const Factors& b) {
    const Factors left = unit_form(a).columns, right = unit_form(b).columns;
    MatrixXd cosines = MatrixXd::Ones(a.front().cols(), b.front().cols());
    for (std::size_t mode = 0; mode < a.size(); ++mode)
        cosines.array() *= (left[mode].transpose() * right[mode]).array().abs();
    return -linalg::assign(-cosines).cost /
           static_cast<double>(std::max(cosines.rows(), cosines.cols()));
}

AlsResult run_als(const TensorSource& source, const std::vector<Factors>& starts,
                  const AlsSettings& settings, const Execution& run,
                  const Keeping<AlsProgress>& keeping) {
    if (starts.empty()) throw Error("least squares needs a start");
    if (settings.rank < 1) throw Error(concat("rank ", settings.rank, "; at least 1 is expected"));
    AlsResult result;
    AlsProgress progress = keeping.resume.value_or(AlsProgress{});
    SafePoints safe_points(keeping, *run.monitor);
    safe_points.step([&]() -> const AlsProgress& { return progress; },
                     [&] {
                         if (!settings.allow_empty_slices) check_slices(source, run);
                         result.squared_norm = squared_norm(source, run);
                     });
    AlsRun fit(source, settings, result.squared_norm, run, keeping);
    // Per-row equations need r(r+1)/2 columns a replicate: too many for all at once.
    const std::size_t together = source.masked() ? 1 : starts.size();
    while (progress.done.size() < starts.size()) {
        const auto begin = starts.begin() + static_cast<std::ptrdiff_t>(progress.done.size());
        fit.fit({begin, begin + static_cast<std::ptrdiff_t>(together)}, progress);
    }
    result.replicates = std::move(progress.done);
    result.sweeps = fit.sweeps();
    for (std::size_t k = 1; k < result.replicates.size(); ++k)
        if (!(result.replicates[k].objective >= result.best_replicate().objective) &&
            result.replicates[k].status != AlsStatus::diverged)
            result.best = k;
    for (AlsReplicate& replicate : result.replicates)
        replicate.similarity =
            replicate.status == AlsStatus::diverged
                ? 0
                : component_similarity(replicate.factors, result.best_replicate().factors);
    return result;
}

} // namespace assay::tensor_amp
