// The trapezoid rule on the whole line for analytic integrands that decay: its error falls
// exponentially in the number of points, so that halving the step until two results agree leaves an
// error of about the square of their difference.
#pragma once

#include <Eigen/Core>

#include <functional>
#include <vector>

namespace assay::tensor_amp {

struct Interval {
    double low = 0;
    double high = 0;
};

// The first component is a probability density, so that its integral is known to be 1; the others
// are that density times what is averaged.
using Density = std::function<Eigen::Array4d(double u)>;

// Overlapping intervals joined, in rising order.
[[nodiscard]] std::vector<Interval> joined(std::vector<Interval> intervals);

// The integral over intervals at whose ends the density has vanished. `stretched`: u = sinh t, for
// densities that are fine near 0 and wide. `noise`: the relative rounding error of the integrand.
// Throws Error where the integral does not settle or the density's own is not 1.
[[nodiscard]] Eigen::Array4d integrate(const Density& density, std::vector<Interval> intervals,
                                       bool stretched, double noise);

} // namespace assay::tensor_amp
