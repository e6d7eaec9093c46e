#include "line_request.hpp"

#include "line_inputs.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/point_modes.hpp>

#include <utility>

namespace fixedpoints_app {

using namespace assay;
using namespace assay::fixedpoints;

void declare_line(cli::Command& c, LineOptions& o) {
    c.choice<CoordinateMethod>("--coordinate", o.coordinate.method,
                               {{"lle", CoordinateMethod::lle},
                                {"pca", CoordinateMethod::pca},
                                {"arc", CoordinateMethod::arc}},
                               "theta by locally linear embedding, by projection on m, or by "
                               "length along the spanning tree");
    c.option("--neighbors", o.coordinate.neighbors, "K", "of each point, lle").range(2);
    c.option("--null", o.null, "N", "random directions").range(1);
}

void warn_of_lines(Monitor& monitor, const LineAttractors& found, bool tokens) {
    const bool several = found.lines.size() + found.without.size() > 1;
    for (const Line& line : found.lines) {
        const std::string place = several ? concat("input ", line.input, ": ") : "";
        if (!line.coordinate.warning.empty()) monitor.warn(place + line.coordinate.warning);
        if (tokens && !line.offset.warning.empty()) monitor.warn(place + line.offset.warning);
    }
    for (const Index input : found.without)
        monitor.warn(concat("input ", input, ": has no two different points, and so no line"));
}

void write_lines(hdf5::Group group, const LineAttractors& lines, const Points& points,
                 const std::vector<EigenSystem>& systems, AttractorFacts facts) {
    facts.inputs = input_count(points);
    for (const Line& line : lines.lines)
        for (const EigenSystem& system : chosen(systems, line.stations))
            facts.stations.push_back(system);
    write_attractor(std::move(group), lines, points, facts);
}

void declare_modes(cli::Command& c, ModeRequest& o) {
    c.option("--probe", o.probe, "unit|FILE:/path",
             "each input by itself, rows added to the constant input, or token ids");
    c.option("--horizon", o.horizon, "STEPS", "so many steps after the probe's").range(0);
    c.flag("--track", o.track, "follow each mode along the line of attractor");
}

Probes read_probes(const ModeRequest& o, cli::Context& context, const Dynamics& dynamics) {
    if (o.probe == "unit") {
        const RowMatrix unit = RowMatrix::Identity(dynamics.inputs(), dynamics.inputs());
        return {unit, unit, ProbeKind::deviation};
    }
    if (dynamics.vocabulary() > 0) {
        const RowMatrix tokens = read_inputs(context, "--probe", o.probe, 1, dynamics.vocabulary());
        return {tokens, dynamics.drive(tokens), ProbeKind::absolute};
    }
    const RowMatrix rows = read_inputs(context, "--probe", o.probe, dynamics.inputs(), 0);
    return {rows, rows, ProbeKind::deviation};
}

namespace {

constexpr Index kListed = 3; // crossings among the slowest curves are listed

std::vector<TrackedLine> tracked_lines(const LineFrame& frame, const Points& points,
                                       const std::vector<EigenSystem>& systems,
                                       const Execution& execution) {
    std::vector<TrackedLine> lines;
    for (Index input = 0; input < frame.axes.rows(); ++input) {
        if (!frame.axes.row(input).allFinite()) continue;
        TrackedLine line;
        line.input = input;
        line.points = rows_of_input(points, input);
        const Vector theta = frame.theta(line.points);
        line.modes = track_modes(chosen(systems, line.points), theta, kListed, execution);
        lines.push_back(std::move(line));
    }
    return lines;
}

} // namespace

void ModeAnalysis::write(hdf5::Group group) const {
    write_modes(std::move(group), responses, tracked, facts);
}

ModeAnalysis analyse_modes(const ModeRequest& o, Probes probes, const Dynamics& dynamics,
                           const Points& points, const std::vector<EigenSystem>& systems,
                           const LineFrame* frame, const Execution& execution) {
    if (o.readout >= dynamics.outputs())
        throw Error(concat("--readout ", o.readout, ": the network has ", dynamics.outputs(),
                           " outputs, from 0"));
    ModeAnalysis found;
    found.responses = input_responses(dynamics, points, systems, probes.driven, probes.kind,
                                      o.readout, o.horizon, execution);
    if (frame != nullptr) found.tracked = tracked_lines(*frame, points, systems, execution);
    found.facts.probes = std::move(probes.given);
    found.facts.kind = probes.kind;
    found.facts.inputs = input_count(points);
    found.facts.horizon = o.horizon;
    found.facts.readout = o.readout;
    return found;
}

} // namespace fixedpoints_app
