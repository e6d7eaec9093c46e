// A coordinate along a line of points: where each point lies on a curve in many dimensions.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <string>
#include <vector>

namespace assay::fixedpoints {

// lle: locally linear embedding in one dimension (Roweis, Saul 2000, Science 290:2323).
// pca: projection on the axis of the line.
// arc: length along the longest path of the Euclidean minimum spanning tree; points on side
//      branches take the length at their foot on the path.
enum class CoordinateMethod { lle, pca, arc };

struct CoordinateOptions {
    CoordinateMethod method = CoordinateMethod::lle;
    Index neighbors = 10;         // of lle; at most P - 1 are used
    double regularisation = 1e-3; // of lle's Gram matrices, times their trace
    double fold_limit = 0.95;     // least |Spearman| of lle with the projection on the axis
};

struct Coordinate {
    Vector theta; // P, scaled to [-1, 1]; zeros where all points are equal
    CoordinateMethod method = CoordinateMethod::lle; // the one that made theta
    double axis_rank_correlation = 0; // |Spearman| of theta with the projection on the axis
    double lle_rank_correlation = 0; // of the embedding, also where it was given up; NaN: not tried
    std::string warning;             // why arc stands in the place of lle; else empty
};

// Of points (P x S) with axis m (S); theta rises with `readout` (P, one number a point: the output,
// or the projection on the readout). lle gives way to arc, with a warning, where its embedding
// folds (|Spearman| with the projection on the axis below the limit) or where its neighbours do not
// connect all points. Ties go to the lower row. O(P^2 S), and for lle one sparse factorisation of a
// P x P matrix with about neighbors^2 entries a row. Throws Error for shapes that do not fit.
[[nodiscard]] ASSAY_API Coordinate line_coordinate(const RowMatrix& points, const Vector& axis,
                                                   const Vector& readout,
                                                   const CoordinateOptions& options,
                                                   const Execution& run);

// The point nearest to each of some values of theta (the first of equals): such as -2/3, 0, 2/3.
[[nodiscard]] ASSAY_API std::vector<Index> points_at(const Vector& theta, const Vector& values);

} // namespace assay::fixedpoints
