#include <assay/lindyn/predict.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/flow.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/passage.hpp>
#include <assay/lindyn/stable_rate.hpp>
#include <assay/lindyn/starts.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace assay::lindyn {
namespace {

constexpr double kTrusted = 1e-2; // expected error below which the exact solution is taken
constexpr double kRefused = 0.1;  // and above which it is refused
constexpr double kAligned = 1e-8; // imbalance and coupling of modes below which they grow alone
constexpr double kAside = 1e-6;   // and the start's |W| outside of them over its least mode's
constexpr double kNone = 1e-12;   // share of the largest strength that is none
constexpr double kMostSteps = 1e10;
constexpr double kNegligibleMode = 1e-3; // modes below this share of the first do not set the times

// How many modes a network can learn, and has to.
Index learnable(const Problem& problem, const PredictSettings& s) {
    Index count = problem.modes.rank();
    if (s.hidden > 0) count = std::min(count, s.hidden);
    if (s.weights)
        for (const Matrix& w : *s.weights) count = std::min(count, w.rows());
    return count;
}

int depth_of(const PredictSettings& s) {
    return s.weights ? static_cast<int>(s.weights->size()) : s.depth;
}

// Strengths at time 0 from which the closed forms start; 0 for modes that are not learned.
Vector initial_strengths(const Problem& problem, const PredictSettings& s) {
    const Modes& modes = problem.modes;
    if (s.weights)
        return depth_of(s) == 2 ? effective_strengths(*s.weights, modes)
                                : strengths(modes, whole_map(*s.weights));
    Vector start = Vector::Zero(modes.count());
    if (s.initial_layers) {
        start.head(learnable(problem, s))
            .setConstant(s.initial_layers->first * s.initial_layers->second);
        return start;
    }
    const auto given = static_cast<Index>(s.initial_strength.size());
    if (given != 1 && given != modes.count())
        throw Error(concat("--initial-strength: ", given, " numbers; 1 or ", modes.count(),
                           " (one a mode) are expected"));
    for (Index a = 0; a < learnable(problem, s); ++a)
        start(a) = s.initial_strength[given == 1 ? 0 : at(a)];
    return start;
}

// Where modes end; 0 for those that are not learned.
Vector learned_ends(const Problem& problem, const PredictSettings& s) {
    Vector end = mode_ends(problem.modes, depth_of(s), s.step.decay);
    end.tail(end.size() - learnable(problem, s)).setZero();
    return end;
}

// Whether modes grow from the given weights each for itself, so that the closed forms hold: aligned
// and balanced as measured by the smallest mode, every mode that can be learned above 0 and below
// its end, the others at 0.
bool grows_in_modes(const Problem& problem, const PredictSettings& s, const Conditions& c) {
    const bool closed_decay = s.step.decay == 0 || depth_of(s) < 3;
    if (!closed_decay || !(problem.mode_coupling() < kAligned)) return false;
    const Modes& modes = problem.modes;
    const Matrix map = whole_map(*s.weights);
    const Vector start = strengths(modes, map);
    const Index learned = learnable(problem, s), rest = start.size() - learned;
    if (learned == 0) return false;
    for (Index a = 0; a < learned; ++a)
        if (!(start(a) > 0 && start(a) < modes.asymptote(a))) return false;
    const double least = start.head(learned).minCoeff(), largest = start.head(learned).maxCoeff();
    if (!(start.tail(rest).array().abs() <= kNone * largest).all()) return false;
    // Squares of a layer's strengths are a^{2/D}.
    if (!(c.imbalance * std::pow(largest / least, 2.0 / depth_of(s)) < kAligned)) return false;
    const double aside = (map - modes.u * start.asDiagonal() * modes.v.transpose()).norm();
    return aside < kAside * std::sqrt(static_cast<double>(learned)) * least;
}

// Two layers aligned with the modes, with a hidden unit for each, of strengths of any sign.
Layers aligned_layers(const Modes& modes, const Vector& strength, Index learned) {
    const Vector a = strength.head(learned), root = a.cwiseAbs().cwiseSqrt();
    return {root.asDiagonal() * modes.v.leftCols(learned).transpose(),
            modes.u.leftCols(learned) * root.cwiseProduct(a.cwiseSign()).asDiagonal()};
}

constexpr const char* kAnyStart = " (--method exact takes any start of two layers on white inputs)";

void check_strengths(const Problem& problem, const PredictSettings& s, const Vector& start) {
    for (Index a = 0; a < learnable(problem, s); ++a) {
        const double end = problem.modes.asymptote(a);
        if (depth_of(s) > 1 && !(start(a) > 0))
            throw Error(concat("mode ", a, ": initial strength ", start(a),
                               "; more than 0 is expected", kAnyStart));
        if (!(start(a) < end))
            throw Error(concat("mode ", a, ": initial strength ", start(a), " is not below ", end,
                               ", where it ends", kAnyStart));
    }
}

ModeLaw law_of(const Problem& problem, const PredictSettings& s, const Vector& start, Index mode) {
    return {
        problem.modes.s(mode), problem.modes.input_variance(mode), start(mode), depth_of(s), s.tau,
        s.step.decay};
}

UnbalancedLaw unbalanced_law(const Problem& problem, const PredictSettings& s, Index mode) {
    return {problem.modes.s(mode), problem.modes.input_variance(mode), s.initial_layers->first,
            s.initial_layers->second, s.tau};
}

// Curves and times of the modes that are learned; the others stay at 0.
struct Curves {
    Matrix strength;
    Vector half, ten, ninety;
};
template <class Law>
void set_times(const Law& law, Index mode, Curves& curves) {
    curves.half(mode) = time_to_reach(law, 0.5);
    curves.ten(mode) = time_to_reach(law, 0.1);
    curves.ninety(mode) = time_to_reach(law, 0.9);
}
Curves closed_curves(const Problem& problem, const PredictSettings& s, const Vector& start,
                     const Vector& times, const Execution& run) {
    const Index count = problem.modes.count(), learned = learnable(problem, s);
    Curves curves{Matrix::Zero(times.size(), count), Vector::Constant(count, kNaN),
                  Vector::Constant(count, kNaN), Vector::Constant(count, kNaN)};
    std::vector<ModeLaw> laws;
    for (Index a = 0; a < learned; ++a) {
        if (s.initial_layers) {
            const UnbalancedLaw law = unbalanced_law(problem, s, a);
            set_times(law, a, curves);
            curves.strength.col(a) = mode_curve(law, times);
            continue;
        }
        laws.push_back(law_of(problem, s, start, a));
        set_times(laws.back(), a, curves);
    }
    if (!laws.empty()) curves.strength.leftCols(learned) = mode_curves(laws, times, run);
    return curves;
}

// L = 1/2 [tr Syy - sum s q] + 1/2 sum d (q - a)^2.
Vector aligned_loss(const Modes& m, const Matrix& strength) {
    const Matrix gap = strength.rowwise() - m.asymptote.transpose();
    const double rest = m.output_power - m.s.dot(m.asymptote);
    return ((gap.cwiseAbs2() * m.input_variance).array() + rest) / 2;
}

// First time at which a sampled curve passes `fraction` of `end`. NaN: never, or it starts beyond.
double sampled_time(const Vector& time, const Vector& curve, double end, double fraction) {
    const double level = fraction * end;
    return curve(0) >= level ? kNaN : first_passage(time, curve, level);
}

void sample_times(const Problem& problem, Prediction& p) {
    const Index count = problem.modes.count();
    p.half_time = p.time_10 = p.time_90 = Vector::Constant(count, kNaN);
    for (Index a = 0; a < count; ++a) {
        const double end = p.end(a);
        if (!(end > 0)) continue;
        p.half_time(a) = sampled_time(p.time, p.strength.col(a), end, 0.5);
        p.time_10(a) = sampled_time(p.time, p.strength.col(a), end, 0.1);
        p.time_90(a) = sampled_time(p.time, p.strength.col(a), end, 0.9);
    }
}

// Squares of what the first and the last layer of an aligned network have along a mode of strength
// a: a^{2/D} of D equal layers; of two unequal ones, whose squares keep the difference c of their
// start, (sqrt(c^2 + 4 a^2) -+ c)/2.
struct LayerPower {
    double first, last;
};
LayerPower layer_power(const PredictSettings& s, double a) {
    if (!s.initial_layers) {
        const double equal = std::pow(a, 2.0 / depth_of(s));
        return {equal, equal};
    }
    const auto [one, two] = *s.initial_layers;
    const double c = (two - one) * (two + one), larger = (std::hypot(c, 2 * a) + std::abs(c)) / 2;
    const double smaller = larger > 0 ? a * a / larger : 0.0;
    return c > 0 ? LayerPower{smaller, larger} : LayerPower{larger, smaller};
}

// Maps and Gram matrices of aligned modes: sum a u v^T, and sum w^2 v v^T of a layer w.
void aligned_matrices(const Problem& problem, const PredictSettings& s, Prediction& p) {
    const Matrix v = problem.input_vectors();
    for (Index i = 0; i < p.time.size(); ++i) {
        const Vector a = p.strength.row(i).transpose();
        if (s.maps)
            p.map.push_back(problem.original_map(problem.modes.u * a.asDiagonal() *
                                                 problem.modes.v.transpose()));
        if (!s.grams) continue;
        Vector first = Vector::Zero(a.size()), last = first;
        for (Index k = 0; k < learnable(problem, s); ++k) {
            const LayerPower power = layer_power(s, a(k));
            first(k) = power.first;
            last(k) = power.last;
        }
        p.hidden_gram.emplace_back(v * first.asDiagonal() * v.transpose());
        p.output_gram.emplace_back(problem.modes.u * last.asDiagonal() *
                                   problem.modes.u.transpose());
    }
}

void predict_aligned(const Problem& problem, const PredictSettings& s, Prediction& p,
                     const Execution& run) {
    if (!s.initial_layers) check_strengths(problem, s, p.initial_strength);
    Curves curves = closed_curves(problem, s, p.initial_strength, p.time, run);
    p.strength = std::move(curves.strength);
    p.half_time = std::move(curves.half);
    p.time_10 = std::move(curves.ten);
    p.time_90 = std::move(curves.ninety);
    p.loss = aligned_loss(problem.modes, p.strength);
    aligned_matrices(problem, s, p);
}

// The step nearest to a time from the start.
Index step_at(const PredictSettings& s, double time) {
    const double per_time = 1 / (s.tau * s.step.rate * (1 / (1 - s.step.momentum)));
    const double steps = s.clock ? s.clock->when(s.passed + time / s.tau) : time * per_time;
    if (!(steps < kMostSteps))
        throw Error(concat("--method discrete: ", steps, " steps; at most ", kMostSteps,
                           " are expected (--time, --learning-rate)"));
    return static_cast<Index>(std::llround(steps));
}

void predict_discrete(const Problem& problem, const PredictSettings& s, Prediction& p,
                      const Execution& run) {
    check_strengths(problem, s, p.initial_strength);
    const Index first = step_at(s, 0);
    std::vector<Index> steps;
    for (Index i = 0; i < p.time.size(); ++i) steps.push_back(step_at(s, p.time(i)) - first);
    std::function<double(Index)> share;
    if (s.clock) share = [&](Index step) { return s.clock->share(first + step); };
    p.strength = discrete_curves({problem.modes.s, problem.modes.input_variance, p.initial_strength,
                                  depth_of(s), s.step, s.variant},
                                 steps, *run.monitor, share);
    p.loss = aligned_loss(problem.modes, p.strength);
    aligned_matrices(problem, s, p);
    sample_times(problem, p);
}

bool has_exact_solution(const Problem& problem, const PredictSettings& s) {
    return problem.whole && white_scale(problem.statistics) && depth_of(s) == 2 &&
           s.step.decay == 0;
}

// From the weights, or without from modes of the strengths `start`.
ExactSolution exact_solution(const Problem& problem, const PredictSettings& s,
                             const Vector& start) {
    if (depth_of(s) != 2)
        throw Error(concat(depth_of(s), " layers; --method exact is for two (--method flow)"));
    const auto white = white_scale(problem.statistics);
    if (!white)
        throw Error(concat("inputs are not white (|Sx - d I|/|Sx| = ", problem.whiteness,
                           "); --whiten or --method flow is expected"));
    if (s.step.decay != 0) throw Error("--method exact has no weight decay; --method flow has");
    need_formed(problem.statistics);
    const Layers w =
        s.weights ? *s.weights : aligned_layers(problem.modes, start, learnable(problem, s));
    return {problem.statistics.syx, *white, w[0], w[1], s.tau};
}

void predict_exact(const Problem& problem, const PredictSettings& s, Prediction& p,
                   ExactSolution exact) {
    p.strength.resize(p.time.size(), problem.modes.count());
    p.loss.resize(p.time.size());
    for (Index i = 0; i < p.time.size(); ++i) {
        exact.advance(p.time(i));
        p.strength.row(i) = exact.strengths(problem.modes.u, problem.modes.v).transpose();
        const Matrix map = exact.map();
        p.loss(i) = loss_of_map(problem.statistics, map);
        if (s.maps) p.map.push_back(problem.original_map(map));
        if (!s.grams) continue;
        const Matrix gram = exact.input_gram();
        p.hidden_gram.push_back(
            problem.whitened() ? Matrix(problem.basis * gram * problem.basis.transpose()) : gram);
        p.output_gram.push_back(exact.output_gram());
    }
    sample_times(problem, p);
}

void predict_flow(const Problem& problem, const PredictSettings& s, Prediction& p,
                  const Execution& run) {
    if (!problem.has_inputs)
        throw Error("the input correlations are not in the file; --method flow needs the data");
    need_formed(problem.statistics);
    if (!s.weights)
        throw Error("--method flow starts from weights: a file with /model is expected "
                    "(--weights)");
    Flow flow(problem.statistics, *s.weights, s.tau, s.step.decay);
    p.strength.resize(p.time.size(), problem.modes.count());
    p.loss.resize(p.time.size());
    for (Index i = 0; i < p.time.size(); ++i) {
        run.monitor->stop_if_interrupted();
        const Layers& layers = flow.at(p.time(i));
        const Matrix map = whole_map(layers);
        p.strength.row(i) = strengths(problem.modes, map).transpose();
        p.loss(i) = loss_of_map(problem.statistics, map);
        if (s.maps) p.map.push_back(problem.original_map(map));
        if (!s.grams) continue;
        const Matrix gram = layers.front().transpose() * layers.front();
        p.hidden_gram.push_back(
            problem.whitened() ? Matrix(problem.basis * gram * problem.basis.transpose()) : gram);
        p.output_gram.emplace_back(layers.back() * layers.back().transpose());
    }
    // With weight decay the flow keeps nothing.
    if (s.step.decay == 0) p.conditions.conservation = flow.conservation_error();
    sample_times(problem, p);
}

void add_shallow(const Problem& problem, const PredictSettings& s, Prediction& p,
                 const Execution& run) {
    PredictSettings one = s;
    one.depth = 1;
    one.weights.reset();
    one.initial_layers.reset();
    one.hidden = 0;
    const Vector start = Vector::Zero(problem.modes.count());
    Curves curves = closed_curves(problem, one, start, p.time, run);
    p.shallow = std::move(curves.strength);
    p.shallow_half_time = std::move(curves.half);
    p.shallow_loss = aligned_loss(problem.modes, p.shallow);
}

// The upper root of f(a) = (s - d a) a^{1-2/D} - decay, by bisection above the top of f.
double deep_end(double s, double d, int depth, double decay) {
    const double power = 1 - 2.0 / depth;
    const auto f = [&](double a) { return (s - d * a) * std::pow(a, power) - decay; };
    double low = s * power / (d * (1 + power)), high = s / d;
    if (!(f(low) > 0)) return 0;
    for (;;) {
        const double middle = (low + high) / 2;
        if (!(middle > low && middle < high)) return low;
        (f(middle) > 0 ? low : high) = middle;
    }
}

} // namespace

