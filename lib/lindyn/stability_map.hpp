// Where a rule with feedback arrays of its own is stable, over a grid of two of its settings: the
// limits of stability.hpp at every point, and drawn runs beside them. A point is stable where the
// alignment learning rate is below its limit and, where a task learning rate is given, that is
// below the one of a chain of scalar layers of weight 1 with the feedback the rule ends at.
#pragma once

#include <assay/lindyn/generalization_study.hpp>
#include <assay/lindyn/stability_study.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

// eta, the coefficients, stddev, batch, learning-rate, depth (of the chain).
[[nodiscard]] ASSAY_API const std::vector<std::string>& stability_map_names();

struct StabilityMapSettings {
    StabilitySettings base;              // `repeats` drawn runs of `steps` updates a point
    NetworkLayer layer;                  // dense, on noise
    std::optional<double> learning_rate; // of the task
    double momentum = 0;                 // of the task
    Index depth = 2;
    std::array<SweepAxis, 2> axes; // rows and columns; names of stability_map_names()
};

struct StabilityMap {
    // rows x columns. margin: the least of the limits over the rates, stable above 1.
    Matrix margin, eta_critical, lr_critical; // lr_critical NaN without a task's rate
    Matrix angle, norm_ratio;                 // in the steady state
    // Share of the drawn runs that stayed: |B| within ten times its end, and the chain, started
    // near its solution, no farther from it. Empty without runs.
    Matrix stayed;
};
// Throws Error on names and values that do not fit the rule, axes that do not rise, a layer that is
// not dense, and a depth that varies where the task has no learning rate.
[[nodiscard]] ASSAY_API StabilityMap map_stability(const StabilityMapSettings& settings,
                                                   const Execution& run);

} // namespace assay::lindyn
