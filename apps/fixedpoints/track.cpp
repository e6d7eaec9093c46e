// fixedpoints track: how points move and change as the input moves.
#include "commands.hpp"
#include "constant_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/graph_io.hpp>

#include <map>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    DataOptions data;
    TrackOptions track;
    std::string from, to, inputs;
};

RowMatrix one_input(const std::string& option, const std::string& text, cli::Context& context,
                    const Dynamics& dynamics, const std::optional<Trials>& trials) {
    RowMatrix input = constant_inputs(option, text, context, dynamics, trials);
    if (input.rows() != 1)
        throw UsageError(
            concat("option '", option, "': found ", input.rows(), " inputs; one is expected"));
    return input;
}

bool needs_trials(const std::string& text) {
    return text == "mean" || text == "each";
}

// Successive inputs, one row each.
RowMatrix path_of(const Options& o, cli::Context& context, const Dynamics& dynamics,
                  const FoundPoints& found) {
    if (o.from.empty() != o.to.empty())
        throw UsageError(o.to.empty() ? "--from needs --to" : "--to needs --from");
    if (o.from.empty() == o.inputs.empty())
        throw UsageError("a path is expected: --from A --to B, or --inputs each");
    std::optional<Trials> trials;
    if (needs_trials(o.from) || needs_trials(o.to) || needs_trials(o.inputs))
        trials = load_trials(context, o.data, dynamics);
    if (!o.from.empty()) {
        RowMatrix path(2, dynamics.inputs());
        path << one_input("--from", o.from, context, dynamics, trials),
            one_input("--to", o.to, context, dynamics, trials);
        if (path.row(0) == path.row(1))
            throw UsageError("--from " + o.from + " and --to " + o.to + " are the same input");
        return path;
    }
    // The points' file knows its inputs where the trials have not come along.
    RowMatrix path = o.inputs == "each" && !trials
                         ? found.inputs
                         : constant_inputs("--inputs", o.inputs, context, dynamics, trials);
    if (path.rows() < 2)
        throw UsageError(concat("--inputs ", o.inputs, ": a path of ", path.rows(),
                                " input; at least 2 are expected"));
    return path;
}

void report(cli::Context& context, const std::vector<PathBranch>& branches) {
    std::map<BranchEnd, Index> ends;
    std::map<BifurcationKind, Index> kinds;
    std::map<BifurcationKind, std::vector<std::string>> places;
    Index points = 0, arrived = 0, known = 0;
    double residual = 0;
    constexpr std::size_t kShown = 4;
    for (const PathBranch& one : branches) {
        ++ends[one.branch.end];
        points += one.branch.count();
        if (one.branch.count() > 0)
            residual = std::max(residual, one.branch.residual_inf.maxCoeff());
        if (one.branch.end == BranchEnd::to_end) ++arrived;
        if (one.arrives >= 0) ++known;
        for (const Bifurcation& at : one.branch.bifurcations) {
            ++kinds[at.kind];
            auto& shown = places[at.kind];
            if (shown.size() < kShown)
                shown.push_back(significant(static_cast<double>(one.segment) + at.s, 4));
        }
    }
    context.report("branches", static_cast<std::int64_t>(branches.size()),
                   concat(points, " points in all"));
    for (const auto& [end, count] : ends)
        context.report("ends " + word_of(end), static_cast<std::int64_t>(count),
                       end == BranchEnd::to_end ? concat(known, " of ", arrived, " at known points")
                                                : std::string());
    for (const auto& [kind, count] : kinds)
        context.report(word_of(kind), static_cast<std::int64_t>(count),
                       "at " + join(places.at(kind), ", ") +
                           (static_cast<std::size_t>(count) > kShown ? ", ..." : ""));
    context.report("largest residual", residual);
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const RowMatrix path = path_of(o, context, network.dynamics, found);
    const auto branches = at_place(context.input_address().name() + ":/fixedpoints/find", [&] {
        return track_path(network.dynamics, found.points, path, o.track, context.execution());
    });
    write_branches(context.output().create_group("/fixedpoints/track"), path, branches);
    report(context, branches);
}

} // namespace

cli::Command track() {
    auto o = std::make_shared<Options>();
    cli::Command c("track", "follow points along a path of inputs, with bifurcations");
    c.describe("Pseudo-arclength continuation of the exact points of the first input, on through "
               "folds; reports folds, branch points, period doublings and Neimark-Sacker "
               "bifurcations. On a path of several inputs, points of a later input that no branch "
               "reached start branches of their own.");
    c.input("result of find under the first input, or of linearize");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/track/branches", "where each begins and how it ends"},
              {"/fixedpoints/track/points", "s, state, input, eigenvalues, stability, one branch "
                                            "after another"},
              {"/fixedpoints/track/bifurcations", "kind, s, state, eigenvalue"}});
    c.group("Path");
    c.option("--from", o->from, "A", concat("first input: ", kInputWords));
    c.option("--to", o->to, "B", "last input, in the same words");
    c.option("--inputs", o->inputs, "WHICH",
             "instead: one after another; each: all static inputs of the trials, or of the points");
    c.conflicts("--from", "--inputs");
    c.conflicts("--to", "--inputs");
    c.group("Steps");
    c.option("--ds", o->track.ds, "X", "first step of arclength in (state, share of the way)")
        .range(0);
    c.option("--max-points", o->track.max_points, "N", "of a branch").range(1);
    c.option("--marginal", o->track.marginal, "X", "so near the unit circle counts as on it")
        .range(0, 1);
    declare_data(c, o->data);
    declare_network(c, o->network);
    c.example("From rest into a bit's pulse",
              "fixedpoints track fp.h5 --from zero --to value:1,0,0 -o track.h5");
    c.example("Along the frequencies of a sine network",
              "fixedpoints find sine.h5 --inputs each | fixedpoints track --inputs each -o t.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