std::string method_name(Method method) {
    switch (method) {
    case Method::aligned:
        return "aligned";
    case Method::exact:
        return "exact";
    case Method::flow:
        return "flow";
    case Method::discrete:
        return "discrete";
    case Method::automatic:
        break;
    }
    return "auto";
}

double stable_rate(const Problem& problem, int depth) {
    return find_stable_rate(problem, depth).value;
}

Vector mode_ends(const Modes& modes, int depth, double decay) {
    Vector ends(modes.count());
    for (Index a = 0; a < modes.count(); ++a) {
        const double s = modes.s(a), d = modes.input_variance(a);
        ends(a) = depth < 3 || decay == 0 ? ModeLaw{s, d, 1, depth, 1, decay}.end()
                                          : deep_end(s, d, depth, decay);
    }
    return ends;
}

namespace {

// When a mode gets to its half, or nearly would: for a grid of times.
double usual_half_time(const Problem& problem, const PredictSettings& s, const Vector& start,
                       Index mode) {
    if (s.initial_layers) return time_to_reach(unbalanced_law(problem, s, mode), 0.5);
    ModeLaw law = law_of(problem, s, start, mode);
    if (law.depth >= 3) law.decay = 0;
    law.start = std::clamp(law.start, 1e-12 * law.end(), 0.45 * law.end());
    return time_to_reach(law, 0.5);
}

void check_initial_layers(const PredictSettings& s) {
    if (depth_of(s) != 2 || s.step.decay != 0 ||
        (s.method != Method::automatic && s.method != Method::aligned))
        throw Error("two layers that start unequal have a closed form without weight decay only "
                    "(--depth 2, --method aligned)");
}

} // namespace

