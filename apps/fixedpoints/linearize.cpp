// fixedpoints linearize: how a network moves near its points.
#include "commands.hpp"
#include "inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <cmath>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

enum class Keep { automatic, yes, no };

struct Options {
    NetworkOptions network;
    std::optional<Index> modes;
    EigenvalueOrder order = EigenvalueOrder::magnitude;
    double marginal = 1e-3;
    Keep jacobians = Keep::automatic;
};

constexpr double kJacobianBytes = 256e6;
constexpr Index kAllModes = 256, kSomeModes = 20;
constexpr Index kBlock = 32; // points in memory at once

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const Dynamics& d = network.dynamics;
    const Index state = d.state_size(), count = found.points.count();
    const Index modes = std::min(state, o.modes.value_or(state <= kAllModes ? state : kSomeModes));
    const double bytes = 8.0 * static_cast<double>(count * state * (state + d.inputs()));
    const bool keep =
        o.jacobians == Keep::yes || (o.jacobians == Keep::automatic && bytes <= kJacobianBytes);
    LinearisationWriter writer(context.output().create_group("/fixedpoints/linearize"), count,
                               state, d.inputs(), modes, keep, d.dt());
    const Blocks blocks{count, kBlock};
    double slowest = 0;
    for (Index block = 0; block < blocks.count(); ++block) {
        const Index first = blocks.begin(block), size = blocks.extent(block);
        std::vector<RowMatrix> jacobians(static_cast<std::size_t>(size)),
            inputs(static_cast<std::size_t>(size));
        std::vector<EigenSystem> systems(static_cast<std::size_t>(size));
        parallel_blocks(size, context.execution().threads, [&](Index i) {
            const auto at = static_cast<std::size_t>(i);
            const RowMatrix x = found.points.input.row(first + i),
                            h = found.points.state.row(first + i);
            jacobians[at] = d.jacobian_state(x, h);
            inputs[at] = d.jacobian_input(x, h);
            systems[at] = eigen_system(jacobians[at], modes, o.order);
        });
        for (Index i = 0; i < size; ++i) {
            const auto at = static_cast<std::size_t>(i);
            writer.write(first + i, systems[at], jacobians[at], inputs[at], o.marginal);
            slowest = std::max(slowest, time_constant(systems[at].values(0)));
        }
        context.monitor().stop_if_interrupted();
        context.monitor().progress(
            {static_cast<double>(first + size), static_cast<double>(count), "points", ""});
    }
    writer.finish();
    std::vector<Index> kinds(4, 0);
    for (const Stability s : writer.stability()) ++kinds[static_cast<std::size_t>(s)];
    static const char* const kNames[] = {"attractors", "saddles", "repellers", "marginal"};
    context.report("points", static_cast<std::int64_t>(count));
    for (std::size_t k = 0; k < kinds.size(); ++k)
        if (kinds[k] > 0) context.report(kNames[k], static_cast<std::int64_t>(kinds[k]));
    if (count > 0) context.report("longest time constant", slowest, "steps");
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
    c.choice<EigenvalueOrder>("--sort", o->order,
                              {{"magnitude", EigenvalueOrder::magnitude},
                               {"real", EigenvalueOrder::real},
                               {"nearest-one", EigenvalueOrder::nearest_one}},
                              "order of eigenvalues");
    c.option("--marginal", o->marginal, "X", "so near the unit circle counts as on it").range(0, 1);
    c.choice<Keep>("--save-jacobians", o->jacobians,
                   {{"auto", Keep::automatic}, {"yes", Keep::yes}, {"no", Keep::no}},
                   "auto: up to 256 MB in all");
    declare_network(c, o->network);
    c.example("The slowest modes of every point",
              "fixedpoints find gru64.h5 | fixedpoints linearize -o modes.h5");
    c.reference("sussillo2013");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
