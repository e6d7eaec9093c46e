// fixedpoints modes: what an input leaves behind, mode by mode.
#include "commands.hpp"
#include "line_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/point_modes.hpp>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    std::string probe = "unit";
    Index horizon = 0, readout = 0;
    bool track = false;
};

constexpr Index kListed = 3;         // crossings among the slowest curves are listed
constexpr Index kReportedProbes = 8; // in the summary

struct Probes {
    RowMatrix given, driven;
    ProbeKind kind = ProbeKind::deviation;
};

Probes probes_of(const Options& o, cli::Context& context, const Dynamics& dynamics) {
    if (o.probe == "unit") {
        const RowMatrix unit = RowMatrix::Identity(dynamics.inputs(), dynamics.inputs());
        return {unit, unit, ProbeKind::deviation};
    }
    if (dynamics.vocabulary() > 0) {
        const RowMatrix tokens = read_inputs(context, "--probe", o.probe, 1, dynamics.vocabulary());
        return {tokens, dynamics.drive(tokens), ProbeKind::absolute};
    }
    const RowMatrix rows = read_inputs(context, "--probe", o.probe, dynamics.inputs(), 0);
    return {rows, rows, ProbeKind::deviation};
}

std::vector<TrackedLine> tracked_lines(cli::Context& context, const FoundPoints& found,
                                       const std::vector<EigenSystem>& systems) {
    const LineFrame frame = load_lines(context, found);
    std::vector<TrackedLine> lines;
    for (Index input = 0; input < frame.axes.rows(); ++input) {
        if (!frame.axes.row(input).allFinite()) continue;
        TrackedLine line;
        line.input = input;
        line.points = rows_of_input(found.points, input);
        const Vector theta = frame.theta(line.points);
        line.modes = track_modes(chosen(systems, line.points), theta, kListed, context.execution());
        lines.push_back(std::move(line));
    }
    return lines;
}

void report(cli::Context& context, const std::vector<InputResponse>& responses,
            const std::vector<TrackedLine>& tracked, Index horizon) {
    context.report("inputs", static_cast<std::int64_t>(responses.size()));
    context.report("modes", static_cast<std::int64_t>(responses.front().retained.mean.rows()));
    for (const InputResponse& r : responses) {
        const std::string at = responses.size() > 1 ? concat(" input ", r.input) : std::string();
        const Index probes = std::min(kReportedProbes, r.retained.mean.cols());
        for (Index i = 0; i < probes; ++i)
            context.report(concat("retained probe ", i, at), r.retained.mean(0, i),
                           concat("by one mode, ", horizon, " steps on; all modes: ",
                                  significant(r.retained.mean(r.retained.mean.rows() - 1, i), 4)));
    }
    for (const TrackedLine& line : tracked)
        context.report(tracked.size() > 1 ? concat("crossings input ", line.input) : "crossings",
                       static_cast<std::int64_t>(line.modes.crossings.size()),
                       "among the slowest modes along the line");
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    if (o.readout >= dynamics.outputs())
        throw Error(concat("--readout ", o.readout, ": the network has ", dynamics.outputs(),
                           " outputs, from 0"));
    const FoundPoints found = need_points(context, network);
    const Probes probes = probes_of(o, context, dynamics);
    const auto systems = load_systems(context, network, found, usual_modes(dynamics.state_size()));
    const auto responses = at_place(context.input_address().name(), [&] {
        return input_responses(dynamics, found.points, systems, probes.driven, probes.kind,
                               o.readout, o.horizon, context.execution());
    });
    std::vector<TrackedLine> tracked;
    if (o.track) tracked = tracked_lines(context, found, systems);
    ModeFacts facts;
    facts.probes = probes.given;
    facts.kind = probes.kind;
    facts.inputs = input_count(found.points);
    facts.horizon = o.horizon;
    facts.readout = o.readout;
    write_modes(context.output().create_group("/fixedpoints/modes"), responses, tracked, facts);
    report(context, responses, tracked, o.horizon);
}

} // namespace

cli::Command modes() {
    auto o = std::make_shared<Options>();
    cli::Command c("modes", "what an input leaves behind, mode by mode");
    c.describe("The response of the readout to an input at one step, kept by the first k modes of "
               "the linearised dynamics, averaged over the points of each constant input; and each "
               "mode followed along the line. Modes are in the order of linearize, else by falling "
               "magnitude.");
    c.input("result of find, linearize or attractor");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/modes/retained_response", "with modes 1 to k, of every probe"},
              {"/fixedpoints/modes/end_effect", "on the state"},
              {"/fixedpoints/modes/track", "with --track: eigenvalues along the line, crossings"}});
    c.group("What");
    c.option("--probe", o->probe, "unit|FILE:/path",
             "each input by itself, rows added to the constant input, or token ids");
    c.option("--horizon", o->horizon, "STEPS", "so many steps after the probe's").range(0);
    c.option("--readout", o->readout, "OUTPUT", "which output, from 0").range(0);
    c.flag("--track", o->track, "follow each mode along the line of attractor");
    declare_network(c, o->network);
    c.example("How many modes keep a pulse of evidence",
              "fixedpoints modes line.h5 --horizon 20 --track -o modes.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
