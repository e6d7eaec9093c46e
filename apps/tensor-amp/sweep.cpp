// tensor-amp sweep: algorithms and theory over noise variances and parameters of the model.
#include "commands.hpp"
#include "grid_option.hpp"
#include "message_options.hpp"
#include "prior_options.hpp"
#include "resumable.hpp"
#include "tensor_input.hpp"

#include <assay/cli/context.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/study_io.hpp>

#include <algorithm>
#include <cstdint>

namespace tensor_amp_app {
namespace {

using namespace assay;
using namespace assay::tensor_amp;

struct Options {
    std::vector<Index> shape{100, 100, 100};
    PriorOptions priors;
    std::vector<std::string> grids;
    std::string noise = "0.05:0.3:6";
    std::vector<std::string> algorithms; // empty: the usual ones
    bool no_theory = false;
    MessageOptions messages;
    std::vector<std::string> learn{"none"};
    double save_every = 30;
    std::int64_t memory = 0;
    SweepSettings sweep;
};

// From the noise and the priors of the model.
void read_learning(Options& o) {
    for (const std::string& what : o.learn) {
        if (what == "noise")
            o.sweep.fit.amp.learn_noise = true;
        else if (what == "prior")
            o.sweep.fit.amp.learn_priors = true;
        else if (what != "none")
            refuse("--learn", what, "none, noise or prior (or noise,prior)");
    }
}

// Variational Bayes among them where it can be: it is sequential.
std::vector<std::string> usual_algorithms(Schedule schedule) {
    std::vector<std::string> usual{"amp:prior-mean", "amp:spectral", "als:1", "als:10"};
    if (schedule == Schedule::sequential) usual.emplace_back("vb");
    return usual;
}

void settle(Options& o, cli::Context& context) {
    check_order(o.shape);
    SweepSettings& s = o.sweep;
    s.model.shape = o.shape;
    s.model.memory_bytes = allowed_memory(o.memory);
    at_place("option '--rank'", [&] { check_rank(o.shape, s.model.rank); });
    const auto order = static_cast<Index>(o.shape.size());
    s.model.priors = parse_priors(o.priors, order, s.model.rank);
    note_prior_files(context, prior_texts(o.priors, order));
    for (const PriorPointer& prior : s.model.priors) s.priors.push_back(prior->describe());
    s.grid.axes = parse_grids(o.grids);
    if (!s.grid.axes.empty()) s.grid.model = describe_model(o.priors, o.shape, s.model.rank);
    check_grid(s.grid);
    s.noise_variances = parse_positive("--noise-var", o.noise);
    if (o.algorithms.empty()) o.algorithms = usual_algorithms(s.fit.amp.schedule);
    for (const std::string& text : o.algorithms) {
        s.algorithms.push_back(
            at_place("option '--algorithms'", [&] { return parse_sweep_algorithm(text); }));
        if (std::count(o.algorithms.begin(), o.algorithms.end(), text) > 1)
            throw UsageError("option '--algorithms': " + printable(text, 40) + " is given twice");
    }
    read_messages(o.messages, s.fit);
    read_learning(o);
    const bool variational =
        std::any_of(s.algorithms.begin(), s.algorithms.end(), [](const SweepAlgorithm& algorithm) {
            return algorithm.algorithm == Algorithm::vb;
        });
    if (variational && s.fit.amp.schedule == Schedule::parallel)
        throw UsageError("option '--schedule': variational Bayes is sequential");
    s.with_theory = !o.no_theory;
    const bool exact = std::all_of(s.model.priors.begin(), s.model.priors.end(),
                                   [](const PriorPointer& prior) { return prior->exact(); });
    if (s.with_theory && !exact) {
        context.monitor().warn("no theory holds for nonnegative priors of rank above 1; it is left "
                               "out");
        s.with_theory = false;
    }
    s.part = context.shard().index - 1;
    s.parts = context.shard().count;
}

void report(cli::Context& context, const Sweep& sweep) {
    context.report("fits", static_cast<std::int64_t>(sweep.rows.size()));
    if (sweep.parts > 1) return;
    for (std::size_t k = 0; k < sweep.algorithms.size(); ++k) {
        std::vector<double> success, errors, medians;
        for (Index i = 0; i < sweep.settings(); ++i) {
            const SweepSummary summary = sweep.summary(i, static_cast<Index>(k));
            success.push_back(summary.success);
            errors.push_back(summary.signal_error);
            medians.push_back(summary.median_signal_error);
        }
        context.report(sweep.algorithms[k], success, "found");
        context.report(sweep.algorithms[k] + " error", errors, "of the signal, mean");
        context.report(sweep.algorithms[k] + " median error", medians, "of the signal");
    }
    if (sweep.theory.empty()) return;
    std::vector<double> theory;
    for (const SweepTheory& one : sweep.theory) theory.push_back(one.signal_error_uninformed);
    context.report("theory", theory, "signal error from the prior means");
}

void run(Options& o, cli::Context& context) {
    settle(o, context);
    cli::StateFile state = state_file(context, "sweep");
    const Sweep sweep =
        run_sweep(o.sweep, context.execution(), keeping_in<SweepState>(state, o.save_every));
    write_sweep(context.output().create_group(kSweepGroup), sweep, context.keeps_timing());
    report(context, sweep);
    if (sweep.parts == 1)
        context.propose("tensor-amp plot " + context.output_target() + " -o sweep.svg");
}

} // namespace

cli::Command sweep() {
    auto o = std::make_shared<Options>();
    cli::Command c("sweep",
                   "algorithms beside theory over noise variances and parameters of the model");
    c.describe("Makes tensors of known truth, decomposes each by every algorithm, and writes every "
               "fit, the summary over instances, and what state evolution says. The Bayesian "
               "algorithms know noise and priors, unless --learn says otherwise. --grid runs over "
               "parameters of the model as that of phase does, lengths rounded to whole numbers. "
               "The parts of an array job join to the same result whatever their number.");
    c.output(cli::OutputKind::hdf5,
             {{"/tensor_amp/sweep/results", "table, one row a fit"},
              {"/tensor_amp/sweep/summary", "[grid x] noise variance x algorithm"},
              {"/tensor_amp/sweep/theory", "[grid x] state evolution, uninformed and informed"}});
    c.resumable();
    c.sharded();
    c.group("Model");
    c.option("--shape", o->shape, "N1,N2,...", "dimensions").range(1, 1e9);
    c.option("-r,--rank", o->sweep.model.rank, "R", "components").range(1, 1e6);
    declare_priors(c, o->priors);
    declare_grid(c, o->grids);
    c.option("--noise-var", o->noise, "GRID", kGridWords);
    c.flag("--standardize", o->sweep.model.standardize,
           "make moments of every factor exactly the prior's (Gaussian priors)");
    c.group("Fits");
    c.option("--algorithms", o->algorithms, "LIST",
             "amp:START[:K], vb:START[:K] (prior-mean, random, spectral, informed), als:K, hals:K; "
             "the best of K starts")
        .default_text("amp:prior-mean,amp:spectral,als:1,als:10 and, unless --schedule is "
                      "parallel, vb");
    c.option("--instances", o->sweep.instances, "N", "tensors a setting").range(1, 1e7);
    c.option("--success", o->sweep.success, "X", "similarity to the truth that counts as found")
        .range(0, 1);
    declare_messages(c, o->messages, o->sweep.fit);
    c.option("--learn", o->learn, "LIST",
             "noise, prior, none: what AMP and vb learn, from the model's own");
    c.option("--init-noise", o->sweep.fit.start_noise, "X", "of informed starts").range(0);
    c.option("--max-iterations", o->sweep.fit.amp.max_iterations, "N", "sweeps of each fit")
        .range(1, 1e7);
    c.option("--tolerance", o->sweep.fit.amp.tolerance, "X",
             "relative change of factors that has converged")
        .range(0);
    c.flag("--no-theory", o->no_theory, "leave out state evolution");
    declare_precision(c, o->sweep.storage);
    c.memory_limit(o->memory);
    c.declaration().options.back().description = "working memory; a tensor that does not fit is "
                                                 "refused";
    c.seed(o->sweep.model.seed);
    cli::declare_save_every(c, o->save_every);
    c.example("Where message passing beats least squares",
              "tensor-amp sweep --shape 60,60,60 --prior gauss:mean=0.3 --noise-var 0.05,0.1,0.2 "
              "--instances 8 -o sweep.h5");
    c.example(
        "Success over the mean and the size",
        "tensor-amp sweep --shape 20,20,20 --grid mean=0:0.5:6 --grid scale=1,2,4 --noise-var "
        "0.1 -o map.h5");
    c.example("Part 3 of an array job",
              "tensor-amp sweep --shape 200,200,200 --prior gauss:mean=0.3 --shard 3/40 -o "
              "part3.h5");
    c.reference("kadmon2018");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace tensor_amp_app
