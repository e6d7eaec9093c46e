#include <assay/lindyn/comparison.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/phase.hpp>
#include <assay/linalg/assignment.hpp>
#include <assay/linalg/svd.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/dense_operator.hpp>
#include <assay/lindyn/generalization_study.hpp>
#include <assay/lindyn/passage.hpp>
#include <assay/lindyn/scalar_search.hpp>
#include <assay/lindyn/spiked.hpp>
#include <assay/lindyn/starts.hpp>
#include <assay/lindyn/whitened_layers.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay::lindyn {
namespace {

constexpr double kNegligibleInput = 1e-10; // share of the largest eigenvalue of X^T X
constexpr Index kFinePoints = 2000;        // at which a prediction is evaluated, at least
constexpr Index kSpare = 8;  // singular pairs of a map beyond the modes that are asked for
constexpr Index kTaus = 400; // among which a clock is looked for
constexpr double kRich = 1, kLazy = 0.4; // stages, see Regime
constexpr double kStays = 0.1;           // change of a representation that stays
constexpr double kNearZero = 0.1;        // share of its end from which a mode starts at most
constexpr double kLikeStarts = 10;       // largest over smallest strength that have one mean

// First and last member of each group of equal modes.
struct Stretch {
    Index first = 0, size = 0;
};
std::vector<Stretch> stretches(const Modes& modes) {
    std::vector<Stretch> list;
    for (Index a = 0; a < modes.count(); ++a) {
        if (a == 0 || modes.group[at(a)] != modes.group[at(a - 1)]) list.push_back({a, 0});
        ++list.back().size;
    }
    return list;
}

// Cosines between the planes of two sets of orthonormal columns, descending.
Vector plane_cosines(const Matrix& one, const Matrix& other) {
    if (one.cols() == 1) return (one.transpose() * other).cwiseAbs();
    return linalg::thin_svd(one.transpose() * other).s;
}

// The singular pairs of a map among which `wanted` modes have partners: all, or of a large map some
// more than wanted from the first on. A flat spectrum, as of random starts, has no first ones.
linalg::Svd own_modes(const Matrix& map, Index wanted) {
    const Index some = wanted + kSpare;
    if (4 * some >= std::min(map.rows(), map.cols())) return linalg::thin_svd(map);
    try {
        return linalg::leading_svd(dense_operator(map), some, 0);
    } catch (const Error&) {
        return linalg::thin_svd(map);
    }
}

// Checkpoints' clock with `pieces` equal parts between neighbours.
Vector refined(const Vector& coarse, Index pieces) {
    Vector fine((coarse.size() - 1) * pieces + 1);
    for (Index i = 0; i + 1 < coarse.size(); ++i)
        for (Index k = 0; k < pieces; ++k)
            fine(i * pieces + k) = coarse(i) + (coarse(i + 1) - coarse(i)) *
                                                   static_cast<double>(k) /
                                                   static_cast<double>(pieces);
    fine(fine.size() - 1) = coarse(coarse.size() - 1);
    return fine;
}

// Strengths from which closed forms start: where `observed` is negative that of the map's noise,
// and always below the end.
std::vector<double> starting_strengths(const Modes& modes, const Matrix& map,
                                       const Vector& observed) {
    const Matrix all = modes.u.transpose() * map * modes.v;
    const double noise = std::sqrt(all.squaredNorm() / static_cast<double>(all.size()));
    std::vector<double> start;
    for (Index a = 0; a < modes.count(); ++a) {
        const double end = modes.asymptote(a);
        const double floor = observed(a) > 0 ? 1e-12 * end : std::max(noise, 1e-12 * end);
        start.push_back(std::min(std::max(observed(a), floor), (1 - 1e-9) * end));
    }
    return start;
}

PredictSettings prediction_from(const Problem& problem, const RunState& first,
                                const ComparisonSettings& settings) {
    PredictSettings s;
    s.method = settings.method;
    s.step = settings.step;
    s.variant = settings.variant;
    s.clock = settings.step_clock;
    s.depth = settings.depth;
    const bool closed = s.method == Method::aligned || s.method == Method::discrete;
    if (first.layers && !closed) {
        s.weights = first.layers;
        return s;
    }
    if (first.layers) s.depth = static_cast<int>(first.layers->size());
    s.initial_strength = starting_strengths(problem.modes, first.map,
                                            first.layers && s.depth == 2
                                                ? effective_strengths(*first.layers, problem.modes)
                                                : strengths(problem.modes, first.map));
    return s;
}

// The state of a network on inputs as they are, in the problem's coordinates: on whitened inputs
// the map and first layer that answer alike, as far as no input direction is left out.
RunState in_problem(const Problem& problem, RunState state) {
    if (state.layers) check_layers(*state.layers, problem.inputs(), problem.statistics.outputs());
    if (state.map.rows() != problem.statistics.outputs() || state.map.cols() != problem.inputs())
        throw Error(concat("a map of ", state.map.cols(), " inputs and ", state.map.rows(),
                           " outputs; the data have ", problem.inputs(), " and ",
                           problem.statistics.outputs()));
    if (!problem.whitened()) return state;
    state.map = on_whitened(state.map, problem.root);
    if (state.layers) state.layers->front() = on_whitened(state.layers->front(), problem.root);
    return state;
}

// `own`: the network's map of inputs as they are.
void observe(const Problem& problem, const ComparisonSettings& settings, const RunState& state,
             const Matrix& own, Index i, RunComparison& c) {
    const Modes& modes = problem.modes;
    c.observed.row(i) = strengths(modes, state.map).transpose();
    const ModeAlignment alignment = align_modes(modes, state.map);
    c.alignment_input.row(i) = alignment.input.transpose();
    c.alignment_output.row(i) = alignment.output.transpose();
    c.off_diagonal(i) = off_diagonal_energy(modes, state.map);
    c.nonlinear_share(i) = state.nonlinear_share;
    if (settings.known) c.test_error.row(i) = test_errors(*settings.known, own).transpose();
    if (settings.held)
        c.held_loss(i) = state.held_loss ? *state.held_loss : loss_of_map(*settings.held, own);
    c.loss_observed(i) = state.loss ? *state.loss : loss_of_map(problem.statistics, state.map);
}

double cosine(const Matrix& a, const Matrix& b) {
    return a.cwiseProduct(b).sum() / (a.norm() * b.norm());
}

Matrix first_gram(const Layers& layers) {
    return layers.front().transpose() * layers.front();
}

// 1 - residual over total sum of squares.
double determination(const Vector& observed, const Vector& predicted) {
    const double total = (observed.array() - observed.mean()).square().sum();
    return total > 0 ? 1 - (observed - predicted).squaredNorm() / total : kNaN;
}

// Of each column from row `from` on: the root mean square of observed - told over the end, and the
// share of the observed variance that is explained.
struct Judgement {
    Vector relative_rmse, r2;
};
Judgement judge_curves(const Matrix& observed, const Matrix& told, const Vector& ends, Index from) {
    const Index count = observed.cols(), seen = observed.rows() - from;
    Judgement judged{Vector(count), Vector(count)};
    for (Index a = 0; a < count; ++a) {
        const Vector one = observed.col(a).tail(seen), other = told.col(a).tail(seen);
        judged.relative_rmse(a) =
            std::sqrt((one - other).squaredNorm() / static_cast<double>(seen)) / ends(a);
        judged.r2(a) = determination(one, other);
    }
    return judged;
}

// A row of `curves` at a time between the samples; the last from there on.
Vector row_at(const Vector& time, const Matrix& curves, double when) {
    const Index last = time.size() - 1;
    if (!(when < time(last))) return curves.row(last).transpose();
    const double place = when / time(last) * static_cast<double>(last); // samples are equidistant
    const auto i = std::min(static_cast<Index>(place), last - 1);
    const double share = place - static_cast<double>(i);
    return ((1 - share) * curves.row(i) + share * curves.row(i + 1)).transpose();
}

// Steps of one tau for which theory comes nearest to the strengths observed at `steps` (from the
// first on), by least squares over modes and checkpoints.
double fit_tau(const Problem& problem, const PredictSettings& settings, const Vector& steps,
               const Matrix& observed, const Execution& execution) {
    const Vector usual = usual_times(problem, settings, kFinePoints);
    const Vector time = 2 * usual; // to the end of learning
    const Matrix told = predict(problem, settings, time, execution).strength;
    const auto misfit = [&](double log_tau) {
        double sum = 0;
        for (Index i = 0; i < steps.size(); ++i)
            sum += (observed.row(i).transpose() -
                    row_at(time, told, (steps(i) - steps(0)) * std::exp(-log_tau)))
                       .squaredNorm();
        return sum;
    };
    const double longest = steps(steps.size() - 1) - steps(0), shortest = steps(1) - steps(0);
    const Vector grid = Vector::LinSpaced(kTaus, std::log(shortest / time(time.size() - 1)),
                                          std::log(longest / time(1)));
    Vector values(kTaus);
    for (Index i = 0; i < kTaus; ++i) values(i) = misfit(grid(i));
    const Minimum best = least_minimum(misfit, grid, values);
    if (!(best.at > grid(0) && best.at < grid(kTaus - 1)))
        throw Error("the learning rate is not in the file, and the strengths do not show it (all "
                    "of learning is before or after the checkpoints); --learning-rate or --tau is "
                    "expected");
    return std::exp(best.at);
}

// When modes pass shares of their ends, in the run and in theory.
void find_passages(const Vector& steps, const Vector& fine_steps, const Matrix& told,
                   const Vector& ends, RunComparison& c) {
    const auto observed_at = [&](double fraction) {
        return growth_passages(steps, c.observed, ends, fraction);
    };
    const auto told_at = [&](double fraction) {
        return growth_passages(fine_steps, told, ends, fraction);
    };
    c.half_observed = observed_at(0.5);
    c.ten_observed = observed_at(0.1);
    c.ninety_observed = observed_at(0.9);
    c.half_predicted = told_at(0.5);
    c.ten_predicted = told_at(0.1);
    c.ninety_predicted = told_at(0.9);
    c.lag = c.half_observed - c.half_predicted;
}

// What of the lag of modes finite steps explain, in steps from the first; NaN where that is not
// known (other depths, rates that vary, momentum that looks ahead).
Vector lag_of_steps(const ComparisonSettings& settings, Method method, int depth, const Vector& s,
                    const Vector& half, double first) {
    if (method == Method::discrete) return Vector::Zero(s.size()); // it has the steps
    Vector lag = Vector::Constant(s.size(), kNaN);
    if (depth != 2 || settings.step_clock || settings.variant.nesterov || !(settings.step.rate > 0))
        return lag;
    for (Index a = 0; a < s.size(); ++a) lag(a) = (half(a) - first) * step_lag(settings.step, s(a));
    return lag;
}

// The step at which the flow's time is `time`; beyond the checkpoints as between the last two.
double step_of(const ComparisonSettings& settings, const Vector& clock, const Vector& steps,
               double time) {
    if (settings.step_clock) return settings.step_clock->when(time);
    const Index last = clock.size() - 1;
    return steps(last) +
           (time - clock(last)) * (steps(last) - steps(last - 1)) / (clock(last) - clock(last - 1));
}

// The least width of hidden layers; 0: there is none, or it is not known.
Index hidden_width(const RunState& state) {
    Index least = 0;
    if (state.layers)
        for (std::size_t l = 0; l + 1 < state.layers->size(); ++l)
            least = l == 0 ? (*state.layers)[l].rows() : std::min(least, (*state.layers)[l].rows());
    return least;
}

// The best time in theory from strengths `start`, of which it takes the geometric mean. Nothing
// where it has none: weight decay, inputs that are not white, modes that grow from 0 or below, from
// unlike strengths or beyond a tenth of their ends, and data in which no mode or most stand out.
std::optional<Minimum> best_time(const Problem& problem, const Vector& start, int depth,
                                 Index hidden, double decay, const Execution& execution) {
    const Vector& s = problem.modes.s;
    if (decay != 0) return {};
    if (!(start.minCoeff() > 0) || start.maxCoeff() > kLikeStarts * start.minCoeff() ||
        (start.array() > kNearZero * problem.modes.asymptote.array()).any())
        return {};
    const double unit = usual_noise_unit(problem);
    if (!(unit > 0)) return {};
    const Index signals =
        judge_modes(s, problem.statistics.inputs(), problem.statistics.outputs(), unit)
            .detections();
    if (signals == 0 ||
        2 * signals > std::min(problem.statistics.inputs(), problem.statistics.outputs()))
        return {};
    DataStudySettings study;
    study.student = {std::exp(start.array().log().mean()), depth, hidden};
    study.noise_unit = unit;
    return study_data(problem, std::nullopt, study, execution).point.optimum;
}

GroupComparison compare_groups(const Modes& modes, const Vector& steps, const Vector& fine_steps,
                               const Matrix& told, const Vector& ends, Index from,
                               const RunComparison& c) {
    const auto means = [&](const Matrix& by_mode) { return group_means(by_mode, modes.group); };
    const Vector group_ends = means(ends.transpose()).transpose();
    GroupComparison g;
    g.observed = means(c.observed);
    g.predicted = means(c.predicted);
    g.half_observed = growth_passages(steps, g.observed, group_ends, 0.5);
    g.half_predicted = growth_passages(fine_steps, means(told), group_ends, 0.5);
    g.lag = g.half_observed - g.half_predicted;
    const Judgement judged =
        judge_curves(g.observed, g.predicted, means(modes.asymptote.transpose()).transpose(), from);
    g.relative_rmse = judged.relative_rmse;
    g.r2 = judged.r2;
    return g;
}

// Modes that come from far below 0 are late, but have no stages.
Vector from_near_zero(const Vector& passages, const Vector& start, const Vector& ends) {
    return (start.array() < -kNearZero * ends.array()).select(kNaN, passages);
}

void judge_regime(const Modes& modes, const Vector& ends, RunComparison& c) {
    const Vector ten = from_near_zero(c.ten_observed, c.observed.row(0).transpose(), ends);
    c.stage = stage_likeness(modes, c.half_observed, ten, c.ninety_observed);
    const bool stays = c.representation_change < kStays;
    if (c.stage > kRich) c.regime = Regime::rich;
    if (c.stage < kLazy || (std::isnan(c.stage) && stays)) c.regime = Regime::lazy;
}

Index tasks_of(const KnownMap& known) {
    return 1 + *std::max_element(known.task.begin(), known.task.end());
}

void allocate(Index times, Index modes, RunComparison& c) {
    c.observed.resize(times, modes);
    c.predicted = Matrix::Constant(times, modes, kNaN);
    c.alignment_input.resize(times, modes);
    c.alignment_output.resize(times, modes);
    c.off_diagonal.resize(times);
    c.nonlinear_share.resize(times);
    c.loss_observed.resize(times);
    c.loss_predicted = Vector::Constant(times, kNaN);
}

} // namespace

