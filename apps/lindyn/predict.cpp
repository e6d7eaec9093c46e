// lindyn predict: when each mode is learned.
#include "clock.hpp"
#include "commands.hpp"
#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/stable_rate.hpp>

#include <cmath>
#include <cstdint>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

struct Options {
    ProblemOptions problem;
    PredictSettings predict;
    std::string weights;
    std::vector<double> initial_layers; // empty: equal ones
    std::int64_t memory = 0;            // of matrices over time; 0: the machine's
    TimeOptions time;
    ClockOptions clock;
};

PredictSettings settings_of(const Options& o, const Problem& problem, const Clock& clock,
                            cli::Context& context) {
    if (!o.initial_layers.empty() && o.initial_layers.size() != 2)
        throw UsageError(concat("option '--initial-layers': ", o.initial_layers.size(),
                                " numbers; two, of the first and the second layer, are expected"));
    PredictSettings s = o.predict;
    set_steps(clock, s);
    if (s.method == Method::discrete && !(clock.step.rate > 0))
        throw UsageError("--method discrete needs --learning-rate");
    if (!o.initial_layers.empty()) s.initial_layers = {o.initial_layers[0], o.initial_layers[1]};
    if (o.weights.empty()) return s;
    s.weights = problem_layers(problem, load_layers(context, o.weights));
    return s;
}

void report(cli::Context& context, const Problem& problem, const Options& o,
            const std::string& unit, const Prediction& p, const StableRate& stable) {
    context.report("method", method_name(p.method));
    for (Index a = 0; a < std::min<Index>(problem.modes.count(), 6); ++a)
        if (std::isfinite(p.half_time(a)))
            context.report(
                concat("mode ", a), p.half_time(a),
                concat(unit, " to half of ", significant(problem.modes.asymptote(a), 4)));
    context.report("loss", p.loss(p.loss.size() - 1),
                   concat("at the end, from ", significant(p.loss(0), 4)));
    context.report("whiteness", p.conditions.whiteness, "0: white inputs");
    context.report("commutation", p.conditions.commutation, "0: the modes diagonalise the inputs");
    report_whitening(context, problem);
    if (!o.weights.empty()) {
        context.report("imbalance", p.conditions.imbalance, "of the start, relative");
        context.report("misalignment", p.conditions.misalignment, "of the start, 0: aligned");
        if (std::isfinite(p.conditions.expected_error))
            context.report("expected error", p.conditions.expected_error, "of the exact solution");
    }
    if (std::isfinite(p.conditions.conservation))
        context.report("conservation error", p.conditions.conservation,
                       "of W_2^T W_2 - W_1 W_1^T along the integrated flow, relative");
    if (std::isfinite(p.conditions.first_step))
        context.report("first step", p.conditions.first_step,
                       "learning rate x first singular value; the flow is its limit 0");
    context.report("largest stable rate", stable.value,
                   std::isnan(stable.value)
                       ? "not known: the modes do not say how wide the inputs are"
                   : stable.complete ? ""
                                     : "or less: modes that were not found may need a smaller one");
    context.propose("lindyn plot " + context.output_target() + " -o curves.svg");
}

void warn_of_conditions(cli::Context& context, const Problem& problem, double rate,
                        const Prediction& p) {
    const bool closed = p.method == Method::aligned || p.method == Method::discrete;
    if (closed && std::isnan(problem.mode_coupling()))
        context.monitor().warn(
            "whether the modes diagonalise the inputs is not known (correlations "
            "that were not formed): closed forms may be approximations");
    if (closed && problem.mode_coupling() > 1e-6)
        context.monitor().warn(concat("the modes do not diagonalise the inputs (commutation ",
                                      significant(problem.mode_coupling(), 3),
                                      "): closed forms are approximations; --whiten or --method "
                                      "flow is exact"));
    if (rate > p.conditions.stable_rate)
        context.monitor().warn(concat("learning rate ", rate, " is above ",
                                      significant(p.conditions.stable_rate, 4),
                                      ", where gradient descent becomes unstable"));
}

