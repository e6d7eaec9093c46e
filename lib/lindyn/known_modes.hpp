// Modes that a generator put into data, and how far found ones are from them.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

struct KnownModes {
    Matrix vectors;     // N1 x L input vectors, orthonormal
    Vector eigenvalues; // descending
};

// The largest principal angle (radians) between the plane of known vectors of equal eigenvalue and
// that of the found vectors in their place (N1 x K), over all such groups that are found as a
// whole; NaN where there is none.
[[nodiscard]] ASSAY_API double largest_angle(const Matrix& found, const KnownModes& known);

} // namespace assay::lindyn
