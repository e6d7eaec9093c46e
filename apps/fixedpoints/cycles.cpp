// fixedpoints cycles: what a network does in the long run.
#include "commands.hpp"
#include "cycle_request.hpp"
#include "systems.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <cmath>
#include <map>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

struct Options {
    NetworkOptions network;
    DataOptions data;
    CycleRequest cycles;
};

// The truth of the input, or of the file with the trials.
std::optional<TargetFrequencies> load_target(const Options& o, cli::Context& context) {
    auto target = read_target_frequencies(context.input().root());
    if (!target && !o.data.data.empty())
        target = read_target_frequencies(context.open(hdf5::Address::parse(o.data.data)).root());
    return target;
}

// Least, median and largest of the finite ones; empty where there is none.
Vector spread_of(const Vector& values) {
    std::vector<double> finite;
    for (const double value : values)
        if (std::isfinite(value)) finite.push_back(value);
    if (finite.empty()) return {};
    return quantiles(Eigen::Map<const Vector>(finite.data(), static_cast<Index>(finite.size())),
                     Vector::LinSpaced(3, 0, 1));
}

// The median of the finite ones, with their span where they differ.
void report_spread(cli::Context& context, const std::string& label, const Vector& values,
                   const std::string& unit) {
    const Vector spread = spread_of(values);
    if (spread.size() == 0) return;
    const std::string low = significant(spread(0), 5), high = significant(spread(2), 5);
    context.report(label, spread(1), low == high ? unit : concat(unit, ", ", low, " to ", high));
}

// How far outside the unit circle the pairs lie from which the linear frequencies come.
void report_moduli(cli::Context& context, const Vector& moduli) {
    const Vector spread = spread_of(moduli);
    if (spread.size() == 0) return;
    context.report("least modulus", spread(0), "of a point's leading complex pair, over inputs");
    context.report("largest modulus", spread(2));
}

void report_runs(cli::Context& context, const LongRun& runs) {
    std::map<Motion, Index> counts;
    for (const Motion motion : runs.motion) ++counts[motion];
    context.report("runs", static_cast<std::int64_t>(runs.motion.size()));
    for (const auto& [motion, count] : counts)
        context.report(word_of(motion), static_cast<std::int64_t>(count));
    report_spread(context, "frequency", runs.frequency, "radians per time");
    report_spread(context, "amplitude", runs.amplitude, "of the section");
    report_spread(context, "rotation", runs.rotation, "radians per step");
    for (Index k = 0; k < runs.lyapunov.cols(); ++k)
        report_spread(context, concat("Lyapunov exponent ", k + 1), runs.lyapunov.col(k),
                      concat("+- ", significant(runs.lyapunov_error.col(k).maxCoeff(), 2)));
}

void report_agreement(cli::Context& context, const std::string& label, const Vector& a,
                      const Vector& b) {
    const Agreement both = agreement(a, b);
    if (both.inputs == 0) return;
    context.report(label + " error", both.largest_error,
                   concat("largest of ", both.inputs, " inputs, relative"));
    if (std::isfinite(both.correlation)) context.report(label + " correlation", both.correlation);
}

void run(const Options& o, cli::Context& context) {
    const LoadedNetwork network = load_network(context, o.network, context.input_address());
    const FoundPoints found = load_points(context, network);
    const auto systems = load_systems(context, network, found.points);
    std::optional<Trials> trials;
    if (o.cycles.from != StartFrom::points) trials = load_trials(context, o.data, network.dynamics);
    const Cycles result = run_cycles(o.cycles, network.dynamics, found.points, found.inputs,
                                     systems, trials ? &trials->trajectories : nullptr,
                                     load_target(o, context), context.execution());
    const Frequencies& frequencies = result.frequencies;
    result.write(context.output().create_group("/fixedpoints/cycles"));
    report_runs(context, result.runs);
    report_moduli(context, frequencies.modulus);
    report_agreement(context, "linear against cycle frequency", frequencies.linear,
                     frequencies.cycle);
    report_agreement(context, "linear against target frequency", frequencies.linear,
                     frequencies.target);
    report_agreement(context, "cycle against target frequency", frequencies.cycle,
                     frequencies.target);
}

} // namespace

cli::Command cycles() {
    auto o = std::make_shared<Options>();
    cli::Command c("cycles", "what a network does in the long run: rest, cycles, chaos");
    c.describe(
        "Runs on under every input of the points' file and says whether the network rests, "
        "returns, winds around a limit cycle or is chaotic, with its frequency, rotation, Lyapunov "
        "spectrum and Floquet multipliers. Where a point has a complex pair, its linear frequency "
        "is set against that of the cycle, and of the task where the truth is at hand.");
    c.input("result of find, or of linearize");
    c.output(cli::OutputKind::hdf5,
             {{"/fixedpoints/cycles/motion", "fixed, periodic, quasi_periodic, chaotic, ..."},
              {"/fixedpoints/cycles/lyapunov", "exponents per step, and their errors"},
              {"/fixedpoints/cycles/frequency", "of the section; period, amplitude, rotation"},
              {"/fixedpoints/cycles/floquet_multipliers", "of one turn"},
              {"/fixedpoints/cycles/inputs", "linear, cycle and target frequency of each input"}});
    declare_long_runs(c, o->cycles);
    declare_cycle_starts(c, o->cycles);
    c.seed(o->cycles.seed);
    declare_data(c, o->data);
    declare_network(c, o->network);
    c.example("A limit cycle",
              "fixedpoints synth rotation | fixedpoints find | fixedpoints cycles -o cycle.h5");
    c.example("Frequencies of a sine network against the task's",
              "fixedpoints cycles fp.h5 --data sine.h5 -o cycles.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace fixedpoints_app