Vector usual_times(const Problem& problem, const PredictSettings& settings, Index count) {
    const Vector start = initial_strengths(problem, settings);
    double latest = 0;
    for (Index a = 0; a < learnable(problem, settings); ++a) {
        if (problem.modes.s(a) <= kNegligibleMode * problem.modes.s(0)) continue;
        const double half = usual_half_time(problem, settings, start, a);
        if (std::isfinite(half)) latest = std::max(latest, half);
    }
    if (!(latest > 0)) throw Error("no mode is learned; --time a:b:n is expected");
    return Vector::LinSpaced(count, 0, 1.5 * latest);
}

Prediction predict(const Problem& problem, const PredictSettings& s, const Vector& times,
                   const Execution& run) {
    if (times.size() == 0) throw Error("no time; one or more are expected");
    for (Index i = 0; i < times.size(); ++i)
        if (!(times(i) >= (i == 0 ? 0.0 : times(i - 1))))
            throw Error(concat("time ", times(i), " at ", i, "; rising times from 0 are expected"));
    if (s.initial_layers) check_initial_layers(s);
    const Phase phase(*run.monitor, "prediction");
    Prediction p;
    p.time = times;
    p.initial_strength = initial_strengths(problem, s);
    p.conditions.whiteness = problem.whiteness;
    p.conditions.commutation = problem.commutation;
    p.conditions.whitened = problem.whitened() ? problem.statistics.inputs() : 0;
    p.conditions.stable_rate = stable_rate(problem, depth_of(s));
    p.conditions.first_step = s.step.rate > 0 ? s.step.rate * problem.modes.s(0) : kNaN;
    p.conditions.expected_error = p.conditions.conservation = kNaN;
    p.end = learned_ends(problem, s);
    if (s.weights) {
        check_layers(*s.weights, problem.statistics.inputs(), problem.statistics.outputs());
        p.conditions.imbalance = relative_imbalance(*s.weights);
        p.conditions.misalignment = misalignment(problem.modes, whole_map(*s.weights));
    }
    if (s.initial_layers)
        p.conditions.imbalance =
            relative_imbalance({Matrix::Constant(1, 1, s.initial_layers->first),
                                Matrix::Constant(1, 1, s.initial_layers->second)});
    const bool closed = !s.weights || grows_in_modes(problem, s, p.conditions);
    std::optional<ExactSolution> exact;
    if (s.method == Method::exact ||
        (s.method == Method::automatic && !closed && has_exact_solution(problem, s))) {
        exact = exact_solution(problem, s, p.initial_strength);
        p.conditions.expected_error = exact->expected_error();
        if (s.method == Method::exact && !s.allow_unbalanced && exact->expected_error() > kRefused)
            throw Error(concat("the start is not balanced (expected relative error ",
                               exact->expected_error(),
                               "); --allow-unbalanced or --method flow "
                               "is expected"));
    }
    p.method = s.method;
    if (s.method == Method::automatic)
        p.method = closed                                        ? Method::aligned
                   : exact && exact->expected_error() < kTrusted ? Method::exact
                                                                 : Method::flow;
    if (p.method == Method::aligned)
        predict_aligned(problem, s, p, run);
    else if (p.method == Method::discrete)
        predict_discrete(problem, s, p, run);
    else if (p.method == Method::exact)
        predict_exact(problem, s, p, std::move(*exact));
    else
        predict_flow(problem, s, p, run);
    if (s.shallow) add_shallow(problem, s, p, run);
    return p;
}

void tell_times(Prediction& p, const TimeScale& scale) {
    for (Vector* times : {&p.time, &p.half_time, &p.time_10, &p.time_90, &p.shallow_half_time})
        *times = scale.told(*times);
}

} // namespace assay::lindyn
