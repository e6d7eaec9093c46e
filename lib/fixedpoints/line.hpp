// Approximate line attractors, all in one: for every constant input the line its points lie on,
// where each point is on it, how states come to rest there, and the slowest modes along it
// (arXiv:1906.10720, section 4; the parts are in attractor.hpp and coordinate.hpp).
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/attractor.hpp>
#include <assay/fixedpoints/coordinate.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/points.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay::fixedpoints {

struct LineOptions {
    CoordinateOptions coordinate;
    ApproachOptions approach;
    Index readout = 0;  // the output that orients the line
    Index null = 10000; // random directions that alignments are compared with
    // Values of theta whose nearest points are looked at in full.
    Vector stations = (Vector(3) << -2.0 / 3, 0, 2.0 / 3).finished();
    std::uint64_t seed = 0;
};

// The line of one constant input.
struct Line {
    Index input = 0;
    std::vector<Index> points; // rows of all points; entries below stand in this order
    Dimensionality cloud;      // of the points
    Axis axis;
    Coordinate coordinate;
    RealModes modes; // the first mode of every point
    Alignment alignment;
    Approach approach;
    InputOffset offset;          // of the constant input from the trials' inputs
    std::vector<Index> stations; // rows of all points nearest to the stations
};

struct LineAttractors {
    Dimensionality states;      // of the trials
    std::vector<Line> lines;    // of inputs with two points or more
    std::vector<Index> without; // inputs that have fewer points, or all at one place
    RowMatrix time_constants;   // P x min(3, S): of the first eigenvalues
    Vector magnitude;           // P: of the first eigenvalue
};

// Whether some input has two different points, and so a line.
[[nodiscard]] ASSAY_API bool have_line(const Points& points);

// `systems` are those of all points, with one vector or more. Throws Error where no input has a
// line, for an output that is not there, and for shapes that do not fit.
[[nodiscard]] ASSAY_API LineAttractors line_attractors(
    const Dynamics& dynamics, const Points& points, const std::vector<EigenSystem>& systems,
    const Trajectories& trajectories, const LineOptions& options, const Execution& run);

// The same architecture with initial weights, as training starts from.
[[nodiscard]] ASSAY_API network::Model untrained(const network::Model& model, std::uint64_t seed);

} // namespace assay::fixedpoints
