// Where orbits leave a point: starts h* + C u, |u| = 1, in its unstable subspace, and directions u
// to try. Two shapes: a small sphere, what small noise makes of a state; and an ellipsoid on which
// all modes need the same time to grow. From a sphere, the fastest mode wins nearly everywhere:
// with rates r_1 > r_2 what the slower one decides lies in a fraction epsilon^(r_1 / r_2 - 1) of
// the directions; from the ellipsoid it is a fraction of order 1.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

struct Launch {
    RowMatrix centre;         // 1 x state size: h*
    Matrix columns;           // state size x n unstable dimensions: C
    std::vector<Index> pairs; // first columns of pairs of modes (none on a sphere)

    [[nodiscard]] Index dimensions() const { return columns.cols(); }
    // B x state size, from directions n x B.
    [[nodiscard]] ASSAY_API RowMatrix states(const Matrix& directions) const;
    // The direction whose start is nearest to a state (1 x state size), up to scale.
    [[nodiscard]] ASSAY_API Vector direction(const RowMatrix& state) const;
};

// The sphere of radius epsilon: C = epsilon Q with Q orthonormal.
[[nodiscard]] ASSAY_API Launch launch_from_sphere(const RowMatrix& centre,
                                                  const EigenSystem& system, double epsilon);
// C = eigenvectors, each of length L (epsilon / L)^(r / r_max) with L = `scale`, the size at which
// growth ends (the distance of the next point); at least epsilon, at most `largest_share` of L, in
// which the unstable manifold hardly bends away from its tangent space.
[[nodiscard]] ASSAY_API Launch launch_from_ellipsoid(const RowMatrix& centre,
                                                     const EigenSystem& system, double epsilon,
                                                     double scale, double largest_share = 1.0 / 20);

// Directions, as columns of unit norm: `count` around a circle (2 x count),
[[nodiscard]] ASSAY_API Matrix circle_directions(Index count);
// random ones, addressed by seed, point and number,
[[nodiscard]] ASSAY_API Matrix random_directions(Index dimensions, Index count, std::uint64_t seed,
                                                 Index point);
// and both ways along every column of a launch, with eight phases in the plane of a pair.
[[nodiscard]] ASSAY_API Matrix axis_directions(const Launch& launch);

} // namespace assay::fixedpoints
