// fixedpoints linearize: how a network moves near its points.
#include "commands.hpp"
#include "inputs.hpp"
#include "linearization.hpp"

#include <assay/core/text.hpp>

#include <algorithm>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    LinearizeRequest linearize;
};

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const Index count = found.points.count();
    LinearisationWriter writer =
        linearisation_writer(o.linearize, network.dynamics, found.points,
                             context.output().create_group("/fixedpoints/linearize"));
    double slowest = 0;
    Index unfinished = 0;
    linearize_points(o.linearize, network.dynamics, found.points, context.execution(),
                     [&](const LinearizedBlock& block) {
                         block.write(writer, o.linearize.marginal);
                         slowest = std::max(slowest, block.longest_time_constant());
                         unfinished += block.unfinished();
                     });
    writer.finish();
    std::vector<Index> kinds(4, 0);
    for (const Stability s : writer.stability()) ++kinds[static_cast<std::size_t>(s)];
    static const char* const kNames[] = {"attractors", "saddles", "repellers", "marginal"};
    context.report("points", static_cast<std::int64_t>(count));
    for (std::size_t k = 0; k < kinds.size(); ++k)
        if (kinds[k] > 0) context.report(kNames[k], static_cast<std::int64_t>(kinds[k]));
    const auto slow =
        std::count(found.points.kind.begin(), found.points.kind.end(), PointKind::slow);
    if (count > 0)
        context.report("longest time constant", slowest,
                       slow > 0 ? "steps; at slow points beside a drift: F(h*) is not h*"
                                : "steps");
    if (unfinished > 0)
        context.monitor().warn(concat("the slow modes of ", unfinished, " of ", count,
                                      " points did not converge (see residual); raise --top-k"));
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
    declare_linearize(c, o->linearize);
    declare_network(c, o->network);
    c.example("The slowest modes of every point",
              "fixedpoints find gru64.h5 | fixedpoints linearize -o modes.h5");
    c.reference("sussillo2013");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
