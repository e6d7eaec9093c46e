// fixedpoints linearize: how a network moves near its points.
#include "commands.hpp"
#include "inputs.hpp"
#include "linearization.hpp"

#include <assay/cli/state_file.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/text.hpp>

#include <algorithm>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    LinearizeRequest linearize;
    double save_every = 60;
};

// How far the work is, and what is told of all points in the end.
struct Done {
    Index points = 0, unfinished = 0;
    double slowest = 0;
    void add(const LinearizedBlock& block) {
        points += static_cast<Index>(block.jacobians.size());
        unfinished += block.unfinished();
        slowest = std::max(slowest, block.longest_time_constant());
    }
};

double number_from_zero(const hdf5::Group& state, const char* name, double most) {
    const double number = state.number_attribute(name).value_or(-1);
    if (!(number >= 0 && number <= most))
        throw Error(concat(state.where(), "@", name, ": missing, or not from 0 to ", most));
    return number;
}

// The saved state is what the writer has written.
Keeping<Done> keeping_of(cli::StateFile& file, LinearisationWriter& writer, double save_every) {
    return file.keeping<Done>(
        [&](const hdf5::Group& group) {
            Done done;
            done.points = writer.go_on(group);
            done.unfinished = static_cast<Index>(
                number_from_zero(group, "unfinished", static_cast<double>(done.points)));
            done.slowest = number_from_zero(group, "slowest", kInfinity);
            return done;
        },
        [&](hdf5::Group group, const Done& done) {
            writer.save(group);
            group.set_attribute("unfinished", static_cast<std::int64_t>(done.unfinished));
            group.set_attribute("slowest", done.slowest);
        },
        save_every);
}

Done linearize_all(const Options& o, cli::Context& context, const LoadedNetwork& network,
                   const Points& points, LinearisationWriter& writer) {
    cli::StateFile file(context, "linearize");
    const auto keeping = keeping_of(file, writer, o.save_every);
    SafePoints<Done> safe(keeping, context.monitor());
    Done done = keeping.resume.value_or(Done{});
    linearize_points(
        o.linearize, network.dynamics, points, context.execution(),
        [&](const LinearizedBlock& block) {
            block.write(writer, o.linearize.marginal);
            done.add(block);
            safe.reached([&] { return done; });
        },
        done.points);
    return done;
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const Index count = found.points.count();
    LinearisationWriter writer =
        linearisation_writer(o.linearize, network.dynamics, found.points,
                             context.output().create_group("/fixedpoints/linearize"));
    const Done done = linearize_all(o, context, network, found.points, writer);
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
        context.report("longest time constant", done.slowest,
                       slow > 0 ? "steps; at slow points beside a drift: F(h*) is not h*"
                                : "steps");
    if (done.unfinished > 0)
        context.monitor().warn(concat("the slow modes of ", done.unfinished, " of ", count,
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
    c.resumable();
    c.group("What");
    declare_linearize(c, o->linearize);
    cli::declare_save_every(c, o->save_every);
    declare_network(c, o->network);
    c.example("The slowest modes of every point",
              "fixedpoints find gru64.h5 | fixedpoints linearize -o modes.h5");
    c.reference("sussillo2013");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
