// fixedpoints predict: how well the linearised dynamics foretell the network.
#include "commands.hpp"
#include "line_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/statistics.hpp>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    TrialOptions trials;
    LinearCenter center = LinearCenter::point;
    PredictionOptions prediction;
    bool closed_loop = false, accuracy = false;
};

std::vector<std::int32_t> need_labels(const Trials& trials, const Options& o,
                                      const Dynamics& dynamics) {
    if (!dynamics.reads_output())
        throw Error("--accuracy: what is decided depends on other layers than '" +
                    printable(o.network.layer, 60) + "'");
    auto labels = labels_of(trials.samples);
    if (labels.empty())
        throw Error(trials.where + "/targets: --accuracy needs labels, one class a trial");
    return labels;
}

void report(cli::Context& context, const Prediction& prediction, const PredictFacts& facts) {
    const Vector levels = (Vector(3) << 0.25, 0.5, 0.75).finished();
    const Vector quartiles = quantiles(prediction.error, levels);
    context.report("states", static_cast<std::int64_t>(prediction.error.size()));
    context.report("median error", quartiles(1),
                   concat(facts.steps, facts.steps == 1 ? " step ahead" : " steps ahead"));
    context.report("lower quartile", quartiles(0));
    context.report("upper quartile", quartiles(2));
    if (facts.loop) {
        std::vector<double> valid;
        for (const double error : facts.loop->error.reshaped<Eigen::RowMajor>())
            if (error == error) valid.push_back(error);
        const Vector errors =
            Eigen::Map<const Vector>(valid.data(), static_cast<Index>(valid.size()));
        context.report("closed loop median error", quantiles(errors, levels)(1), "all steps");
    }
    if (!facts.decisions) return;
    context.report("network accuracy", facts.decisions->full);
    context.report("linear accuracy", facts.decisions->linear, "closed loop");
    context.report("agreement", facts.decisions->agreement);
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    const FoundPoints found = need_points(context, network);
    const Trials trials = need_trials(context, o.trials, network);
    std::vector<std::int32_t> labels;
    if (o.accuracy) labels = need_labels(trials, o, dynamics);
    const LocalLinear linear(dynamics, found.points, o.center, context.execution());
    const Prediction prediction =
        predict(dynamics, linear, trials.trajectories, o.prediction, context.execution());
    if (prediction.error.size() == 0)
        throw Error(concat(trials.where, ": no trial is as long as --steps ", o.prediction.steps));
    PredictFacts facts;
    facts.center = o.center;
    facts.steps = o.prediction.steps;
    facts.data_digest = trials.digest;
    if (o.closed_loop || o.accuracy) {
        ClosedLoop loop = closed_loop(dynamics, linear, trials.trajectories);
        if (o.accuracy)
            facts.decisions = at_place(trials.where, [&] {
                return compare_decisions(dynamics, trials.trajectories, loop.end_states, labels,
                                         decision_threshold(network.model));
            });
        if (o.closed_loop) {
            facts.loop_quantiles = closed_loop_quantiles(loop, prediction.levels);
            facts.loop = std::move(loop);
        }
    }
    write_prediction(context.output().create_group("/fixedpoints/predict"), prediction, facts);
    report(context, prediction, facts);
}

} // namespace

cli::Command predict() {
    auto o = std::make_shared<Options>();
    cli::Command c("predict", "how well the linearised dynamics foretell the network");
    c.describe("Every state of the trials is predicted from the one before by the dynamics "
               "linearised around the nearest point, h' = c + J (h - h*) + K (x - x*).");
    c.input("result of find or a later step");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/predict/error", "|h - prediction| / |h| of every state"},
              {"/fixedpoints/predict/quantiles", "of the error"},
              {"/fixedpoints/predict/closed_loop_error", "with --closed-loop"}});
    c.group("What");
    c.choice<LinearCenter>("--center", o->center,
                           {{"hstar", LinearCenter::point}, {"F", LinearCenter::image}},
                           "c: the point itself, or where the network takes it");
    c.option("--steps", o->prediction.steps, "N",
             "steps ahead, each around the point nearest to the prediction")
        .range(1);
    c.flag("--closed-loop", o->closed_loop,
           "also the linearised network by itself from the initial state");
    c.flag("--accuracy", o->accuracy, "also what it decides at the end of a trial, against labels");
    declare_trials(c, o->trials);
    declare_network(c, o->network);
    c.example("One step ahead, and decisions",
              "fixedpoints predict line.h5 --data reviews.h5:/data/test --accuracy -o error.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
