#include "search_options.hpp"

#include "constant_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/starts.hpp>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

// Of --states.
Trajectories stored_states(const std::string& text, cli::Context& context,
                           const Dynamics& dynamics) {
    Trajectories stored = read_sequences("--states", text, context);
    const Index columns = stored.states.cols();
    if (columns != dynamics.state_size())
        throw Error(concat(text, ": states have ", columns, " columns, the ",
                           dynamics.description(), " state needs ", dynamics.state_size(),
                           dynamics.state_size() == 2 * columns
                               ? " (h and c): leave --states out to recompute"
                               : ""));
    return stored;
}

RowMatrix starts_of(const SearchRequest& o, cli::Context& context, const Dynamics& dynamics,
                    const std::optional<Trials>& trials) {
    const Index size = dynamics.state_size();
    const int threads = context.execution().threads;
    switch (o.init) {
    case InitMode::uniform:
        return uniform_states(*o.starts, size, o.range[0], o.range[1], o.seed, threads);
    case InitMode::grid:
        return grid_states(o.grid, size, o.range[0], o.range[1]);
    case InitMode::file:
        if (o.states.empty()) throw UsageError("--init-mode file needs --states FILE:/path");
        return valid_states(stored_states(o.states, context, dynamics));
    case InitMode::trajectory:
        break;
    }
    TrajectorySampling sampling;
    sampling.count = *o.starts;
    sampling.skip_steps = o.skip_time;
    sampling.seed = o.seed;
    sampling.noise = *o.noise;
    sampling.noise_relative = o.noise_relative.value_or(-1);
    if (!o.states.empty())
        return sample_states(stored_states(o.states, context, dynamics), sampling, threads);
    if (!trials) throw Error("no trajectories: give --data, --states or --init-mode uniform");
    return sample_states(trials->trajectories, sampling, threads);
}

} // namespace

namespace {

constexpr double kChordShare = 0.8; // points are asked for, not basins

// What the solver would ignore is refused.
void check_solver(const SearchRequest& o, Method method, FindMode mode) {
    if (mode == FindMode::slow &&
        (o.method || o.residual || o.tolerance_residual || o.lambda || o.chord_share ||
         o.learning_rate || o.patience || o.rate_factor || o.tolerance_q || o.tolerance_change))
        throw UsageError("--mode slow has its own solver: --solver, --residual, --tol-residual, "
                         "--lambda, --chord-share, --learning-rate, --lr-patience, --lr-factor, "
                         "--tol-q and --tol-dq are for exact points");
    if (method == Method::adam) {
        if (o.residual == Residual::reduced)
            throw UsageError("option '--residual': Adam descends on the full residual; reduced is "
                             "for --solver lm and newton");
        if (o.tolerance_residual || o.chord_share)
            throw UsageError("--tol-residual and --chord-share are for --solver lm and newton; "
                             "adam has --tol-q");
    } else if (o.learning_rate || o.patience || o.rate_factor || o.tolerance_q ||
               o.tolerance_change || o.precision == Arithmetic::float32) {
        throw UsageError("--learning-rate, --lr-patience, --lr-factor, --tol-q, --tol-dq and "
                         "--precision float32 are for --solver adam");
    }
    if (o.lambda && method != Method::lm)
        throw UsageError("option '--lambda': only --solver lm is damped");
}

void resolve_solver(const SearchRequest& o, FindOptions& f) {
    const bool established = o.preset == Preset::established;
    f.method = o.method.value_or(established ? Method::adam : Method::lm);
    check_solver(o, f.method, f.mode);
    const bool full = established || f.method == Method::adam;
    f.exact.residual = o.residual.value_or(full ? Residual::full : Residual::reduced);
    f.exact.expansion = o.expansion.value_or(established ? Expansion::none : Expansion::midpoints);
    if (o.max_iterations) f.exact.max_iterations = f.adam.max_iterations = *o.max_iterations;
    f.exact.tolerance_residual = o.tolerance_residual.value_or(f.exact.tolerance_residual);
    f.exact.tolerance_reduced = f.exact.tolerance_residual;
    f.exact.lambda = o.lambda.value_or(f.exact.lambda);
    f.exact.chord_share = o.chord_share.value_or(kChordShare);
    f.adam.learning_rate = o.learning_rate.value_or(established ? 1.0 : f.adam.learning_rate);
    f.adam.patience = o.patience.value_or(f.adam.patience);
    f.adam.rate_factor = o.rate_factor.value_or(f.adam.rate_factor);
    f.adam.tolerance_q = o.tolerance_q.value_or(f.adam.tolerance_q);
    f.adam.tolerance_change = o.tolerance_change.value_or(f.adam.tolerance_change);
    f.adam.single =
        o.precision == Arithmetic::float32 || (established && o.precision == Arithmetic::automatic);
}

} // namespace

