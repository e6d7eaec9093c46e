// What is asked of lines of points and of the modes along them: shared by attractor, modes and
// population.
#pragma once

#include "inputs.hpp"

#include <assay/cli/command.hpp>
#include <assay/fixedpoints/line_io.hpp>

#include <string>
#include <vector>

namespace fixedpoints_app {

// --coordinate, --neighbors, --null.
void declare_line(assay::cli::Command& c, assay::fixedpoints::LineOptions& o);

// Warnings that lines carry, with the input where there are several. `tokens`: inputs are those of
// an embedding, whose mean matters.
void warn_of_lines(assay::Monitor& monitor, const assay::fixedpoints::LineAttractors& found,
                   bool tokens);

// Lines with the eigen-systems at their stations, as a file has them.
void write_lines(assay::hdf5::Group group, const assay::fixedpoints::LineAttractors& lines,
                 const assay::fixedpoints::Points& points,
                 const std::vector<assay::fixedpoints::EigenSystem>& systems,
                 assay::fixedpoints::AttractorFacts facts);

struct ModeRequest {
    std::string probe = "unit";
    assay::Index horizon = 0, readout = 0;
    bool track = false;
};
// --probe, --horizon, --track; the output is the caller's to declare.
void declare_modes(assay::cli::Command& c, ModeRequest& o);

struct Probes {
    assay::RowMatrix given, driven;
    assay::fixedpoints::ProbeKind kind = assay::fixedpoints::ProbeKind::deviation;
};
Probes read_probes(const ModeRequest& o, assay::cli::Context& context,
                   const assay::fixedpoints::Dynamics& dynamics);

struct ModeAnalysis {
    std::vector<assay::fixedpoints::InputResponse> responses;
    std::vector<assay::fixedpoints::TrackedLine> tracked;
    assay::fixedpoints::ModeFacts facts;
    void write(assay::hdf5::Group group) const;
};
// `frame`: the lines to follow modes along; null: none. Throws where there is no point.
ModeAnalysis analyse_modes(const ModeRequest& o, Probes probes,
                           const assay::fixedpoints::Dynamics& dynamics,
                           const assay::fixedpoints::Points& points,
                           const std::vector<assay::fixedpoints::EigenSystem>& systems,
                           const assay::fixedpoints::LineFrame* frame,
                           const assay::Execution& execution);

} // namespace fixedpoints_app
