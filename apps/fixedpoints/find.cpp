// fixedpoints find: where a network can rest, and where it almost rests.
#include "commands.hpp"
#include "search_options.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/starts.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

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

// What the exact points of a result amount to.
struct ExactPoints {
    std::vector<std::int64_t> by_unstable; // how many have 0, 1, ... unstable dimensions
    Index count = 0, certified = 0;
    std::map<CertificateState, std::int64_t> uncertified;
    double beta = 0; // largest of those near a fold
    double residual = 0, kappa = 0, radius = std::numeric_limits<double>::infinity();
};

ExactPoints exact_points(const Points& p, bool certify) {
    ExactPoints exact;
    for (Index i = 0; i < p.count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (p.kind[at] == PointKind::slow) continue;
        ++exact.count;
        const auto unstable = static_cast<std::size_t>(p.n_unstable[at]);
        if (exact.by_unstable.size() <= unstable) exact.by_unstable.resize(unstable + 1, 0);
        ++exact.by_unstable[unstable];
        exact.residual = std::max(exact.residual, p.residual_inf(i));
        if (!certify) continue;
        const Certificate& certificate = p.certificates[at];
        if (!certificate.holds()) {
            ++exact.uncertified[certificate.state];
            if (certificate.state == CertificateState::near_fold)
                exact.beta = std::max(exact.beta, certificate.beta);
            continue;
        }
        ++exact.certified;
        exact.kappa = std::max(exact.kappa, certificate.kappa);
        exact.radius = std::min(exact.radius, certificate.uniqueness_radius);
    }
    return exact;
}

void report_exact(cli::Context& context, const FindResult& result, const FindOptions& find) {
    const ExactPoints exact = exact_points(result.points, find.exact.certify);
    context.report("by unstable", exact.by_unstable, "with 0, 1, ... unstable dimensions");
    if (find.exact.certify) context.report("certified", static_cast<std::int64_t>(exact.certified));
    if (!exact.uncertified.empty()) {
        cli::SummaryCounts reasons;
        for (const auto& [state, count] : exact.uncertified)
            reasons.emplace_back(word_of(state), count);
        context.report("uncertified", reasons,
                       exact.beta > 0
                           ? concat("(near a fold: beta up to ", significant(exact.beta, 3), ")")
                           : "");
    }
    if (exact.count > 0) context.report("max residual inf", exact.residual);
    if (exact.certified > 0) {
        context.report("max kappa", exact.kappa);
        context.report("min uniqueness radius", exact.radius);
    }
    Index sum = 0;
    for (const Index one : result.index_sum) sum += one;
    const auto complete = result.completeness();
    context.report("index sum", static_cast<std::int64_t>(sum));
    context.report("index complete", word_of(complete),
                   complete == Completeness::no    ? "(points are missing)"
                   : complete == Completeness::yes ? "(as if none is missing)"
                                                   : "(no law for this network)");
}

void report_starts(cli::Context& context, const FindResult& result) {
    const auto counts = result.status_counts();
    cli::SummaryCounts status;
    for (const StartStatus always : {StartStatus::converged, StartStatus::local_minimum,
                                     StartStatus::outlier, StartStatus::artefact})
        status.emplace_back(word_of(always), 0);
    bool artefacts = false;
    for (const auto& [kind, count] : counts) {
        artefacts = artefacts || kind == StartStatus::artefact;
        const auto known =
            std::find_if(status.begin(), status.end(),
                         [&, kind = kind](const auto& s) { return s.first == word_of(kind); });
        if (known == status.end())
            status.emplace_back(word_of(kind), count);
        else
            known->second = count;
    }
    context.report("starts", static_cast<std::int64_t>(result.starts.status.size()));
    context.report("status", status,
                   artefacts ? "(artefact: F rests there only because gates are shut)" : "");
    context.report("rounds", std::vector<std::int64_t>(result.rounds.begin(), result.rounds.end()),
                   "points known after each");
    context.report("iterations mean", result.mean_iterations);
}

void report(cli::Context& context, const FindResult& result, const FindOptions& find,
            double seconds) {
    const Points& p = result.points;
    context.report("points", static_cast<std::int64_t>(p.count()));
    if (find.mode != FindMode::slow) report_exact(context, result, find);
    const auto slow = std::count(p.kind.begin(), p.kind.end(), PointKind::slow);
    const bool none = slow == 0 && std::isfinite(result.best_slow_q);
    context.report("slow", static_cast<std::int64_t>(slow),
                   none ? concat("slowest q ", significant(result.best_slow_q, 3)) : "");
    report_starts(context, result);
    context.report("seconds", seconds, "of search");
    context.report("threads", static_cast<std::int64_t>(context.execution().threads));
    if (find.mode == FindMode::slow && p.count() == 0 && std::isfinite(result.best_slow_q))
        context.monitor().warn(concat("--mode slow kept no point (best ", word_of(find.slow.norm),
                                      " q ", significant(result.best_slow_q, 2),
                                      "): raise --slow-tol"));
}

// From all samples, unless --trials bounds them.
Vector distance_to_data(const SearchRequest& o, const RowMatrix& points,
                        const StoredSamples& stored, const Trials& run, const Dynamics& dynamics,
                        const Execution& execution) {
    if (run.samples.count() == stored.samples.count() || o.trials > 0)
        return nearest_distance(points, valid_states(run.trajectories));
    return distance_to_samples(points, stored, dynamics, execution);
}

void run(Options o, cli::Context& context) {
    const FindOptions find = resolve(o.search);
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const Dynamics& dynamics = network.dynamics;
    const auto stored = load_samples(context, o.data);
    std::optional<Trials> trials;
    if (stored)
        trials = run_samples(*stored, dynamics, trials_to_draw(o.search), context.execution());
    const auto plan = plan_search(o.search, context, dynamics, trials);
    const auto begin = std::chrono::steady_clock::now();
    auto [result, facts] =
        search_points(o.search, network, trials, plan, find, context.execution());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (stored)
        facts.distance_to_data = distance_to_data(o.search, result.points.state, *stored, *trials,
                                                  dynamics, context.execution());
    if (context.has_output()) {
        write_find(context.output().create_group("/fixedpoints/find"), result, facts);
        pass_on(context, network);
    }
    context.report("network", dynamics.description());
    report(context, result, find, seconds.count());
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
