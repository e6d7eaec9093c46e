// fixedpoints find: where a network can rest, and where it almost rests.
#include "commands.hpp"
#include "constant_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/starts.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

enum class InitMode { trajectory, uniform, grid, file };
enum class NormChoice { automatic, half, mean };
enum class Preset { none, established, sentiment };

struct Options {
    NetworkOptions network;
    DataOptions data;
    FindOptions find;
    Preset preset = Preset::none;
    std::string inputs = "zero", states;
    InitMode init = InitMode::trajectory;
    std::vector<double> range{-1, 1};
    Index starts = 1024, grid = 3, trials = -1;
    std::optional<double> noise, noise_relative;
    Index skip_time = 0;
    std::optional<Index> max_iterations, max_points;
    std::optional<double> slow_tolerance;
    NormChoice norm = NormChoice::automatic;
    std::string precision = "float64";
    bool no_certify = false, require_points = false;
    std::uint64_t seed = 0;
};

void check_states(const RowMatrix& states, const Dynamics& dynamics, const std::string& where) {
    if (states.cols() != dynamics.state_size())
        throw Error(concat(where, ": states have ", states.cols(), " columns, the ",
                           dynamics.description(), " state needs ", dynamics.state_size(),
                           dynamics.state_size() == 2 * states.cols()
                               ? " (h and c): leave --states out to recompute"
                               : ""));
}

RowMatrix starts_of(const Options& o, cli::Context& context, const Dynamics& dynamics,
                    const std::optional<Trials>& trials) {
    const Index size = dynamics.state_size();
    switch (o.init) {
    case InitMode::uniform:
        return uniform_states(o.starts, size, o.range[0], o.range[1], o.seed);
    case InitMode::grid:
        return grid_states(o.grid, size, o.range[0], o.range[1]);
    case InitMode::file: {
        if (o.states.empty()) throw UsageError("--init-mode file needs --states FILE:/path");
        RowMatrix states = read_table("--states", o.states, context);
        check_states(states, dynamics, o.states);
        return states;
    }
    case InitMode::trajectory:
        break;
    }
    TrajectorySampling sampling;
    sampling.count = o.starts;
    sampling.skip_steps = o.skip_time;
    sampling.seed = o.seed;
    sampling.noise = o.noise.value_or(0.5);
    sampling.noise_relative = o.noise_relative.value_or(-1);
    if (!o.states.empty()) {
        Trajectories stored;
        stored.states = read_table("--states", o.states, context);
        check_states(stored.states, dynamics, o.states);
        stored.trials = stored.states.rows();
        stored.steps = 1;
        stored.lengths.assign(static_cast<std::size_t>(stored.trials), 1);
        return sample_states(stored, sampling);
    }
    if (!trials) throw Error("no trajectories: give --data, --states or --init-mode uniform");
    return sample_states(trials->trajectories, sampling);
}

// Values that follow from the preset and from others, where they were not given.
FindOptions resolve(Options& o) {
    FindOptions f = o.find;
    if (o.preset == Preset::established) {
        f.mode = FindMode::exact;
        f.method = Method::adam;
        f.exact.residual = Residual::full;
        f.exact.expansion = Expansion::none;
        f.adam.learning_rate = 1.0;
        o.precision = "float32";
    } else if (o.preset == Preset::sentiment) {
        f.mode = FindMode::slow;
        o.starts = 500;
        if (!o.noise) o.noise = 0;
        o.inputs = "mean";
    }
    if (o.max_iterations) {
        f.exact.max_iterations = *o.max_iterations;
        f.adam.max_iterations = *o.max_iterations;
    }
    if (o.max_points) f.exact.max_points = *o.max_points;
    f.exact.tolerance_reduced = f.exact.tolerance_residual;
    f.exact.certify = !o.no_certify;
    f.exact.norm = o.norm == NormChoice::mean ? SpeedNorm::mean : SpeedNorm::half;
    f.slow.norm = o.norm == NormChoice::half ? SpeedNorm::half : SpeedNorm::mean;
    f.slow.tolerance = o.slow_tolerance.value_or(f.slow.tolerance);
    f.slow.tolerance_unique = f.exact.tolerance_unique;
    f.adam.single = o.precision == "float32";
    return f;
}

