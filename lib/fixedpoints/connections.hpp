// Orbits from a point to a saddle with several unstable dimensions. Bisection finds none of them: a
// start must keep off the saddle in all of these dimensions at once. They are found by shooting:
// Newton's method on the direction u in which the orbit leaves the source, for
// L_u (F^n(h* + C u) - saddle) = 0, with L_u the left vectors of the saddle's unstable eigenvalues
// and C the launch of the source (Beyn 1990, with the n-th iterate in place of the flow). n grows
// as the orbit comes nearer. Where the saddle attracts slowly, rounding at the source has grown too
// large before the orbit is near: then it is aimed anew from a later point of itself.
#pragma once

#include <assay/fixedpoints/flights.hpp>
#include <assay/fixedpoints/launch.hpp>

namespace assay::fixedpoints {

// An orthonormal basis (n x state size) of the rows of left vectors beyond the unit circle, from
// real rows and the real and imaginary parts of pairs. Throws Error if the system does not hold all
// of these.
[[nodiscard]] ASSAY_API RowMatrix unstable_left_basis(const EigenSystem& system);

struct Shot {
    Vector direction;    // u, of unit norm, in the unstable subspace of the source
    Index steps = 0;     // where the orbit is nearest
    double distance = 0; // from the saddle there
};

struct ShootingTask {
    Launch source;
    RowMatrix saddle;      // 1 x state size
    RowMatrix saddle_left; // its unstable left basis: fewer rows than the source has dimensions
};

// Improves a guess (direction, steps, distance) until the approach gains no more. Cost: about 30
// orbits with as many tangents as the source has unstable dimensions.
[[nodiscard]] ASSAY_API Shot shoot(const Dynamics& dynamics, const RowMatrix& input,
                                   const ShootingTask& task, Shot guess);

struct Aimed {
    double distance = 0;   // from the saddle
    double correction = 0; // the largest, relative to 1 + |h|
};

// How near the orbit of a shot comes when it is aimed anew from its later points, by corrections of
// at most 1e-7 (1 + |h|) towards the stable manifold of the saddle: multiple shooting, one piece
// after another. Ends at `enough`, where a piece gains less than 1 %, or after 50 pieces. `growth`:
// the largest modulus of the saddle's eigenvalues, above 1. Cost: a `shoot` each piece.
[[nodiscard]] ASSAY_API Aimed aim_again(const Dynamics& dynamics, const RowMatrix& input,
                                        const ShootingTask& task, const Shot& shot, double growth,
                                        double enough);

} // namespace assay::fixedpoints
