#include "cycle_request.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/cycle_starts.hpp>
#include <assay/fixedpoints/starts.hpp>

#include <limits>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

namespace {

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

Starts data_starts(const CycleRequest& o, const Trajectories& trajectories,
                   const RowMatrix& inputs) {
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

Starts point_starts(const CycleRequest& o, const Points& points,
                    const std::vector<EigenSystem>& systems) {
    Starts starts;
    for (const Landscape& land : landscapes(points, systems))
        starts.add(kicked_starts(land, o.starts, o.kick_scale, o.seed), land.input_id);
    if (starts.states.rows() == 0)
        throw Error("there is no exact point to start from; give --data");
    return starts;
}

Starts starts_of(const CycleRequest& o, const Points& points, const RowMatrix& inputs,
                 const std::vector<EigenSystem>& systems, const Trajectories* trials) {
    if (o.from != StartFrom::points) {
        if (trials != nullptr) return data_starts(o, *trials, inputs);
        if (o.from == StartFrom::data)
            throw Error("--start data: there are no trials; give --data");
    }
    return point_starts(o, points, systems);
}

// What the task asks for at each input.
Vector targets_of(const std::optional<TargetFrequencies>& target, const Dynamics& dynamics,
                  const RowMatrix& inputs) {
    if (!target || dynamics.raw_inputs() != 1)
        return Vector::Constant(inputs.rows(), std::numeric_limits<double>::quiet_NaN());
    return target_frequencies(inputs, dynamics.drive(target->raw_inputs), target->frequency);
}

} // namespace

void declare_long_runs(cli::Command& c, CycleRequest& o) {
    c.group("Runs");
    c.option("--transient", o.cycles.transient, "STEPS", "before anything is measured").range(0);
    c.option("--steps", o.cycles.steps, "STEPS", "measured")
        .range(static_cast<double>(o.cycles.blocks));
    c.option("--lyapunov", o.cycles.exponents, "N", "exponents; at most the state's size").range(1);
    c.option("--section", o.section, "WHICH",
             "whose upward crossings count: output:K, or component, the first principal one");
}

void declare_cycle_starts(cli::Command& c, CycleRequest& o) {
    c.group("Starts");
    c.choice<StartFrom>(
        "--start", o.from,
        {{"auto", StartFrom::automatic}, {"data", StartFrom::data}, {"points", StartFrom::points}},
        "states that trials visit under the input, or points with a kick; auto: "
        "data where there are trials");
    c.option("--starts", o.starts, "N", "of every input").range(1);
    c.option("--noise", o.noise, "X",
             "standard deviation added to states of trials, so that none rests on a saddle")
        .range(0);
    c.option("--kick-scale", o.kick_scale, "X",
             "standard deviation of kicks, in distances to the next point")
        .range(0);
}

void Cycles::write(hdf5::Group group) const {
    write_long_run(group, starts, input, runs);
    write_frequencies(group.create_group("inputs"), inputs, frequencies);
}

Cycles run_cycles(const CycleRequest& o, const Dynamics& dynamics, const Points& points,
                  const RowMatrix& inputs, const std::vector<EigenSystem>& systems,
                  const Trajectories* trials, const std::optional<TargetFrequencies>& target,
                  const Execution& execution) {
    CycleOptions options = o.cycles;
    options.output = section_of(o.section, dynamics);
    Starts starts = starts_of(o, points, inputs, systems, trials);
    RowMatrix x(starts.states.rows(), dynamics.inputs());
    for (Index b = 0; b < x.rows(); ++b)
        x.row(b) = inputs.row(starts.input[static_cast<std::size_t>(b)]);
    Cycles result;
    result.runs = run_long(dynamics, x, starts.states, options, execution);
    result.frequencies = compare_frequencies(points, systems, result.runs, starts.input,
                                             targets_of(target, dynamics, inputs), dynamics.dt());
    result.inputs = inputs;
    result.starts = std::move(starts.states);
    result.input = std::move(starts.input);
    return result;
}

} // namespace fixedpoints_app