FittedMap fit_map(const RowMatrix& inputs, const RowMatrix& outputs) {
    const Matrix square = inputs.transpose() * inputs;
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(square);
    const Vector& values = solver.eigenvalues();
    const double least = kNegligibleInput * values(values.size() - 1);
    const Vector inverse = values.unaryExpr([least](double x) { return x > least ? 1 / x : 0.0; });
    const Matrix cross = outputs.transpose() * inputs;
    FittedMap fitted;
    fitted.map =
        cross * solver.eigenvectors() * inverse.asDiagonal() * solver.eigenvectors().transpose();
    const double whole = outputs.squaredNorm();
    if (whole > 0)
        fitted.residual_share = std::max(0.0, 1 - fitted.map.cwiseProduct(cross).sum() / whole);
    return fitted;
}

ModeAlignment align_modes(const Modes& modes, const Matrix& map) {
    ModeAlignment alignment{Vector::Zero(modes.count()), Vector::Zero(modes.count())};
    if (!(map.squaredNorm() > 0)) return alignment;
    const linalg::Svd own = own_modes(map, modes.count());
    const auto groups = stretches(modes);
    Matrix cost(modes.count(), own.s.size());
    const Matrix u = (modes.u.transpose() * own.u).cwiseAbs2(),
                 v = (modes.v.transpose() * own.v).cwiseAbs2();
    for (const Stretch& g : groups)
        cost.middleRows(g.first, g.size).rowwise() =
            -(u.middleRows(g.first, g.size).colwise().sum().array() *
              v.middleRows(g.first, g.size).colwise().sum().array())
                 .sqrt()
                 .matrix();
    const linalg::Assignment partner = linalg::assign(cost);
    for (const Stretch& g : groups) {
        std::vector<Index> mine;
        for (Index a = g.first; a < g.first + g.size; ++a)
            if (partner.column[at(a)] >= 0) mine.push_back(partner.column[at(a)]);
        if (mine.empty()) continue;
        const auto members = static_cast<Index>(mine.size());
        alignment.output.segment(g.first, members) =
            plane_cosines(modes.u.middleCols(g.first, g.size), own.u(Eigen::all, mine));
        alignment.input.segment(g.first, members) =
            plane_cosines(modes.v.middleCols(g.first, g.size), own.v(Eigen::all, mine));
    }
    return alignment;
}

