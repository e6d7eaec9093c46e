// lindyn compare: how much of a training run the theory explains.
#include "commands.hpp"
#include "run_files.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

struct Options {
    RunOptions runs;
    Method method = Method::automatic;
    Index depth = 0, from = 0;
};

// Number of the checkpoint whose step is asked for.
Index start_of(const Options& o, const RunToCompare& run) {
    const auto steps = run.source->steps();
    if (o.from < 0) return 0;
    const auto found = std::find(steps.begin(), steps.end(), o.from);
    if (found == steps.end())
        throw Error(concat(run.name, ": no checkpoint of step ", o.from, " (--from); there are ",
                           steps.size(), " from ", steps.front(), " to ", steps.back()));
    return found - steps.begin();
}

ComparisonSettings settings_of(const Options& o, const RunToCompare& run) {
    ComparisonSettings s;
    s.method = o.method;
    s.depth = o.depth > 0 ? static_cast<int>(o.depth) : run.depth;
    s.step = run.clock.step;
    s.variant = run.clock.variant;
    s.step_clock = run.clock.steps;
    if (s.method == Method::discrete && !(s.step.rate > 0))
        throw UsageError("--method discrete needs --learning-rate");
    s.from = start_of(o, run);
    s.known = run.known ? &*run.known : nullptr;
    s.held = run.held ? &*run.held : nullptr;
    return s;
}

// "theory explains 99.2 % of the loss trajectory; regime rich".
std::string verdict(const RunComparison& c) {
    return concat("theory explains ", significant(100 * std::max(0.0, c.loss_r2), 4),
                  " % of the loss trajectory; regime ", regime_name(c.regime));
}

std::vector<double> numbers(const Vector& values) {
    return {values.begin(), values.end()};
}

void report_modes(cli::Context& context, const Problem& problem, const RunComparison& c) {
    const Index modes = problem.modes.rank();
    context.report("half steps observed", numbers(c.half_observed.head(modes)));
    context.report("half steps predicted", numbers(c.half_predicted.head(modes)));
    context.report("lag", numbers(c.lag.head(modes)), "steps, observed less predicted");
    context.report("lag of steps", numbers(c.step_lag.head(modes)),
                   "what of it their size explains; NaN: not known");
}

// When the run should have stopped, by its held-out samples and by theory.
void report_stop(cli::Context& context, const RunComparison& c) {
    if (c.held_loss.size() == 0) return;
    Index best = 0;
    const double least = c.held_loss.minCoeff(&best);
    context.report(
        "least held out loss", least,
        concat("of ", significant(c.held_loss(c.held_loss.size() - 1), 4), " at the end"));
    context.report("best checkpoint", c.steps[static_cast<std::size_t>(best)]);
    if (c.stop)
        context.report(
            "theory stops at", c.stop->step,
            concat("steps, with ", significant(c.stop->error, 3), " of the teacher's power wrong"));
}

// Least error of each task against the map behind the targets, its step, and the last error.
void report_test_errors(cli::Context& context, const RunComparison& c) {
    if (c.test_error.size() == 0) return;
    std::vector<double> least, step, last;
    std::string note;
    for (Index k = 0; k < c.test_error.cols(); ++k) {
        if (std::isnan(c.test_error(0, k))) {
            for (auto* list : {&least, &step, &last}) list->push_back(c.test_error(0, k));
            note = "NaN: the map behind the targets of that task is 0";
            continue;
        }
        Index best = 0;
        least.push_back(c.test_error.col(k).minCoeff(&best));
        step.push_back(static_cast<double>(c.steps[static_cast<std::size_t>(best)]));
        last.push_back(c.test_error(c.test_error.rows() - 1, k));
    }
    context.report("least test error", least, note);
    context.report("best step", step);
    context.report("last test error", last);
}

void report(cli::Context& context, const RunToCompare& run, const RunComparison& c) {
    const auto last = static_cast<Index>(c.steps.size()) - 1;
    context.report("verdict", verdict(c));
    context.report("explained", c.loss_r2, "share of the loss curve's variance, by theory");
    context.report("regime", regime_name(c.regime));
    context.report("method", method_name(c.method));
    report_modes(context, run.problem, c);
    const Index modes = run.problem.modes.rank();
    context.report("worst curve", c.relative_rmse.head(modes).maxCoeff(),
                   "root mean square of observed - predicted, over the end");
    report_test_errors(context, c);
    report_stop(context, c);
    context.report("off diagonal", c.off_diagonal(last), "share of the last map outside the modes");
    context.report("stage likeness", c.stage, "delay over width; from 1: stages, 0.32: none");
    if (std::isfinite(c.representation_change))
        context.report("representation", c.representation_change,
                       "change of the first layer's similarities, 1 - cosine");
    if (c.nonlinear_share(last) > 1e-9)
        context.report("nonlinear share", c.nonlinear_share(last), "of the last outputs' power");
    context.report("whiteness", c.conditions.whiteness, "0: white inputs");
    report_whitening(context, run.problem);
    if (c.conditions.imbalance > 0)
        context.report("imbalance", c.conditions.imbalance, "of the start, relative");
    if (c.fitted_tau)
        context.report("fitted tau", *c.fitted_tau, "steps of one tau, fitted to the strengths");
    if (std::isfinite(c.conditions.conservation))
        context.report("conservation error", c.conditions.conservation,
                       "of W_2^T W_2 - W_1 W_1^T along the integrated flow, relative");
    const double rate = c.fitted_tau ? 1 / *c.fitted_tau : run.clock.step.rate;
    context.report("step size", rate / c.conditions.stable_rate,
                   "learning rate over the largest that converges");
}

