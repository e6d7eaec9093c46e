// fixedpoints attractor: the line that slow points lie on.
#include "commands.hpp"
#include "line_inputs.hpp"
#include "line_request.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <limits>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    TrialOptions trials;
    LineOptions line;
    bool untrained = false;
};

constexpr Index kAt95 = 1; // among the levels of the null

Dimensionality untrained_states(const Options& o, cli::Context& context,
                                const LoadedNetwork& network, const Trials& trials) {
    const network::Model model = untrained(network.model, o.line.seed);
    const Dynamics dynamics(model, o.network.layer);
    const network::Samples& s = trials.samples;
    const RowMatrix raw = Eigen::Map<const RowMatrix>(
        s.inputs.data(), s.count() * trials.trajectories.steps, dynamics.raw_inputs());
    return dimensionality(
        run_trials(dynamics, raw, s.count(), trials.trajectories.lengths, context.execution()),
        context.execution());
}

double median(const Vector& values) {
    return quantiles(values, Vector::Constant(1, 0.5))(0);
}

void report(cli::Context& context, const LineAttractors& found,
            const std::optional<Dimensionality>& before) {
    double along = std::numeric_limits<double>::infinity();
    std::int64_t pairs = 0;
    Vector alignments(0);
    for (const Line& line : found.lines) {
        along = std::min(along, line.axis.variance);
        for (const auto pair : line.modes.pair) pairs += pair;
        const Index have = alignments.size();
        alignments.conservativeResize(have + line.alignment.axis.size());
        alignments.tail(line.alignment.axis.size()) = line.alignment.axis;
    }
    const Line& first = found.lines.front();
    const std::string least = found.lines.size() > 1 ? ", least of the lines" : "";
    const auto leading = [](const Dimensionality& d) {
        return d.ratios.head(std::min<Index>(2, d.ratios.size())).sum();
    };
    context.report("lines", static_cast<std::int64_t>(found.lines.size()));
    context.report("first two pcs variance", leading(found.states), "of the states");
    if (before) context.report("untrained first two pcs variance", leading(*before));
    context.report("participation ratio", found.states.participation_ratio, "of the states");
    context.report("first pc variance", along, "of the points" + least);
    context.report("mean input norm", first.offset.mean_norm,
                   concat("inputs: ", significant(first.offset.token_norm, 3)));
    if (found.lines.size() == 1) context.report("m dot w", first.axis.dot_readout);
    context.report("median alignment", median(alignments), "of r_1 with the line");
    context.report("null quantile", first.alignment.null_quantiles(kAt95),
                   "95%, random directions");
    context.report("median lambda 1", median(found.magnitude), "magnitude");
    for (Index a = 0; a < found.time_constants.cols(); ++a)
        context.report(concat("median tau ", a + 1), median(found.time_constants.col(a)), "steps");
    if (pairs > 0)
        context.report("complex pairs", pairs, "points whose r_1 is taken in the real span");
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = need_points(context, network);
    const Trials trials = need_trials(context, o.trials, network);
    const auto systems = load_systems(context, network, found, 1);
    const LineAttractors lines = at_place(context.input_address().name(), [&] {
        return line_attractors(network.dynamics, found.points, systems, trials.trajectories, o.line,
                               context.execution());
    });
    AttractorFacts facts;
    facts.data_digest = trials.digest;
    if (o.untrained) facts.untrained = untrained_states(o, context, network, trials);
    const auto untrained = facts.untrained;
    write_lines(context.output().create_group("/fixedpoints/attractor"), lines, found.points,
                systems, std::move(facts));
    warn_of_lines(context.monitor(), lines, network.dynamics.vocabulary() > 0);
    report(context, lines, untrained);
}

} // namespace

cli::Command attractor() {
    auto o = std::make_shared<Options>();
    cli::Command c("attractor", "the line that slow points lie on, and their modes along it");
    c.describe("For every constant input with two points or more: how many dimensions states and "
               "points take, the axis m of the line, where each point lies on it (theta), how "
               "states come to rest, the slowest time constants, and whether the first mode lies "
               "along the line, against random directions. Without linearize before, modes are in "
               "the order of falling magnitude.");
    c.input("result of find or linearize");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/attractor/axis", "m of every constant input"},
              {"/fixedpoints/attractor/theta", "of every point, -1 to 1"},
              {"/fixedpoints/attractor/alignment", "of the first mode with m, against null"},
              {"/fixedpoints/attractor/states", "principal components; untrained the same"},
              {"/fixedpoints/attractor/approach", "speed of states under the constant input"},
              {"/fixedpoints/attractor/stations", "eigenvalues at theta -2/3, 0, 2/3"}});
    c.group("What");
    declare_line(c, o->line);
    c.option("--readout", o->line.readout, "OUTPUT", "the output that orients m, from 0").range(0);
    c.flag("--untrained", o->untrained,
           "also the dimension of the states of the network before training");
    c.seed(o->line.seed);
    declare_trials(c, o->trials);
    declare_network(c, o->network);
    c.example("The line of a sentiment network",
              "fixedpoints find lstm.h5 --preset sentiment --carry data | fixedpoints attractor "
              "--untrained -o line.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