// What the exact points of a result amount to.
struct ExactPoints {
    std::vector<std::int64_t> by_unstable; // how many have 0, 1, ... unstable dimensions
    Index count = 0, certified = 0;
    double residual = 0, kappa = 0, radius = std::numeric_limits<double>::infinity();
};

ExactPoints exact_points(const Points& p, bool certify) {
    ExactPoints exact;
    for (Index i = 0; i < p.count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (p.kind[at] == PointKind::slow) continue;
        ++exact.count;
        const auto unstable = static_cast<std::size_t>(p.n_unstable[at]);
        if (exact.by_unstable.size() <= unstable) exact.by_unstable.resize(unstable + 1, 0);
        ++exact.by_unstable[unstable];
        exact.residual = std::max(exact.residual, p.residual_inf(i));
        if (!certify || !p.certificates[at].holds()) continue;
        ++exact.certified;
        exact.kappa = std::max(exact.kappa, p.certificates[at].kappa);
        exact.radius = std::min(exact.radius, p.certificates[at].uniqueness_radius);
    }
    return exact;
}

void report_exact(cli::Context& context, const FindResult& result, const FindOptions& find) {
    const ExactPoints exact = exact_points(result.points, find.exact.certify);
    context.report("by unstable", exact.by_unstable, "with 0, 1, ... unstable dimensions");
    if (find.exact.certify) context.report("certified", static_cast<std::int64_t>(exact.certified));
    if (exact.count > 0) context.report("max residual inf", exact.residual);
    if (exact.certified > 0) {
        context.report("max kappa", exact.kappa);
        context.report("min uniqueness radius", exact.radius);
    }
    Index sum = 0;
    for (const Index one : result.index_sum) sum += one;
    const auto complete = result.completeness();
    context.report("index sum", static_cast<std::int64_t>(sum));
    context.report("index complete", word_of(complete),
                   complete == Completeness::no    ? "(points are missing)"
                   : complete == Completeness::yes ? "(as if none is missing)"
                                                   : "(no law for this network)");
}

void report_starts(cli::Context& context, const FindResult& result) {
    const auto counts = result.status_counts();
    cli::SummaryCounts status;
    for (const StartStatus always : {StartStatus::converged, StartStatus::local_minimum,
                                     StartStatus::outlier, StartStatus::artefact})
        status.emplace_back(word_of(always), 0);
    bool artefacts = false;
    for (const auto& [kind, count] : counts) {
        artefacts = artefacts || kind == StartStatus::artefact;
        const auto known =
            std::find_if(status.begin(), status.end(),
                         [&, kind = kind](const auto& s) { return s.first == word_of(kind); });
        if (known == status.end())
            status.emplace_back(word_of(kind), count);
        else
            known->second = count;
    }
    context.report("starts", static_cast<std::int64_t>(result.starts.status.size()));
    context.report("status", status,
                   artefacts ? "(artefact: F rests there only because gates are shut)" : "");
    context.report("rounds", std::vector<std::int64_t>(result.rounds.begin(), result.rounds.end()),
                   "points known after each");
    context.report("iterations mean", result.mean_iterations);
}

void report(cli::Context& context, const FindResult& result, const FindOptions& find,
            double seconds) {
    const Points& p = result.points;
    context.report("points", static_cast<std::int64_t>(p.count()));
    if (find.mode != FindMode::slow) report_exact(context, result, find);
    const auto slow = std::count(p.kind.begin(), p.kind.end(), PointKind::slow);
    const bool none = slow == 0 && std::isfinite(result.best_slow_q);
    context.report("slow", static_cast<std::int64_t>(slow),
                   none ? concat("slowest q ", significant(result.best_slow_q, 3)) : "");
    report_starts(context, result);
    context.report("seconds", seconds, "of search");
    context.report("threads", static_cast<std::int64_t>(context.execution().threads));
    if (find.mode == FindMode::slow && p.count() == 0 && std::isfinite(result.best_slow_q))
        context.monitor().warn(concat("--mode slow kept no point (best mean q ",
                                      significant(result.best_slow_q, 2), "): raise --slow-tol"));
}

