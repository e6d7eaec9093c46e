// lindyn simulate: gradient descent with the full matrices, beside the theory.
#include "commands.hpp"
#include "problem_input.hpp"

#include <assay/cli/state_file.hpp>
#include <assay/core/allowed_threads.hpp>
#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/simulation_io.hpp>
#include <assay/lindyn/starts.hpp>
#include <assay/training/config.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr double kUsualShare = 0.05;        // of the largest stable rate
constexpr double kSmall = 1e-3, kLarge = 1; // scales of starts
constexpr std::chrono::seconds kSaveEvery{60};
constexpr Index kMostOneHot = 4096; // items of an identity whose rows are drawn

enum class SimulationMethod { descent, flow };
// `large`: independent weights of standard deviation 1, unless a scale is given.
enum class Start { gaussian, orthogonal, aligned, large };

struct Options {
    ProblemOptions problem;
    Start init = Start::gaussian;
    std::optional<double> init_scale;
    std::uint64_t seed = 0;
    StepSettings step;
    std::string weights, checkpoints = "every:100";
    Index depth = 2, hidden = 0, steps = 10000, repeats = 1, batch_size = 0;
    double learning_rate = 0;
    SimulationMethod method = SimulationMethod::descent;
    bool allow_unstable = false;
};

StartSettings start_of(const Options& o, Index repeat) {
    StartSettings s;
    s.law = o.init == Start::orthogonal ? StartLaw::orthogonal
            : o.init == Start::aligned  ? StartLaw::aligned
                                        : StartLaw::gaussian;
    s.scale = o.init_scale.value_or(o.init == Start::large ? kLarge : kSmall);
    s.seed = o.seed;
    s.repeat = repeat;
    return s;
}

std::vector<Index> recorded_steps(const Options& o) {
    return training::checkpoint_steps(training::parse_checkpoints(o.checkpoints), o.steps);
}

std::vector<Index> widths_of(const Options& o, const Statistics& s) {
    const Index hidden = o.hidden > 0 ? o.hidden : std::min(s.inputs(), s.outputs());
    std::vector<Index> widths(static_cast<std::size_t>(o.depth) + 1, hidden);
    widths.front() = s.inputs();
    widths.back() = s.outputs();
    return widths;
}

// Weights, their changes and velocities of all repeats, and the kept steps of the first.
void check_sizes(const std::vector<Index>& widths, Index repeats, std::size_t kept) {
    double weights = 0;
    for (std::size_t l = 1; l < widths.size(); ++l)
        weights += static_cast<double>(widths[l]) * static_cast<double>(widths[l - 1]);
    check_memory(
        8 * weights * (4 * static_cast<double>(repeats) + static_cast<double>(kept)),
        concat("--hidden, --depth, --repeats: ", repeats, " networks of ", weights, " weights"));
}

// Of the repeats with these numbers.
std::map<Index, Layers> starts_of(const Options& o, const std::vector<Index>& repeats,
                                  const Problem& problem, cli::Context& context) {
    if (!o.weights.empty()) {
        if (o.repeats > 1) throw UsageError("--weights is one start; --repeats 1 is expected");
        if (repeats.empty()) return {};
        return {{0, problem_layers(problem, load_layers(context, o.weights))}};
    }
    const std::vector<Index> widths = widths_of(o, problem.statistics);
    std::vector<Index> kept_widths = widths;
    if (problem.whitened()) kept_widths.front() = problem.root.rows();
    check_sizes(kept_widths, static_cast<Index>(repeats.size()), recorded_steps(o).size());
    std::map<Index, Layers> starts;
    for (const Index r : repeats)
        starts.emplace(r, initial_layers(widths, problem.modes, start_of(o, r)));
    return starts;
}

std::size_t depth_of(const Options& o, const std::map<Index, Layers>& starts) {
    return starts.empty() ? static_cast<std::size_t>(o.depth) : starts.begin()->second.size();
}

double rate_of(const Options& o, const Problem& problem, std::size_t depth, cli::Context& context) {
    const double bound = stable_rate(problem, static_cast<int>(depth));
    const double rate = o.learning_rate > 0 ? o.learning_rate : kUsualShare * bound;
    if (rate < bound || o.method == SimulationMethod::flow) return rate;
    const std::string what = concat("--learning-rate ", rate, ": ", significant(bound, 4),
                                    " is the largest that converges");
    if (!o.allow_unstable) throw Error(what + " (see --allow-unstable)");
    context.monitor().warn(what);
    return rate;
}

// The gradient of the statistics over that of half the squared error, mean over samples.
double over_mean(const Statistics& s) {
    const bool summed = s.normalisation == Normalisation::sum && s.samples > 0;
    return summed ? static_cast<double>(s.samples) : 1.0;
}