FindOptions resolve(SearchRequest& o) {
    if (o.range.size() != 2 || !(o.range[0] < o.range[1]))
        throw UsageError("option '--range': LOW,HIGH with LOW < HIGH is expected");
    FindOptions f = o.find;
    const bool established = o.preset == Preset::established,
               sentiment = o.preset == Preset::sentiment;
    f.mode = o.mode.value_or(established ? FindMode::exact
                             : sentiment ? FindMode::slow
                                         : FindMode::both);
    resolve_solver(o, f);
    o.starts = o.starts.value_or(sentiment ? 500 : 1024);
    o.inputs = o.inputs.value_or(sentiment ? "mean" : "zero");
    o.noise = o.noise.value_or(sentiment ? 0 : 0.5);
    if (o.max_points) f.exact.distinct.max_points = *o.max_points;
    f.exact.certify = !o.no_certify;
    // One norm for all q of a result: where slow points are looked for, that of their tolerance.
    const bool half = o.norm == NormChoice::half ||
                      (o.norm == NormChoice::automatic && f.mode == FindMode::exact);
    f.exact.norm = f.slow.norm = half ? SpeedNorm::half : SpeedNorm::mean;
    f.slow.tolerance = o.slow_tolerance.value_or(f.slow.tolerance);
    f.slow.distinct = f.exact.distinct;
    return f;
}

Index trials_to_draw(const SearchRequest& o) {
    // The inputs themselves come from all trials.
    if (*o.inputs == "each" || (*o.inputs == "mean" && o.trials < 0)) return 0;
    // A trial has many states: one for sixteen starts is enough to draw from.
    return o.trials >= 0 ? o.trials : std::max<Index>(64, *o.starts / 16);
}

SearchPlan plan_search(const SearchRequest& o, cli::Context& context, const Dynamics& dynamics,
                       const std::optional<Trials>& trials) {
    SearchPlan plan;
    plan.inputs = constant_inputs("--inputs", *o.inputs, context, dynamics, trials);
    plan.starts = starts_of(o, context, dynamics, trials);
    return plan;
}

namespace {

using Settings = std::vector<std::pair<std::string, FindFacts::Setting>>;

const char* word_of(FindMode mode) {
    return mode == FindMode::exact ? "exact" : mode == FindMode::slow ? "slow" : "both";
}
const char* word_of(Method method) {
    return method == Method::adam ? "adam" : method == Method::newton ? "newton" : "lm";
}
const char* word_of(InitMode init) {
    switch (init) {
    case InitMode::trajectory:
        return "trajectory";
    case InitMode::uniform:
        return "uniform";
    case InitMode::grid:
        return "grid";
    default:
        return "file";
    }
}

void add_exact(Settings& s, const FindOptions& f) {
    const SearchOptions& e = f.exact;
    s.insert(s.end(), {{"solver", word_of(f.method)},
                       {"residual", e.residual == Residual::full ? "full" : "reduced"},
                       {"expand", e.expansion == Expansion::none ? "none" : "midpoints"},
                       {"expand_rounds", e.expand_rounds},
                       {"expand_max", e.expand_max},
                       {"certify", e.certify ? "yes" : "no"}});
    if (f.method != Method::adam) {
        s.insert(s.end(), {{"max_iterations", e.max_iterations},
                           {"tol_residual", e.tolerance_residual},
                           {"lambda", e.lambda},
                           {"chord_share", e.chord_share}});
        return;
    }
    s.insert(s.end(), {{"max_iterations", f.adam.max_iterations},
                       {"learning_rate", f.adam.learning_rate},
                       {"lr_patience", f.adam.patience},
                       {"lr_factor", f.adam.rate_factor},
                       {"tol_q", f.adam.tolerance_q},
                       {"tol_dq", f.adam.tolerance_change},
                       {"precision", f.adam.single ? "float32" : "float64"}});
}

void add_slow(Settings& s, const SlowOptions& slow) {
    s.insert(s.end(), {{"slow_tol", slow.tolerance}, {"slow_iterations", slow.max_iterations}});
    if (slow.dimension > 0)
        s.emplace_back("slow_dim", slow.dimension);
    else
        s.emplace_back("slow_cut", slow.cut);
}

void add_starts(Settings& s, const SearchRequest& o) {
    s.insert(s.end(), {{"inputs", *o.inputs}, {"init_mode", word_of(o.init)}});
    if (!o.states.empty()) s.emplace_back("states", o.states);
    if (o.init == InitMode::trajectory || o.init == InitMode::uniform)
        s.emplace_back("starts", *o.starts);
    if (o.init == InitMode::uniform || o.init == InitMode::grid) {
        s.emplace_back("range_low", o.range[0]);
        s.emplace_back("range_high", o.range[1]);
    }
    if (o.init == InitMode::grid) s.emplace_back("grid", o.grid);
    if (o.init != InitMode::trajectory) return;
    if (o.noise_relative)
        s.emplace_back("noise_relative", *o.noise_relative);
    else
        s.emplace_back("noise", *o.noise);
    s.insert(s.end(), {{"skip_time", o.skip_time}, {"trials", trials_to_draw(o)}});
}

// Those that matter, as they were resolved. The seed as text: a number has no room for all.
Settings settings_of(const SearchRequest& o, const FindOptions& f) {
    Settings s{{"mode", word_of(f.mode)},
               {"q_norm", fixedpoints::word_of(f.exact.norm)},
               {"seed", concat(o.seed)}};
    add_starts(s, o);
    if (f.mode != FindMode::slow) add_exact(s, f);
    if (f.mode != FindMode::exact) add_slow(s, f.slow);
    const DistinctOptions& d = f.exact.distinct;
    s.insert(s.end(), {{"tol_unique", d.tolerance},
                       {"outlier_scale", d.keep_outliers ? std::numeric_limits<double>::infinity()
                                                         : d.outlier_scale},
                       {"neighbor_outlier", d.neighbour_outlier}});
    if (o.max_points) s.emplace_back("max_points", *o.max_points);
    return s;
}

} // namespace

