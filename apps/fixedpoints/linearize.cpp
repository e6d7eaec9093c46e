// fixedpoints linearize: how a network moves near its points.
#include "commands.hpp"
#include "inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/fixedpoints/slow_modes.hpp>

#include <cmath>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

enum class Keep { automatic, yes, no };

struct Options {
    NetworkOptions network;
    std::optional<Index> modes;
    Index top_k = 0;
    EigenvalueOrder order = EigenvalueOrder::magnitude;
    double marginal = 1e-3;
    Keep jacobians = Keep::automatic;
};

constexpr double kJacobianBytes = 256e6;
constexpr Index kBlock = 32; // points in memory at once

// One point: its Jacobians, and all its modes or the slow ones.
struct Linearised {
    RowMatrix jacobian_state, jacobian_input;
    EigenSystem system;
    std::optional<SlowModes> slow;
};

Linearised linearise(const Dynamics& d, const Points& points, Index p, const Options& o,
                     Index modes) {
    const RowMatrix x = points.input.row(p), h = points.state.row(p);
    Linearised result{d.jacobian_state(x, h), d.jacobian_input(x, h), {}, {}};
    if (o.top_k > 0)
        result.slow = slow_modes(result.jacobian_state, o.top_k);
    else
        result.system = eigen_system(result.jacobian_state, modes, o.order);
    return result;
}

void report(cli::Context& context, const LinearisationWriter& writer, Index count, double slowest,
            Index unfinished) {
    std::vector<Index> kinds(4, 0);
    for (const Stability s : writer.stability()) ++kinds[static_cast<std::size_t>(s)];
    static const char* const kNames[] = {"attractors", "saddles", "repellers", "marginal"};
    context.report("points", static_cast<std::int64_t>(count));
    for (std::size_t k = 0; k < kinds.size(); ++k)
        if (kinds[k] > 0) context.report(kNames[k], static_cast<std::int64_t>(kinds[k]));
    if (count > 0) context.report("longest time constant", slowest, "steps");
    if (unfinished > 0)
        context.monitor().warn(concat("the slow modes of ", unfinished, " of ", count,
                                      " points did not converge (see residual); raise --top-k"));
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const Dynamics& d = network.dynamics;
    const Index state = d.state_size(), count = found.points.count();
    const Index values = o.top_k > 0 ? std::min(state, o.top_k) : state;
    const Index modes =
        std::min(values, o.modes.value_or(o.top_k > 0 ? values : usual_modes(state)));
    const double bytes = 8.0 * static_cast<double>(count * state * (state + d.inputs()));
    const bool keep =
        o.jacobians == Keep::yes || (o.jacobians == Keep::automatic && bytes <= kJacobianBytes);
    LinearisationWriter writer(context.output().create_group("/fixedpoints/linearize"),
                               {count, state, d.inputs(), values, modes}, keep, d.dt());
    const Blocks blocks{count, kBlock};
    double slowest = 0;
    Index unfinished = 0;
    for (Index block = 0; block < blocks.count(); ++block) {
        const Index first = blocks.begin(block), size = blocks.extent(block);
        std::vector<Linearised> points(static_cast<std::size_t>(size));
        parallel_blocks(size, context.execution().threads, [&](Index i) {
            points[static_cast<std::size_t>(i)] = linearise(d, found.points, first + i, o, modes);
        });
        for (Index i = 0; i < size; ++i) {
            const Linearised& at = points[static_cast<std::size_t>(i)];
            if (at.slow)
                writer.write_slow(first + i, *at.slow, at.jacobian_state, at.jacobian_input);
            else
                writer.write(first + i, at.system, at.jacobian_state, at.jacobian_input,
                             o.marginal);
            if (at.slow && !at.slow->converged) ++unfinished;
            slowest =
                std::max(slowest, time_constant((at.slow ? at.slow->system : at.system).values(0)));
        }
        context.monitor().stop_if_interrupted();
        context.monitor().progress(
            {static_cast<double>(first + size), static_cast<double>(count), "points", ""});
    }
    writer.finish();
    report(context, writer, count, slowest, unfinished);
}

} // namespace

cli::Command linearize() {
    auto o = std::make_shared<Options>();
    cli::Command c("linearize", "eigen-systems, time constants and kinds of points");
    c.input("result of find");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/linearize/eigenvalues", "of dF/dh at every point, sorted"},
              {"/fixedpoints/linearize/right", "right eigenvectors; left: their inverse"},
              {"/fixedpoints/linearize/time_constants", "in steps"},
              {"/fixedpoints/linearize/stability", "attractor, saddle, repeller, marginal"}});
    c.group("What");
    c.option("--modes", o->modes, "K", "eigenvectors a point")
        .range(0)
        .default_text("all up to 256 units, else 20");
    c.option("--top-k", o->top_k, "K",
             "only the K eigenvalues nearest to 1, by inverse iteration (large networks); 0: all")
        .range(0);
    c.choice<EigenvalueOrder>("--sort", o->order,
                              {{"magnitude", EigenvalueOrder::magnitude},
                               {"real", EigenvalueOrder::real},
                               {"nearest-one", EigenvalueOrder::nearest_one}},
                              "order of eigenvalues");
    c.option("--marginal", o->marginal, "X", "so near the unit circle counts as on it").range(0, 1);
    c.choice<Keep>("--save-jacobians", o->jacobians,
                   {{"auto", Keep::automatic}, {"yes", Keep::yes}, {"no", Keep::no}},
                   "auto: up to 256 MB in all");
    c.conflicts("--top-k", "--modes");
    c.conflicts("--top-k", "--sort");
    declare_network(c, o->network);
    c.example("The slowest modes of every point",
              "fixedpoints find gru64.h5 | fixedpoints linearize -o modes.h5");
    c.reference("sussillo2013");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