// Maps and similarities of all times are in memory at once.
void check_memory(const Options& o, const Problem& problem, Index times) {
    const auto in = static_cast<double>(problem.inputs());
    const auto out = static_cast<double>(problem.statistics.outputs());
    const double numbers =
        (o.predict.maps ? out * in : 0) + (o.predict.grams ? in * in + out * out : 0);
    const double bytes = 8 * static_cast<double>(times) * numbers;
    const double limit = o.memory > 0 ? static_cast<double>(o.memory) : physical_memory();
    if (bytes > limit)
        throw Error(concat(times, " times of --maps or --grams take ", human_bytes(bytes), "; ",
                           human_bytes(limit), " are there (--memory; --time takes fewer times)"));
}

void run(const Options& o, cli::Context& context) {
    const std::string place = context.input_address().name();
    const auto words = at_place(
        place, [&] { return squared_error_run(context, context.input_address(), o.clock); });
    const Problem problem = load_problem(context, o.problem);
    at_place(place, [&] {
        const Clock clock = clock_of_run(context, o.clock, words, problem.statistics);
        const TimeScale scale = time_scale(o.time, clock);
        const PredictSettings settings = settings_of(o, problem, clock, context);
        const TimeGrid times =
            time_grid(context, o.time, scale, [&] { return usual_times(problem, settings); });
        check_memory(o, problem, times.tau.size());
        Prediction p = predict(problem, settings, times.tau, context.execution());
        tell_times(p, scale);
        p.time = times.told;
        write_prediction(context.output().create_group("/lindyn/predict"), p, settings,
                         problem.modes, scale);
        warn_of_conditions(context, problem, clock.step.rate, p);
        const auto depth =
            settings.weights ? static_cast<int>(settings.weights->size()) : settings.depth;
        report(context, problem, o, scale.unit, p, find_stable_rate(problem, depth));
    });
}

} // namespace

cli::Command predict() {
    auto o = std::make_shared<Options>();
    cli::Command c("predict", "when each mode is learned, and how the loss falls");
    c.describe(
        "Strengths of the modes over time under gradient flow. Without weights, modes grow in "
        "closed form from equal strengths. With --weights, the same where they are aligned with "
        "the modes and balanced, else the exact solution of two layers on white inputs, else the "
        "flow of all weights integrated. Times are in tau, which is "
        "1/learning rate steps for a loss of half the squared error, mean over samples.");
    c.input("result of modes, or data");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/predict/strength", "time x mode"},
              {"/lindyn/predict/half_time, time_10, time_90", "of each mode"},
              {"/lindyn/predict/loss", "over time"},
              {"/lindyn/predict/map, hidden_gram, output_gram", "with --maps, --grams"}});
    declare_problem(c, o->problem, Whitening::offered);
    c.group("Network");
    c.option("--depth", o->predict.depth, "D", "weight matrices").range(1, 64);
    c.option("--hidden", o->predict.hidden, "N", "smallest hidden width").word("any", 0).range(1);
    c.option("--initial-strength", o->predict.initial_strength, "A",
             "of every mode, or one a mode");
    c.option("--initial-layers", o->initial_layers, "A,B",
             "what the two layers have along every mode, instead of the root of its strength each")
        .default_text("equal ones");
    c.option("--weights", o->weights, "FILE",
             "start from the network of this file; -: of the input");
    c.conflicts("--initial-layers", "--initial-strength");
    c.conflicts("--initial-layers", "--weights");
    c.group("Training");
    declare_clock(c, o->clock);
    declare_weight_decay(c, o->clock);
    c.group("What is predicted");
    c.choice<Method>("--method", o->predict.method,
                     {{"auto", Method::automatic},
                      {"aligned", Method::aligned},
                      {"exact", Method::exact},
                      {"flow", Method::flow},
                      {"discrete", Method::discrete}},
                     "closed forms, exact solution, integrated flow, or finite steps of modes");
    declare_times(c, o->time);
    c.flag("--shallow", o->predict.shallow, "also a network without hidden layer");
    c.flag("--maps", o->predict.maps, "also W(t)");
    c.flag("--grams", o->predict.grams, "also the similarity of inputs and of outputs");
    c.bytes("--memory", o->memory, "of maps and similarities of all times; more is refused",
            "the machine's");
    c.flag("--allow-unbalanced", o->predict.allow_unbalanced,
           "--method exact from starts that are not balanced");
    c.example("What is learned when",
              "lindyn modes animals.h5 | lindyn predict --depth 2 --initial-strength 1e-3 | lindyn "
              "plot -o curves.svg");
    c.reference("saxe2014");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