void run(Options o, cli::Context& context) {
    const FindOptions find = resolve(o);
    if (o.range.size() != 2 || !(o.range[0] < o.range[1]))
        throw UsageError("option '--range': LOW,HIGH with LOW < HIGH is expected");
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    // A quarter of a trial a start is enough to draw from.
    const Index most = o.trials >= 0 ? o.trials : std::max<Index>(64, o.starts / 4);
    const bool each = o.inputs == "each";
    const auto trials = load_trials(context, o.data, dynamics, each ? 0 : most);
    const RowMatrix inputs = constant_inputs("--inputs", o.inputs, context, dynamics, trials);
    const RowMatrix starts = starts_of(o, context, dynamics, trials);
    const auto begin = std::chrono::steady_clock::now();
    const FindResult result = find_points(dynamics, inputs, starts, find, context.execution());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    FindFacts facts;
    facts.start_states = starts;
    facts.outputs = result.points.count() > 0 ? dynamics.readout(result.points.state)
                                              : RowMatrix(0, dynamics.outputs());
    if (trials) {
        facts.distance_to_data =
            nearest_distance(result.points.state, valid_states(trials->trajectories));
        facts.data_digest = trials->digest;
    }
    facts.model_digest = network.digest;
    facts.network = dynamics.description();
    facts.norm = find.exact.norm;
    if (context.has_output()) {
        write_find(context.output().create_group("/fixedpoints/find"), result, facts);
        pass_on(context, network);
    }
    context.report("network", dynamics.description());
    report(context, result, find, seconds.count());
    if (o.require_points && result.points.count() == 0)
        throw Error(context.input_address().name() + ": no point was found");
}

void declare_search(cli::Command& c, Options& o) {
    c.group("Search");
    c.choice<FindMode>(
        "--mode", o.find.mode,
        {{"both", FindMode::both}, {"exact", FindMode::exact}, {"slow", FindMode::slow}},
        "exact roots, points of slow manifolds, or both");
    c.choice<Preset>("--preset", o.preset,
                     {{"none", Preset::none},
                      {"established", Preset::established},
                      {"sentiment", Preset::sentiment}},
                     "established: Adam on the full residual as common tools do it; sentiment: "
                     "slow points under the mean input");
    c.option("--inputs", o.inputs, "WHICH", concat("constant inputs: ", kInputWords));
    c.choice<Method>("--solver", o.find.method,
                     {{"lm", Method::lm}, {"newton", Method::newton}, {"adam", Method::adam}},
                     "Levenberg-Marquardt, Newton with backtracking, or Adam");
    c.choice<Residual>("--residual", o.find.exact.residual,
                       {{"reduced", Residual::reduced}, {"full", Residual::full}},
                       "solve the candidate, or the whole step");
    c.option("--max-iterations", o.max_iterations, "N", "of a start")
        .range(1)
        .default_text("100; adam 5000");
    c.option("--tol-residual", o.find.exact.tolerance_residual, "X",
             "largest residual of a point, times 1 + |h|")
        .range(0);
    c.option("--lambda", o.find.exact.lambda, "X", "first damping").range(0);
    c.choice<Expansion>("--expand", o.find.exact.expansion,
                        {{"midpoints", Expansion::midpoints}, {"none", Expansion::none}},
                        "search again from midpoints of what was found");
    c.option("--expand-rounds", o.find.exact.expand_rounds, "N", "at most so often").range(0);
    c.option("--expand-max", o.find.exact.expand_max, "N", "midpoints a round").range(1);
    c.flag("--no-certify", o.no_certify, "leave the certificates out");
    c.choice<NormChoice>(
        "--q-norm", o.norm,
        {{"auto", NormChoice::automatic}, {"half", NormChoice::half}, {"mean", NormChoice::mean}},
        "q = |g|^2 / 2 or |g|^2 / S; auto: half, and mean for slow points");
}

