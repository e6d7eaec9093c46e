// lindyn simulate: gradient descent with the full matrices, beside the theory.
#include "commands.hpp"
#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/starts.hpp>
#include <assay/training/config.hpp>

#include <cmath>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr double kUsualShare = 0.05; // of the largest stable rate

struct Options {
    ProblemOptions problem;
    StartSettings start;
    StepSettings step;
    std::string weights, checkpoints = "log:32";
    Index depth = 2, hidden = 0, steps = 10000, repeats = 1;
    double learning_rate = 0;
    bool allow_unstable = false;
};

std::vector<Index> widths_of(const Options& o, const Statistics& s) {
    const Index hidden = o.hidden > 0 ? o.hidden : std::min(s.inputs(), s.outputs());
    std::vector<Index> widths(static_cast<std::size_t>(o.depth) + 1, hidden);
    widths.front() = s.inputs();
    widths.back() = s.outputs();
    return widths;
}

std::vector<Layers> starts_of(const Options& o, const Problem& problem, cli::Context& context) {
    if (!o.weights.empty()) {
        if (o.repeats > 1) throw UsageError("--weights is one start; --repeats 1 is expected");
        return {load_layers(context, o.weights)};
    }
    std::vector<Layers> starts;
    for (Index r = 0; r < o.repeats; ++r) {
        StartSettings one = o.start;
        one.repeat = r;
        starts.push_back(initial_layers(widths_of(o, problem.statistics), problem.modes, one));
    }
    return starts;
}

double rate_of(const Options& o, const Problem& problem, std::size_t depth, cli::Context& context) {
    const double bound =
        stable_rate(problem.modes.s(0), problem.modes.input_variance(0), static_cast<int>(depth));
    const double rate = o.learning_rate > 0 ? o.learning_rate : kUsualShare * bound;
    if (rate < bound) return rate;
    const std::string what = concat("--learning-rate ", rate, ": ", significant(bound, 4),
                                    " is the largest that converges");
    if (!o.allow_unstable) throw Error(what + " (see --allow-unstable)");
    context.monitor().warn(what);
    return rate;
}

// The rate of half the squared error, mean over samples, that makes the same steps.
double rate_of_mean(const StepSettings& step, const Statistics& s) {
    const bool summed = s.normalisation == Normalisation::sum && s.samples > 0;
    return step.rate * (summed ? static_cast<double>(s.samples) : 1.0);
}

void report(cli::Context& context, const std::vector<SimulationRecord>& records,
            const SimulationFacts& facts) {
    const SimulationRecord& first = records.front();
    const Index last = first.loss.size() - 1;
    context.report("repeats", static_cast<std::int64_t>(records.size()));
    context.report("steps", static_cast<std::int64_t>(first.steps.back()));
    context.report("learning rate", facts.step.rate);
    context.report("loss", first.loss(last), concat("from ", significant(first.loss(0), 4)));
    for (Index a = 0; a < std::min<Index>(first.strength.cols(), 6); ++a)
        context.report(concat("mode ", a), first.strength(last, a), "strength at the end");
}

void run(const Options& o, cli::Context& context) {
    const Problem problem = data_problem(context, o.problem);
    std::vector<Layers> starts = starts_of(o, problem, context);
    const std::optional<Matrix> target = read_target_map(context.input().root());
    SimulationSettings settings{o.step, {}, target ? &*target : nullptr};
    settings.step.rate = rate_of(o, problem, starts.front().size(), context);
    settings.recorded =
        training::checkpoint_steps(training::parse_checkpoints(o.checkpoints), o.steps);
    const SimulationFacts facts{settings.step, rate_of_mean(settings.step, problem.statistics),
                                o.start.seed, context.input_address().name()};
    hdf5::Group root = context.output();
    std::vector<SimulationRecord> records(starts.size());
    // The first is the run that the file holds; the others are repeats of it.
    records[0] = simulate(
        problem.statistics, problem.modes,
        GradientDescent(problem.statistics, starts[0], settings.step), settings,
        [&](Index step, const GradientDescent& state, double loss) {
            write_run_checkpoint(root, step, state.layers(), loss, facts.learning_rate);
        },
        context.execution());
    parallel_blocks(
        static_cast<Index>(starts.size()) - 1, context.execution().threads, [&](Index i) {
            const auto r = static_cast<std::size_t>(i) + 1;
            records[r] = simulate(problem.statistics, problem.modes,
                                  GradientDescent(problem.statistics, starts[r], settings.step),
                                  settings, {}, {});
        });
    write_run(root, records[0], facts);
    write_simulation(root.create_group("/lindyn/simulate"), records, facts);
    write_modes(
        root.create_group("/lindyn/modes"), problem,
        judge_modes(problem.modes.s, problem.statistics.inputs(), problem.statistics.outputs(), 0));
    report(context, records, facts);
    context.propose("lindyn plot " + context.output_target() + " -o curves.svg");
}

} // namespace

cli::Command simulate() {
    auto o = std::make_shared<Options>();
    cli::Command c("simulate", "gradient descent with the full matrices of a linear network");
    c.describe(
        "Full-batch gradient descent on half the squared error, started small, aligned with "
        "the data, or from a network in a file. The run stands in the output as any training "
        "run does (/run/checkpoints), so that every tool reads it.");
    c.input("data");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/simulate/strength", "repeat x time x mode"},
              {"/lindyn/simulate/loss", "repeat x time"},
              {"/lindyn/simulate/test_error", "where /truth/W is known"},
              {"/run/checkpoints/<step>, /model", "weights of the first repeat"}});
    declare_problem(c, o->problem, Whitening::none);
    c.group("Network");
    c.option("--depth", o->depth, "D", "weight matrices").range(1, 64);
    c.option("--hidden", o->hidden, "N", "units of each hidden layer")
        .word("auto", 0)
        .range(1, 1 << 24);
    c.choice<StartLaw>("--init", o->start.law,
                       {{"gaussian", StartLaw::gaussian},
                        {"orthogonal", StartLaw::orthogonal},
                        {"aligned", StartLaw::aligned}},
                       "independent weights; balanced in random directions, or in the data's own");
    c.option("--init-scale", o->start.scale, "X",
             "standard deviation of a weight (gaussian), or strength of each mode of the map")
        .range(0);
    c.option("--weights", o->weights, "FILE",
             "start from the network of this file; -: of the input");
    c.option("--repeats", o->repeats, "R", "starts").range(1, 1 << 20);
    c.seed(o->start.seed);
    c.group("Training");
    c.option("--steps", o->steps, "N", "updates").range(1);
    c.option("--learning-rate", o->learning_rate, "X",
             "of half the squared error under --statistics")
        .default_text("a twentieth of the largest that converges")
        .range(0);
    c.option("--momentum", o->step.momentum, "X", "heavy ball").range(0, 0.999999);
    c.option("--weight-decay", o->step.decay, "X", "penalty X/2 |W|^2").range(0);
    c.option("--checkpoints", o->checkpoints, "SCHEDULE",
             "recorded steps: every:K, log:N, decade:N, pow2[:K] or list:a,b,c");
    c.flag("--allow-unstable", o->allow_unstable, "learning rates that diverge");
    c.example("Ten small random starts",
              "lindyn simulate animals.h5 --hidden 16 --init-scale 1e-3 --repeats 10 --steps 3000 "
              "--checkpoints every:20 -o run.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app