void report_run(cli::Context& context, const RunToCompare& run, const RunComparison& c) {
    context.report(run.name, c.loss_r2,
                   verdict(c) + (run.problem.whitened() ? " (whitened inputs)" : ""));
}

void warn(cli::Context& context, const RunToCompare& run, const RunComparison& c) {
    if (!run.why_fitted.empty())
        context.monitor().info(run.name + ": " + run.why_fitted +
                               "; maps are fitted to its outputs");
    if (c.fitted_tau)
        context.monitor().warn(concat(run.name,
                                      ": the learning rate is not in the file (--learning-rate or "
                                      "--tau gives it); one tau was fitted to the strengths, ",
                                      significant(*c.fitted_tau, 4), " steps"));
    const bool closed = c.method == Method::aligned || c.method == Method::discrete;
    if (closed && std::isnan(run.problem.mode_coupling()))
        context.monitor().warn(run.name +
                               ": whether the modes diagonalise the inputs is not known, so "
                               "that closed forms may be approximations");
    if (closed && run.problem.mode_coupling() > 1e-6)
        context.monitor().warn(concat(run.name,
                                      ": the modes do not diagonalise the inputs (commutation ",
                                      significant(run.problem.mode_coupling(), 3),
                                      "), so that closed forms are approximations"));
}

void run(const Options& o, cli::Context& context) {
    const auto runs = open_runs(context, o.runs);
    hdf5::Group group = context.output().create_group("/lindyn/compare");
    for (const RunToCompare& one : runs) {
        const RunComparison c = at_place(one.name, [&] {
            return compare_run(one.problem, *one.source, one.times, settings_of(o, one),
                               context.execution());
        });
        warn(context, one, c);
        hdf5::Group place = runs.size() == 1 ? group : group.create_group(one.name);
        place.set_attribute("run", one.name);
        place.set_attribute("verdict", verdict(c));
        write_comparison(place, c);
        write_modes(place.create_group("modes"), one.problem,
                    judge_modes(one.problem.modes.s, one.problem.statistics.inputs(),
                                one.problem.statistics.outputs(), 0));
        if (runs.size() == 1)
            report(context, one, c);
        else
            report_run(context, one, c);
    }
    context.propose("lindyn plot " + context.output_target() + " -o compare.svg");
}

} // namespace

cli::Command compare() {
    auto o = std::make_shared<Options>();
    o->from = -1;
    cli::Command c("compare", "how much of a training run the theory explains");
    c.describe(
        "Takes the checkpoints of a run and says, mode by mode, when it learned what, and when "
        "theory has it from the first checkpoint on: by the exact solution or integrated flow for "
        "linear networks, by closed forms for others, whose map is the least-squares one of their "
        "outputs. The clock is the run's own: its loss, learning rate, schedule and momentum.");
    c.inputs("run files (/run/checkpoints), stored maps (/trajectory/map: time x output x input, "
             "step), or the model files of one run");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/compare/observed, predicted", "strength of each mode at each checkpoint"},
              {"/lindyn/compare/half_step_observed, half_step_predicted, lag", "of each mode"},
              {"/lindyn/compare/alignment_input, alignment_output",
               "with the network's own singular vectors"},
              {"/lindyn/compare/step_lag", "what of the lag the size of steps explains"},
              {"/lindyn/compare/loss_observed, loss_predicted", "half the squared error"},
              {"/lindyn/compare/test_loss_observed", "the same of held-out samples"},
              {"/lindyn/compare/test_error", "against /truth/W of the data, of each task"},
              {"/lindyn/compare/<run>/...", "the same where there are several runs"}});
    declare_runs(c, o->runs);
    c.group("Theory");
    c.choice<Method>("--method", o->method,
                     {{"auto", Method::automatic},
                      {"aligned", Method::aligned},
                      {"exact", Method::exact},
                      {"flow", Method::flow},
                      {"discrete", Method::discrete}},
                     "closed forms, exact solution, integrated flow, or finite steps of modes");
    c.option("--depth", o->depth, "D", "weight matrices, where maps alone are known")
        .word("auto", 0)
        .range(1, 64);
    c.option("--from", o->from, "STEP", "checkpoint from which theory starts")
        .word("first", -1)
        .range(0);
    c.example("Theory beside a run of one's own",
              "lindyn compare run.h5 --data animals.h5 -o compared.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