Search search_points(const SearchRequest& o, const LoadedNetwork& network,
                     const std::optional<Trials>& trials, SearchPlan plan, const FindOptions& find,
                     const Execution& execution) {
    const Dynamics& dynamics = network.dynamics;
    Search search;
    search.result = find_points(dynamics, plan.inputs, plan.starts, find, execution);
    const Points& points = search.result.points;
    FindFacts& facts = search.facts;
    facts.start_states = std::move(plan.starts);
    facts.outputs =
        points.count() > 0 ? dynamics.readout(points.state) : RowMatrix(0, dynamics.outputs());
    if (trials) facts.data_digest = trials->digest;
    facts.model_digest = network.digest;
    facts.network = dynamics.description();
    facts.norm = find.exact.norm;
    facts.options = settings_of(o, find);
    return search;
}

namespace {

// A word that a preset may choose too: `target` stays empty until it is asked for.
template <class T>
void preset_choice(cli::Command& c, const std::string& names, std::optional<T>& target,
                   std::vector<std::pair<std::string, T>> choices, const std::string& description,
                   const std::string& default_text) {
    const auto word = std::make_shared<T>();
    c.choice<T>(names, *word, std::move(choices), description);
    cli::OptionSpec& spec = c.declaration().options.back();
    spec.default_text = default_text;
    std::optional<T>* const value = &target;
    spec.set = [set = spec.set, word, value](const std::string& text) {
        set(text);
        *value = *word;
    };
    spec.show = [show = spec.show, word, value] {
        if (!*value) return std::string();
        *word = **value;
        return show();
    };
}

} // namespace

void declare_search(cli::Command& c, SearchRequest& o) {
    c.group("Search");
    preset_choice<FindMode>(
        c, "--mode", o.mode,
        {{"both", FindMode::both}, {"exact", FindMode::exact}, {"slow", FindMode::slow}},
        "exact roots, points of slow manifolds, or both",
        "both; preset established exact, sentiment slow");
    c.choice<Preset>("--preset", o.preset,
                     {{"none", Preset::none},
                      {"established", Preset::established},
                      {"sentiment", Preset::sentiment}},
                     "established: Adam on the full residual as common tools do it; sentiment: "
                     "slow points under the mean input");
    c.option("--inputs", o.inputs, "WHICH", concat("constant inputs: ", kInputWords))
        .default_text("zero; preset sentiment mean");
    preset_choice<Method>(c, "--solver", o.method,
                          {{"lm", Method::lm}, {"newton", Method::newton}, {"adam", Method::adam}},
                          "Levenberg-Marquardt, Newton with backtracking, or Adam",
                          "lm; preset established adam");
    preset_choice<Residual>(
        c, "--residual", o.residual, {{"reduced", Residual::reduced}, {"full", Residual::full}},
        "solve the candidate, or the whole step", "reduced; adam and preset established full");
    c.option("--max-iterations", o.max_iterations, "N", "of a start")
        .range(1)
        .default_text("100; adam 5000");
    c.option("--tol-residual", o.tolerance_residual, "X",
             "largest residual of a point, times 1 + |h|; not of adam")
        .range(0)
        .default_text("1e-11");
    c.option("--lambda", o.lambda, "X", "first damping of lm").range(0).default_text("0.01");
    c.option("--chord-share", o.chord_share, "X",
             "a step with the Jacobian of the nearest known point is taken where it leaves less of "
             "the distance; 0.1: starts go where their own descent leads; 0: no such step; not of "
             "adam")
        .range(0, 1)
        .default_text("0.8");
    preset_choice<Expansion>(c, "--expand", o.expansion,
                             {{"midpoints", Expansion::midpoints}, {"none", Expansion::none}},
                             "search again from midpoints of what was found",
                             "midpoints; preset established none");
    c.option("--expand-rounds", o.find.exact.expand_rounds, "N", "at most so often").range(0);
    c.option("--expand-max", o.find.exact.expand_max, "N", "midpoints a round").range(1);
    c.flag("--no-certify", o.no_certify, "leave the certificates out");
    c.choice<NormChoice>(
        "--q-norm", o.norm,
        {{"auto", NormChoice::automatic}, {"half", NormChoice::half}, {"mean", NormChoice::mean}},
        "q = |g|^2 / 2 or |g|^2 / S; auto: half in mode exact, else mean");
}