// Samples whose batches are drawn.
struct Samples {
    RowMatrix inputs, targets;
};
Samples read_all(cli::Context& context, const Options& o, const Problem& problem) {
    const auto source = sample_source(context, o.problem, context.input_address());
    Samples samples;
    samples.targets = source->read_targets(0, source->samples());
    if (source->inputs() > 0) {
        samples.inputs = source->read_inputs(0, source->samples());
    } else {
        if (source->samples() > kMostOneHot)
            throw Error(concat("--batch-size: ", source->samples(), " one-hot items; at most ",
                               kMostOneHot, " are expected"));
        samples.inputs = RowMatrix::Identity(source->samples(), source->samples());
    }
    if (problem.whitened()) samples.inputs = samples.inputs * problem.root;
    return samples;
}

// Updates of one pass through the samples; what does not fill a batch is left out.
Index epoch_of(const Options& o, const Samples& samples) {
    return o.batch_size > 0 ? std::max<Index>(1, samples.targets.rows() / o.batch_size) : 1;
}

std::unique_ptr<Learner> learner_of(const Options& o, const Problem& problem,
                                    const Samples& samples, const StepSettings& step, Layers start,
                                    Index repeat) {
    check_layers(start, problem.statistics.inputs(), problem.statistics.outputs());
    if (o.method == SimulationMethod::flow)
        return std::make_unique<FlowLearner>(problem.statistics, std::move(start), step);
    if (o.batch_size == 0) return gradient_descent(problem.statistics, std::move(start), step);
    return std::make_unique<BatchDescent>(samples.inputs, samples.targets,
                                          problem.statistics.normalisation, std::move(start), step,
                                          BatchSettings{o.batch_size, o.seed, repeat});
}

void resume(std::vector<Simulation>& runs, const cli::StateFile& state, cli::Context& context) {
    const auto saved = state.saved();
    if (!saved) {
        if (context.resuming())
            context.monitor().info("there is no saved state; the simulation starts anew");
        return;
    }
    at_place(saved->where(), [&] {
        auto states = read_states(*saved);
        if (states.size() != runs.size()) throw Error("is of other repeats");
        for (std::size_t r = 0; r < runs.size(); ++r) runs[r].restore(std::move(states[r]));
    });
}

void save(cli::StateFile& state, const std::vector<Simulation>& runs) {
    if (state.kept()) state.save([&](hdf5::Group group) { write_states(std::move(group), runs); });
}

// All repeats from one recorded step to the next, in parallel.
void run_all(std::vector<Simulation>& runs, cli::StateFile& state, const Execution& execution) {
    const Phase phase(*execution.monitor, "steps");
    auto saved = std::chrono::steady_clock::now();
    const auto count = static_cast<Index>(runs.size());
    // What repeats leave of the threads shares their products.
    const int inside = std::max(1, execution.threads / std::max(1, static_cast<int>(count)));
    const auto working = [&] {
        return std::any_of(runs.begin(), runs.end(),
                           [](const Simulation& run) { return !run.finished(); });
    };
    try {
        while (working()) {
            parallel_blocks(count, execution.threads, [&](Index r) {
                const AllowedThreads shared(inside);
                Simulation& run = runs[static_cast<std::size_t>(r)];
                if (!run.finished()) run.advance(*execution.monitor);
            });
            if (std::chrono::steady_clock::now() - saved > kSaveEvery) {
                save(state, runs);
                saved = std::chrono::steady_clock::now();
            }
            const SimulationState first = runs.front().state();
            execution.monitor->progress({static_cast<double>(first.done),
                                         static_cast<double>(first.record.steps.back()), "steps",
                                         concat("loss ", first.record.loss(first.recorded - 1))});
        }
    } catch (const Interrupted&) {
        save(state, runs);
        throw;
    }
}

void report(cli::Context& context, const std::vector<Simulation>& runs,
            const SimulationFacts& facts) {
    if (runs.empty()) return;
    const SimulationRecord& first = runs.front().record();
    const Index last = first.loss.size() - 1;
    context.report("repeats", static_cast<std::int64_t>(runs.size()));
    context.report("steps", static_cast<std::int64_t>(first.steps.back()));
    context.report("learning rate", facts.step.rate);
    context.report("loss", first.loss(last), concat("from ", significant(first.loss(0), 4)));
    for (Index a = 0; a < std::min<Index>(first.strength.cols(), 6); ++a)
        context.report(concat("mode ", a), first.strength(last, a), "strength at the end");
}

