// fixedpoints modes: what an input leaves behind, mode by mode.
#include "commands.hpp"
#include "line_inputs.hpp"
#include "line_request.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/point_modes.hpp>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    ModeRequest modes;
};

constexpr Index kReportedProbes = 8; // in the summary

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
    const FoundPoints found = need_points(context, network);
    Probes probes = read_probes(o.modes, context, dynamics);
    const auto systems = load_systems(context, network, found, usual_modes(dynamics.state_size()));
    std::optional<LineFrame> frame;
    if (o.modes.track) frame = load_lines(context, found);
    const ModeAnalysis modes = at_place(context.input_address().name(), [&] {
        return analyse_modes(o.modes, std::move(probes), dynamics, found.points, systems,
                             frame ? &*frame : nullptr, context.execution());
    });
    modes.write(context.output().create_group("/fixedpoints/modes"));
    report(context, modes.responses, modes.tracked, o.modes.horizon);
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
    declare_modes(c, o->modes);
    c.option("--readout", o->modes.readout, "OUTPUT", "which output, from 0").range(0);
    declare_network(c, o->network);
    c.example("How many modes keep a pulse of evidence",
              "fixedpoints modes line.h5 --horizon 20 --track -o modes.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