double off_diagonal_energy(const Modes& modes, const Matrix& map) {
    const Matrix in_modes = modes.u.transpose() * map * modes.v;
    const double whole = in_modes.squaredNorm();
    double within = 0;
    for (const Stretch& g : stretches(modes))
        within += in_modes.block(g.first, g.first, g.size, g.size).squaredNorm();
    return whole > 0 ? std::max(0.0, 1 - within / whole) : 0.0;
}

Vector test_errors(const KnownMap& known, const Matrix& map) {
    Vector error = Vector::Zero(tasks_of(known)), power = error;
    for (Index i = 0; i < map.rows(); ++i) {
        error(known.task[at(i)]) += (map.row(i) - known.map.row(i)).squaredNorm();
        power(known.task[at(i)]) += known.map.row(i).squaredNorm();
    }
    for (Index k = 0; k < error.size(); ++k) error(k) = power(k) > 0 ? error(k) / power(k) : kNaN;
    return error;
}

double step_lag(const StepSettings& step, double s) {
    const double kept = 1 - step.momentum;
    return step.rate * (s - step.decay) * (1 + step.momentum) / (2 * kept * kept);
}

std::string regime_name(Regime regime) {
    switch (regime) {
    case Regime::rich:
        return "rich";
    case Regime::lazy:
        return "lazy";
    case Regime::mixed:
        break;
    }
    return "mixed";
}