void run(const Options& o, cli::Context& context) {
    if (o.method == SimulationMethod::flow && o.batch_size > 0)
        throw UsageError("--method flow has no batches; --batch-size 0 is expected");
    const Problem problem = data_problem(context, o.problem);
    const cli::Shard shard = context.shard();
    const StudyPart part{shard.index, shard.count};
    const std::vector<Index> numbers = own_numbers(o.repeats, part);
    std::map<Index, Layers> starts = starts_of(o, numbers, problem, context);
    const std::optional<Matrix> target = read_target_map(context.input().root());
    const Samples samples = o.batch_size > 0 ? read_all(context, o, problem) : Samples{};
    StepSettings step = o.step;
    step.rate = rate_of(o, problem, depth_of(o, starts), context);
    SimulationSettings settings;
    settings.recorded = recorded_steps(o);
    settings.target = target ? &*target : nullptr;
    settings.root = problem.whitened() ? &problem.root : nullptr;
    std::vector<Simulation> runs;
    for (auto& [r, start] : starts) {
        settings.keep_layers = r == 0; // the run that the file holds; the others repeat it
        runs.emplace_back(problem.statistics, problem.modes,
                          learner_of(o, problem, samples, step, std::move(start), r), settings);
    }
    cli::StateFile state(context, "simulate");
    resume(runs, state, context);
    run_all(runs, state, context.execution());
    const double over = over_mean(problem.statistics);
    const SimulationFacts facts{step,
                                step.rate * over,
                                step.decay / over,
                                o.batch_size,
                                epoch_of(o, samples),
                                o.method == SimulationMethod::flow,
                                o.seed,
                                context.input_address().name(),
                                problem.whitened() ? std::optional(problem.statistics.normalisation)
                                                   : std::nullopt};
    hdf5::Group root = context.output();
    SimulationStudy study{facts, o.repeats, part, {}};
    for (std::size_t r = 0; r < runs.size(); ++r) study.runs[numbers[r]] = runs[r].record();
    if (study.runs.count(0) > 0) write_run(root, run_of(runs.front(), facts));
    write_simulation(root.create_group("/lindyn/simulate"), study);
    write_modes(
        root.create_group("/lindyn/modes"), problem,
        judge_modes(problem.modes.s, problem.statistics.inputs(), problem.statistics.outputs(), 0));
    report(context, runs, facts);
    report_whitening(context, problem);
    if (part.count == 1)
        context.propose("lindyn plot " + context.output_target() + " -o curves.svg");
}

} // namespace

cli::Command simulate() {
    auto o = std::make_shared<Options>();
    cli::Command c("simulate", "gradient descent with the full matrices of a linear network");
    c.describe(
        "Gradient descent on half the squared error, by all samples or batches, or gradient flow, "
        "started small, large, aligned with the data, or from a network in a file. What was "
        "interrupted goes on to the same bits (--resume). The run stands in the output as any "
        "training "
        "run does (/run/checkpoints), so that every tool reads it. With --whiten, whitened inputs "
        "are learned; the weights of the run act on the original ones.");
    c.input("data");
    c.resumable();
    c.sharded();
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/simulate/strength", "repeat x time x mode"},
              {"/lindyn/simulate/loss", "repeat x time"},
              {"/lindyn/simulate/test_error", "where /truth/W is known"},
              {"/run/checkpoints/<step>, /model", "weights of the first repeat"}});
    declare_problem(c, o->problem, Whitening::offered);
    c.group("Network");
    c.option("--depth", o->depth, "D", "weight matrices").range(1, 64);
    c.option("--hidden", o->hidden, "N", "units of each hidden layer")
        .word("auto", 0)
        .range(1, 1 << 24);
    c.choice<Start>("--init", o->init,
                    {{"gaussian", Start::gaussian},
                     {"orthogonal", Start::orthogonal},
                     {"aligned", Start::aligned},
                     {"large", Start::large}},
                    "independent weights; balanced in random directions, or in the data's own; "
                    "independent and large");
    c.option("--init-scale", o->init_scale, "X",
             "standard deviation of a weight (gaussian, large), or strength of each mode of the "
             "map")
        .default_text("0.001, large: 1")
        .range(0);
    c.option("--weights", o->weights, "FILE",
             "start from the network of this file; -: of the input");
    c.option("--repeats", o->repeats, "R", "starts").range(1, 1 << 20);
    c.seed(o->seed);
    c.group("Training");
    c.choice<SimulationMethod>(
        "--method", o->method,
        {{"descent", SimulationMethod::descent}, {"flow", SimulationMethod::flow}},
        "gradient descent, or gradient flow integrated to the times of its steps");
    c.option("--batch-size", o->batch_size, "B", "samples of an update").word("all", 0).range(1);
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
