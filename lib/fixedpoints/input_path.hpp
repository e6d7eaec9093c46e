// Points along a path of several inputs x_0, x_1, ...: branch after branch of continuation.hpp,
// each going on where one of the segment before arrived.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/continuation.hpp>
#include <assay/fixedpoints/points.hpp>

#include <vector>

namespace assay::fixedpoints {

struct PathBranch {
    Index segment = 0;  // from input `segment` of the path to the next
    Index before = -1;  // the branch that it continues; -1: none
    Index point = -1;   // row of the points that it starts from; -1: none lies there
    Branch branch;      // `meets` is a branch of the same segment
    RowMatrix input;    // of each of its points
    RowMatrix output;   // readout of each
    Index arrives = -1; // row of the points at its end, at the next input; -1: none lies there
};

// `path`: at least two inputs (rows). A segment starts from the ends of the branches before that
// reached its first input, and from those `points` of that input (within 1e-6) that none of them
// reached. Throws Error for a path that is too short, and as track_points does; also where no point
// of the first input is known.
[[nodiscard]] ASSAY_API std::vector<PathBranch>
track_path(const Dynamics& dynamics, const Points& points, const RowMatrix& path,
           const TrackOptions& options, const Execution& run);

} // namespace assay::fixedpoints
