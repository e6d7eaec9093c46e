// fixedpoints find: where a network can rest, and where it almost rests.
#include "commands.hpp"
#include "search_options.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cmath>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    DataOptions data;
    SearchRequest search;
    bool require_points = false;
};

void report(cli::Context& context, const FindResult& result, const FindOptions& find) {
    const Points& p = result.points;
    std::map<std::int32_t, Index> by_unstable;
    Index slow = 0, certified = 0;
    double kappa = 0, radius = std::numeric_limits<double>::infinity(), residual = 0;
    for (Index i = 0; i < p.count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (p.kind[at] == PointKind::slow) {
            ++slow;
            continue;
        }
        ++by_unstable[p.n_unstable[at]];
        residual = std::max(residual, p.residual_inf(i));
        if (!find.exact.certify || !p.certificates[at].holds()) continue;
        ++certified;
        kappa = std::max(kappa, p.certificates[at].kappa);
        radius = std::min(radius, p.certificates[at].uniqueness_radius);
    }
    std::vector<std::string> counts;
    for (const auto& [unstable, count] : by_unstable)
        counts.push_back(concat(count, " with ", unstable));
    const Index exact = p.count() - slow;
    context.report("points", static_cast<std::int64_t>(p.count()));
    if (find.mode != FindMode::slow) {
        context.report("fixed", static_cast<std::int64_t>(exact),
                       counts.empty() ? "" : join(counts, ", ") + " unstable dimensions");
        if (find.exact.certify)
            context.report("certified", static_cast<std::int64_t>(certified),
                           certified > 0 ? concat("alone within ", significant(radius, 2))
                                         : std::string());
        if (exact > 0) context.report("largest residual", residual);
        if (certified > 0) context.report("largest kappa", kappa);
        Index sum = 0;
        for (const Index one : result.index_sum) sum += one;
        const auto complete = result.completeness();
        context.report("index sum", static_cast<std::int64_t>(sum),
                       complete == Completeness::no    ? "points are missing"
                       : complete == Completeness::yes ? "as many as if none is missing"
                                                       : "no law for this network");
        context.report("index complete", word_of(complete));
    }
    if (find.mode != FindMode::exact)
        context.report("slow", static_cast<std::int64_t>(slow),
                       slow == 0 && std::isfinite(result.best_slow_q)
                           ? concat("slowest q ", significant(result.best_slow_q, 3))
                           : "");
    for (const auto& [status, count] : result.status_counts())
        context.report("starts " + word_of(status), static_cast<std::int64_t>(count),
                       status == StartStatus::artefact ? "F rests there only because gates are shut"
                                                       : "");
    context.report("mean iterations", result.mean_iterations);
    std::vector<std::string> rounds;
    for (const Index known : result.rounds) rounds.push_back(std::to_string(known));
    if (!rounds.empty()) context.report("points by round", join(rounds, ", "));
    if (find.mode == FindMode::slow && p.count() == 0 && std::isfinite(result.best_slow_q))
        context.monitor().warn(concat("--mode slow kept no point (best mean q ",
                                      significant(result.best_slow_q, 2), "): raise --slow-tol"));
}

void run(Options o, cli::Context& context) {
    const FindOptions find = resolve(o.search);
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    const auto trials = load_trials(context, o.data, dynamics, trials_to_draw(o.search));
    const auto [result, facts] =
        search_points(network, trials, plan_search(o.search, context, dynamics, trials), find,
                      context.execution());
    if (context.has_output()) {
        write_find(context.output().create_group("/fixedpoints/find"), result, facts);
        pass_on(context, network);
    }
    context.report("network", dynamics.description());
    report(context, result, find);
    if (o.require_points && result.points.count() == 0)
        throw Error(context.input_address().name() + ": no point was found");
}

} // namespace

cli::Command find() {
    auto o = std::make_shared<Options>();
    cli::Command c("find", "fixed and slow points of a recurrent network");
    c.describe(
        "Exact points are roots of the reduced residual: a gated cell rests where its candidate "
        "does. Each comes with a certificate (a root exists so near, and no other within that "
        "radius; rounding is not enclosed). Where the network maps a ball into itself, the points' "
        "indices sum to 1 if none is missing. Slow points lie on manifolds along which the state "
        "drifts for long; the search moves in the fast directions only.");
    c.input("model file, run, or stream");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/find/points", "state, input, q, certificates, index, ..."},
              {"/fixedpoints/find/starts", "what became of every start"},
              {"/fixedpoints/find/index_sum", "of each input"}});
    declare_search(c, o->search);
    declare_starts(c, o->search);
    declare_data(c, o->data);
    declare_slow(c, o->search);
    declare_points(c, o->search);
    c.flag("--require-points", o->require_points, "fail where none is found");
    declare_adam(c, o->search);
    declare_network(c, o->network);
    c.example("All 27 points of a 3-bit memory", "fixedpoints find gru64.h5 -o fp.h5");
    c.example("A line attractor under the mean input",
              "fixedpoints find lstm.h5 --preset sentiment -o fp.h5");
    c.reference("sussillo2013");
    c.reference("golub2018");
    c.reference("maheswaranathan2019b");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
