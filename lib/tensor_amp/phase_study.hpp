// Phase diagrams: thresholds, curves, specialisation or accuracy over grids of any parameter of the
// priors, of the shape and of the order, whole or in shards of an array job.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/parameter_grid.hpp>
#include <assay/tensor_amp/thresholds.hpp>

#include <map>
#include <optional>
#include <vector>

namespace assay::tensor_amp {

enum class PhaseQuantity { thresholds, curve, specialisation, mse_map };

struct PhaseSettings : ModelGrid {
    PhaseQuantity quantity = PhaseQuantity::thresholds;
    VectorXd noise_var; // of mse_map
    VectorXd products;  // P of curve
};

// Accuracy over noise, rows as noise_var.
struct AccuracyRows {
    MatrixXd mse_reached, mse_best; // noise x mode
    VectorXd free_entropy;          // of the best
    std::vector<Regime> regime;
};

struct PhasePoint {
    Thresholds thresholds; // at rank 1
    std::optional<double> specialisation;
    std::optional<double> unfolding; // where dimensions, not only their ratios, are known
    // The curve at `products`: P x mode, and P.
    MatrixXd overlaps;
    VectorXd delta, free_entropy;
    AccuracyRows accuracy;
};

// Part `index` (from 1) of `count`: points p with p = index - 1 modulo count.
struct PhasePart {
    Index index = 1, count = 1;
};

using PhasePoints = std::map<Index, PhasePoint>;

struct PhaseStudy {
    PhaseSettings settings;
    PhasePart part;
    PhasePoints points;
};

// Throws what the point's model throws, with its parameters named, and Error where the results
// would take more memory than the machine has. Every point is kept once it is finished.
[[nodiscard]] ASSAY_API PhaseStudy run_phase_study(const PhaseSettings& settings,
                                                   const PhasePart& part, const Execution& run,
                                                   const Keeping<PhasePoints>& keeping = {});

} // namespace assay::tensor_amp
