// fixedpoints cycles: what a network does in the long run.
#include "commands.hpp"
#include "systems.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/cycle_starts.hpp>
#include <assay/fixedpoints/graph_io.hpp>
#include <assay/fixedpoints/starts.hpp>
#include <assay/fixedpoints/statistics.hpp>

#include <cmath>
#include <limits>
#include <map>

namespace fixedpoints_app {
namespace {

using namespace assay;
using namespace assay::fixedpoints;

enum class StartFrom { automatic, data, points };

struct Options {
    NetworkOptions network;
    DataOptions data;
    CycleOptions cycles;
    std::string section = "output:0";
    StartFrom from = StartFrom::automatic;
    Index starts = 4;
    double noise = 1e-3, kick_scale = 0.1; // some noise: none shall stay on an unstable point
    std::uint64_t seed = 0;
};

// "output:K", or "component" for the first principal component.
std::optional<Index> section_of(const std::string& text, const Dynamics& dynamics) {
    if (text == "component") return std::nullopt;
    const auto output = starts_with(text, "output:") ? parse_integer(text.substr(7)) : std::nullopt;
    if (!output || *output < 0)
        throw UsageError("option '--section': found '" + printable(text, 40) +
                         "'; output:K or component is expected");
    if (*output >= dynamics.outputs())
        throw UsageError(concat("option '--section': found output ", *output, " of ",
                                dynamics.outputs(), "; they count from 0"));
    return *output;
}

struct Starts {
    RowMatrix states;
    std::vector<std::int32_t> input; // rows of the searched inputs
    void add(const RowMatrix& more, std::int32_t id) {
        states.conservativeResize(states.rows() + more.rows(), more.cols());
        states.bottomRows(more.rows()) = more;
        input.insert(input.end(), static_cast<std::size_t>(more.rows()), id);
    }
};

Starts data_starts(const Options& o, const Trajectories& trajectories, const RowMatrix& inputs) {
    TrajectorySampling sampling;
    sampling.count = o.starts;
    sampling.noise = o.noise;
    sampling.seed = o.seed;
    Starts starts;
    for (Index k = 0; k < inputs.rows(); ++k)
        starts.add(sample_states(steps_under(trajectories, inputs.row(k)), sampling),
                   static_cast<std::int32_t>(k));
    return starts;
}

Starts point_starts(const Options& o, const Points& points,
                    const std::vector<EigenSystem>& systems) {
    Starts starts;
    for (const Landscape& land : landscapes(points, systems))
        starts.add(kicked_starts(land, o.starts, o.kick_scale, o.seed), land.input_id);
    if (starts.states.rows() == 0)
        throw Error("there is no exact point to start from; give --data");
    return starts;
}

Starts starts_of(const Options& o, cli::Context& context, const LoadedNetwork& network,
                 const FoundPoints& found, const std::vector<EigenSystem>& systems) {
    if (o.from != StartFrom::points) {
        const auto trials = load_trials(context, o.data, network.dynamics);
        if (trials) return data_starts(o, trials->trajectories, found.inputs);
        if (o.from == StartFrom::data)
            throw Error("--start data: there are no trials; give --data");
    }
    return point_starts(o, found.points, systems);
}

// The truth of the input, or of the file with the trials.
Vector targets_of(const Options& o, cli::Context& context, const Dynamics& dynamics,
                  const RowMatrix& inputs) {
    auto target = read_target_frequencies(context.input().root());
    if (!target && !o.data.data.empty())
        target = read_target_frequencies(context.open(hdf5::Address::parse(o.data.data)).root());
    if (!target || dynamics.raw_inputs() != 1)
        return Vector::Constant(inputs.rows(), std::numeric_limits<double>::quiet_NaN());
    return target_frequencies(inputs, dynamics.drive(target->raw_inputs), target->frequency);
}

// The median of the finite ones, with their span where they differ.
void report_spread(cli::Context& context, const std::string& label, const Vector& values,
                   const std::string& unit) {
    std::vector<double> finite;
    for (const double value : values)
        if (std::isfinite(value)) finite.push_back(value);
    if (finite.empty()) return;
    const Vector spread =
        quantiles(Eigen::Map<const Vector>(finite.data(), static_cast<Index>(finite.size())),
                  Vector::LinSpaced(3, 0, 1));
    const std::string low = significant(spread(0), 5), high = significant(spread(2), 5);
    context.report(label, spread(1), low == high ? unit : concat(unit, ", ", low, " to ", high));
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
    const Dynamics& dynamics = network.dynamics;
    const FoundPoints found = load_points(context, network);
    CycleOptions options = o.cycles;
    options.output = section_of(o.section, dynamics);
    const auto systems = load_systems(context, network, found.points);
    const Starts starts = starts_of(o, context, network, found, systems);
    RowMatrix x(starts.states.rows(), dynamics.inputs());
    for (Index b = 0; b < x.rows(); ++b)
        x.row(b) = found.inputs.row(starts.input[static_cast<std::size_t>(b)]);
    const LongRun runs = run_long(dynamics, x, starts.states, options, context.execution());
    const Frequencies frequencies =
        compare_frequencies(found.points, systems, runs, starts.input,
                            targets_of(o, context, dynamics, found.inputs), dynamics.dt());
    hdf5::Group group = context.output().create_group("/fixedpoints/cycles");
    write_long_run(group, starts.states, starts.input, runs);
    write_frequencies(group.create_group("inputs"), found.inputs, frequencies);
    report_runs(context, runs);
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
    c.group("Runs");
    c.option("--transient", o->cycles.transient, "STEPS", "before anything is measured").range(0);
    c.option("--steps", o->cycles.steps, "STEPS", "measured")
        .range(static_cast<double>(o->cycles.blocks));
    c.option("--lyapunov", o->cycles.exponents, "N", "exponents; at most the state's size")
        .range(1);
    c.option("--section", o->section, "WHICH",
             "whose upward crossings count: output:K, or component, the first principal one");
    c.group("Starts");
    c.choice<StartFrom>(
        "--start", o->from,
        {{"auto", StartFrom::automatic}, {"data", StartFrom::data}, {"points", StartFrom::points}},
        "states that trials visit under the input, or points with a kick; auto: "
        "data where there are trials");
    c.option("--starts", o->starts, "N", "of every input").range(1);
    c.option("--noise", o->noise, "X",
             "standard deviation added to states of trials, so that none rests on a saddle")
        .range(0);
    c.option("--kick-scale", o->kick_scale, "X",
             "standard deviation of kicks, in distances to the next point")
        .range(0);
    c.seed(o->seed);
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