void declare_starts(cli::Command& c, Options& o) {
    c.group("Starts");
    c.option("--starts", o.starts, "N", "how many").range(1);
    c.choice<InitMode>("--init-mode", o.init,
                       {{"trajectory", InitMode::trajectory},
                        {"uniform", InitMode::uniform},
                        {"grid", InitMode::grid},
                        {"file", InitMode::file}},
                       "states along trials, a box, a grid, or all of --states");
    c.option("--states", o.states, "FILE:/path", "states to draw from instead of trials");
    c.option("--noise", o.noise, "X", "standard deviation added to drawn states")
        .range(0)
        .default_text("0.5");
    c.option("--noise-relative", o.noise_relative, "X",
             "instead: times the standard deviation of each unit")
        .range(0);
    c.option("--skip-time", o.skip_time, "STEPS", "first steps of a trial to leave out").range(0);
    c.option("--trials", o.trials, "N", "trials to run for drawing; 0: all")
        .range(-1)
        .default_text("a quarter of the starts, at least 64");
    c.option("--range", o.range, "LOW,HIGH", "of uniform and grid starts");
    c.option("--grid", o.grid, "N", "points a dimension").range(1);
    c.seed(o.seed);
}

void declare_rest(cli::Command& c, Options& o) {
    c.group("Slow points");
    c.option("--slow-cut", o.find.slow.cut, "X", "singular values of J - I that count as slow")
        .range(0);
    c.option("--slow-dim", o.find.slow.dimension, "K", "instead: the K smallest").range(0);
    c.option("--slow-tol", o.slow_tolerance, "Q", "largest q; inf keeps all")
        .range(0)
        .default_text("1e-8");
    c.option("--slow-iterations", o.find.slow.max_iterations, "N", "of a start").range(1);
    c.group("What counts as a point");
    c.option("--tol-unique", o.find.exact.tolerance_unique, "X", "distance of two points").range(0);
    c.option("--outlier-scale", o.find.exact.outlier_scale, "X",
             "farther than X times the mean distance of starts from their mean: left out")
        .range(0);
    c.option("--neighbor-outlier", o.find.exact.neighbour_outlier, "X",
             "farther than X from the next point: left out")
        .range(0);
    c.flag("--keep-outliers", o.find.exact.keep_outliers, "keep distant points");
    c.option("--max-points", o.max_points, "N", "stop taking new ones").range(1);
    c.flag("--require-points", o.require_points, "fail where none is found");
    c.group("Adam");
    c.option("--learning-rate", o.find.adam.learning_rate, "X", "first rate").range(0);
    c.option("--lr-patience", o.find.adam.patience, "N", "iterations without a gain").range(0);
    c.option("--lr-factor", o.find.adam.rate_factor, "X", "then the rate is so much").range(0, 1);
    c.option("--tol-q", o.find.adam.tolerance_q, "Q", "a start has converged below it").range(0);
    c.option("--tol-dq", o.find.adam.tolerance_change, "X",
             "or when q changes by less, times the rate")
        .range(0);
    c.choice<std::string>("--precision", o.precision,
                          {{"float64", "float64"}, {"float32", "float32"}}, "arithmetic of Adam");
}

} // namespace

cli::Command find() {
    auto o = std::make_shared<Options>();
    cli::Command c("find", "fixed and slow points of a recurrent network");
    c.describe(
        "Exact points are roots of the reduced residual: a gated cell rests where its candidate "
        "does. Each comes with a certificate (a root exists so near, and no other within that "
        "radius; rounding is not enclosed). Where the network maps a ball into itself, the points' "
        "indices sum to 1 if none is missing. Slow points lie on manifolds along which the state "
        "drifts for long; the search moves in the fast directions only.");
    c.input("model file, run, or stream");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/find/points", "state, input, q, certificates, index, ..."},
              {"/fixedpoints/find/starts", "what became of every start"},
              {"/fixedpoints/find/index_sum", "of each input"}});
    declare_search(c, *o);
    declare_starts(c, *o);
    declare_data(c, o->data);
    declare_rest(c, *o);
    declare_network(c, o->network);
    c.example("All 27 points of a 3-bit memory", "fixedpoints find gru64.h5 -o fp.h5");
    c.example("A line attractor under the mean input",
              "fixedpoints find lstm.h5 --preset sentiment -o fp.h5");
    c.reference("sussillo2013");
    c.reference("golub2018");
    c.reference("maheswaranathan2019b");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