void declare_starts(cli::Command& c, SearchRequest& o) {
    c.group("Starts");
    c.option("--starts", o.starts, "N", "how many")
        .range(1)
        .default_text("1024; preset sentiment 500");
    c.choice<InitMode>("--init-mode", o.init,
                       {{"trajectory", InitMode::trajectory},
                        {"uniform", InitMode::uniform},
                        {"grid", InitMode::grid},
                        {"file", InitMode::file}},
                       "states along trials, a box, a grid, or all of --states");
    c.option("--states", o.states, "FILE:/path", "states to draw from instead of trials");
    c.option("--noise", o.noise, "X", "standard deviation added to drawn states")
        .range(0)
        .default_text("0.5; preset sentiment 0");
    c.option("--noise-relative", o.noise_relative, "X",
             "instead: times the standard deviation of each unit")
        .range(0);
    c.option("--skip-time", o.skip_time, "STEPS", "first steps of a trial to leave out").range(0);
    c.option("--trials", o.trials, "N", "trials to run for drawing; 0: all")
        .range(-1)
        .default_text("one for sixteen starts, at least 64; all for inputs mean and each");
    c.option("--range", o.range, "LOW,HIGH", "of uniform and grid starts");
    c.option("--grid", o.grid, "N", "points a dimension").range(1);
    c.seed(o.seed);
}

void declare_slow(cli::Command& c, SearchRequest& o) {
    c.group("Slow points");
    c.option("--slow-cut", o.find.slow.cut, "X", "singular values of J - I that count as slow")
        .range(0);
    c.option("--slow-dim", o.find.slow.dimension, "K", "instead: the K smallest").range(0);
    c.option("--slow-tol", o.slow_tolerance, "Q", "largest q; inf keeps all")
        .range(0)
        .default_text("1e-8");
    c.option("--slow-iterations", o.find.slow.max_iterations, "N", "of a start").range(1);
}

void declare_points(cli::Command& c, SearchRequest& o) {
    c.group("What counts as a point");
    DistinctOptions& distinct = o.find.exact.distinct;
    c.option("--tol-unique", distinct.tolerance, "X", "distance of two points").range(0);
    c.option("--outlier-scale", distinct.outlier_scale, "X",
             "farther than X times the mean distance of starts from their mean: left out")
        .range(0);
    c.option("--neighbor-outlier", distinct.neighbour_outlier, "X",
             "farther than X from the next point: left out")
        .range(0);
    c.flag("--keep-outliers", distinct.keep_outliers, "keep distant points");
    c.option("--max-points", o.max_points, "N",
             "take no more exact and no more slow ones of an input")
        .range(1);
}

void declare_adam(cli::Command& c, SearchRequest& o) {
    c.group("Adam");
    c.option("--learning-rate", o.learning_rate, "X", "first rate")
        .range(0)
        .default_text("0.02; preset established 1");
    c.option("--lr-patience", o.patience, "N", "iterations without a gain")
        .range(0)
        .default_text("2");
    c.option("--lr-factor", o.rate_factor, "X", "then the rate is so much")
        .range(0, 1)
        .default_text("0.95");
    c.option("--tol-q", o.tolerance_q, "Q", "a start has converged below it")
        .range(0)
        .default_text("1e-12");
    c.option("--tol-dq", o.tolerance_change, "X", "or when q changes by less, times the rate")
        .range(0)
        .default_text("1e-20");
    c.choice<Arithmetic>("--precision", o.precision,
                         {{"auto", Arithmetic::automatic},
                          {"float64", Arithmetic::float64},
                          {"float32", Arithmetic::float32}},
                         "arithmetic of Adam; auto: float64, of preset established float32");
}

} // namespace fixedpoints_app
