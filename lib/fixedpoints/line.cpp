#include <assay/fixedpoints/line.hpp>

#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/fixedpoints/point_modes.hpp>
#include <assay/network/initialise.hpp>
#include <assay/network/network.hpp>

#include <algorithm>

namespace assay::fixedpoints {
namespace {

constexpr const char* kDefaultLaw = "auto"; // of training

RowMatrix valid_inputs(const Trajectories& t) {
    Index count = 0;
    for (const Index length : t.lengths) count += length;
    RowMatrix inputs(count, t.inputs.cols());
    Index to = 0;
    for (Index trial = 0; trial < t.trials; ++trial) {
        const Index length = t.lengths[static_cast<std::size_t>(trial)];
        inputs.middleRows(to, length) = t.inputs.middleRows(t.row(trial, 0), length);
        to += length;
    }
    return inputs;
}

bool spread_out(const RowMatrix& states) {
    return states.rows() > 1 && (states.rowwise() - states.row(0)).cwiseAbs().maxCoeff() > 0;
}

// What all lines share.
struct LineContext {
    const Dynamics& dynamics;
    const Trajectories& trajectories;
    const RowMatrix& inputs; // of all valid steps
    const Dimensionality& states;
    const LineOptions& options;
    const Execution& run;
};

Line line_of(const LineContext& around, const Points& points, std::vector<EigenSystem> systems,
             std::vector<Index> rows) {
    const auto& [dynamics, trajectories, inputs, states, options, run] = around;
    Line line;
    line.input = points.input_id.front();
    line.points = std::move(rows);
    line.cloud = dimensionality(points.state, run);
    const Vector readout = readout_direction(dynamics, points.state, options.readout);
    line.axis = attractor_axis(points.state, readout, states, run);
    const Vector outputs = dynamics.readout(points.state).col(options.readout);
    line.coordinate =
        line_coordinate(points.state, line.axis.direction, outputs, options.coordinate, run);
    line.modes = real_modes(systems, line.axis.direction, 0);
    line.alignment = align(line.modes, line.axis.direction, readout, options.null, options.seed);
    ApproachOptions approach = options.approach;
    approach.seed = options.seed;
    line.approach = approach_speeds(dynamics, trajectories, points.input.row(0), approach, run);
    line.offset = input_offset(inputs, points.input.row(0));
    for (const Index at : points_at(line.coordinate.theta, options.stations))
        line.stations.push_back(line.points[static_cast<std::size_t>(at)]);
    return line;
}

void check_systems(const Dynamics& dynamics, const Points& points,
                   const std::vector<EigenSystem>& systems, Index readout) {
    if (readout < 0 || readout >= dynamics.outputs())
        throw Error(concat("--readout ", readout, ": the network has ", dynamics.outputs(),
                           " outputs, from 0"));
    if (static_cast<Index>(systems.size()) != points.count())
        throw Error(concat(systems.size(), " eigen-systems for ", points.count(), " points"));
}

} // namespace

bool have_line(const Points& points) {
    for (Index input = 0; input < input_count(points); ++input)
        if (spread_out(points.chosen(rows_of_input(points, input)).state)) return true;
    return false;
}

LineAttractors line_attractors(const Dynamics& dynamics, const Points& points,
                               const std::vector<EigenSystem>& systems,
                               const Trajectories& trajectories, const LineOptions& options,
                               const Execution& run) {
    check_systems(dynamics, points, systems, options.readout);
    const Phase phase(*run.monitor, "lines");
    LineAttractors found;
    found.states = dimensionality(trajectories, run);
    const RowMatrix inputs = valid_inputs(trajectories);
    const LineContext around{dynamics, trajectories, inputs, found.states, options, run};
    for (Index input = 0; input < input_count(points); ++input) {
        auto rows = rows_of_input(points, input);
        const Points own = points.chosen(rows);
        if (!spread_out(own.state)) {
            found.without.push_back(input);
            continue;
        }
        run.monitor->stop_if_interrupted();
        auto own_systems = chosen(systems, rows);
        found.lines.push_back(line_of(around, own, std::move(own_systems), std::move(rows)));
    }
    if (found.lines.empty())
        throw Error(concat(points.count(), " points at ", input_count(points),
                           " inputs: a line takes two different ones at the same input"));
    const Index slowest = std::min(kSlowestModes, dynamics.state_size());
    found.time_constants.resize(points.count(), slowest);
    found.magnitude.resize(points.count());
    for (Index p = 0; p < points.count(); ++p) {
        const ComplexVector& values = systems[static_cast<std::size_t>(p)].values;
        for (Index a = 0; a < slowest; ++a) found.time_constants(p, a) = time_constant(values(a));
        found.magnitude(p) = std::abs(values(0));
    }
    return found;
}

network::Model untrained(const network::Model& model, std::uint64_t seed) {
    const network::Network<double> network(model.architecture);
    return network.store(network::initial_weights(network, kDefaultLaw, seed));
}

} // namespace assay::fixedpoints
