// The modes of points along a line: the slowest time constants, and each mode followed from point
// to point, so that time constants make continuous curves and their crossings show.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <vector>

namespace assay::fixedpoints {

// Two curves exchange their order of magnitude |lambda|.
struct Crossing {
    Index first = 0, second = 0; // curves, first < second
    Index step = 0;              // between ordered points step and step + 1
    double theta = 0;            // where their magnitudes meet, linear between the two points
};

struct LineModes {
    std::vector<Index> order;              // points by rising theta, ties by row
    Vector theta;                          // in that order
    RowMatrix slowest;                     // P x min(3, S): time constants of the first eigenvalues
    RowMatrix time_constants;              // P x curves
    ComplexMatrix eigenvalues;             // P x curves
    std::vector<std::vector<Index>> modes; // P x curves: which mode of the point it is
    RowMatrix overlaps;                    // P - 1 x curves: |l_a(i) . r_b(i + 1)|
    std::vector<Crossing> crossings;       // by step, then curves
};

// Rows of the result are points in the order of theta; curve c starts as mode c of the first.
// Modes a of a point and b of the next are matched so that the sum of |l_a . r_b| is largest
// (Kuhn 1955; Munkres 1957), over all kept modes (the fewest of any system). A pair of curves is
// listed as crossing where at least one of the two ranks among the `listed` largest magnitudes
// before or after; equal magnitudes (within 1e-12, such as conjugates) do not cross.
// O(P (k^2 S + k^3 + k^2)). Throws Error for shapes that do not fit and systems without vectors.
[[nodiscard]] ASSAY_API LineModes track_modes(const std::vector<EigenSystem>& systems,
                                              const Vector& theta, Index listed,
                                              const Execution& run);

} // namespace assay::fixedpoints