double stage_likeness(const Modes& modes, const Vector& half, const Vector& ten,
                      const Vector& ninety) {
    double sum = 0, weights = 0;
    for (Index a = 0; a < modes.count(); ++a) {
        const double width = ninety(a) - ten(a), weight = modes.s(a) * modes.asymptote(a);
        if (!(width > 0) || !std::isfinite(half(a))) continue;
        sum += weight * half(a) / width;
        weights += weight;
    }
    return weights > 0 ? sum / weights : kNaN;
}

RunComparison compare_run(const Problem& problem, const RunSource& run, const Vector& clock,
                          const ComparisonSettings& settings, const Execution& execution) {
    const Phase phase(*execution.monitor, "modes along the run");
    RunComparison c;
    c.steps = run.steps();
    const auto times = static_cast<Index>(c.steps.size());
    const Index from = settings.from, seen = times - from;
    if (seen < 2)
        throw Error(concat(times, " checkpoints, the prediction starts at number ", from,
                           "; two or more from there are expected"));
    allocate(times, problem.modes.count(), c);
    if (settings.known) c.test_error.resize(times, tasks_of(*settings.known));
    if (settings.held) c.held_loss.resize(times);
    RunState first, last;
    for (Index i = 0; i < times; ++i) {
        execution.monitor->stop_if_interrupted();
        RunState state = run.state(i);
        const Matrix own = state.map;
        last = in_problem(problem, std::move(state));
        observe(problem, settings, last, own, i, c);
        if (i == from) first = last;
    }
    c.representation_change = first.layers && last.layers
                                  ? 1 - cosine(first_gram(*first.layers), first_gram(*last.layers))
                                  : kNaN;

    const Vector steps =
        Eigen::Map<const Eigen::Matrix<Index, Eigen::Dynamic, 1>>(c.steps.data(), times)
            .cast<double>();
    PredictSettings start = prediction_from(problem, first, settings);
    c.clock = clock;
    if (clock.size() == 0) {
        c.fitted_tau =
            fit_tau(problem, start, steps.tail(seen), c.observed.bottomRows(seen), execution);
        c.clock = steps / *c.fitted_tau;
    }
    start.passed = c.clock(from);
    const Index pieces = std::clamp<Index>(kFinePoints / seen, 1, 64);
    const Vector told_clock = refined(c.clock.tail(seen), pieces);
    const Prediction told = predict(problem, start, told_clock.array() - c.clock(from), execution);
    c.method = told.method;
    c.conditions = told.conditions;
    for (Index i = 0; i < seen; ++i) {
        c.predicted.row(from + i) = told.strength.row(i * pieces);
        c.loss_predicted(from + i) = told.loss(i * pieces);
    }
    c.loss_r2 = determination(c.loss_observed.tail(seen), c.loss_predicted.tail(seen));
    const Vector fine_steps = refined(steps.tail(seen), pieces);
    const int depth = first.layers ? static_cast<int>(first.layers->size()) : settings.depth;
    const Vector ends = mode_ends(problem.modes, depth, settings.step.decay);
    find_passages(steps, fine_steps, told.strength, ends, c);
    c.step_lag =
        lag_of_steps(settings, told.method, depth, problem.modes.s, c.half_predicted, steps(from));
    if (settings.held)
        if (const auto best = best_time(problem, told.initial_strength, depth, hidden_width(first),
                                        settings.step.decay, execution))
            c.stop = {step_of(settings, c.clock, steps, c.clock(from) + best->at), best->value};
    const Judgement judged = judge_curves(c.observed, c.predicted, problem.modes.asymptote, from);
    c.relative_rmse = judged.relative_rmse;
    c.r2 = judged.r2;
    c.groups = compare_groups(problem.modes, steps, fine_steps, told.strength, ends, from, c);
    c.groups.step_lag =
        lag_of_steps(settings, told.method, depth,
                     group_means(problem.modes.s.transpose(), problem.modes.group).transpose(),
                     c.groups.half_predicted, steps(from));
    judge_regime(problem.modes, ends, c);
    return c;
}

} // namespace assay::lindyn
