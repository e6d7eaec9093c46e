// Minima of a function of one number: Brent's method (Brent 1973, Algorithms for Minimization
// without Derivatives, chapter 5) around every local minimum of a grid.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <functional>

namespace assay::lindyn {

struct Minimum {
    double at = 0, value = 0;
};
using ScalarFunction = std::function<double(double)>;

// A local minimum within (low, high), to about 1e-8 of its place.
[[nodiscard]] ASSAY_API Minimum brent_minimum(const ScalarFunction& f, double low, double high);

// The least of all local minima; of equal ones that at the smallest place. `grid` ascends, `values`
// are f on it (as long, >= 1).
[[nodiscard]] ASSAY_API Minimum least_minimum(const ScalarFunction& f, const Vector& grid,
                                              const Vector& values);

} // namespace assay::lindyn
