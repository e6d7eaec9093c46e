// The unit in which times are told: tau, or steps or epochs of a run.
#pragma once

#include <string>

namespace assay::lindyn {

struct TimeScale {
    double per_tau = 1; // units in one tau
    std::string unit = "tau";
};

} // namespace assay::lindyn
