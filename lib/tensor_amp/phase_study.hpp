// Phase diagrams: thresholds, curves, specialisation or accuracy over grids of any parameter of the
// priors, of the shape and of the order, whole or in shards of an array job.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/thresholds.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// A model in words, so that a grid can change any parameter of it.
struct ModelDescription {
    VectorXd dimensions; // or anything proportional to them
    Index rank = 1;
    std::vector<std::string> priors; // one a mode, as parse_prior reads them
    ValueReader read_values = nullptr;

    [[nodiscard]] ASSAY_API Ensemble ensemble() const;
};

// Sets `name` to a value: "order" of a cubic tensor with one prior; "aspect", by which the last
// dimension is multiplied; else a key of the priors of all modes, or "key@0+2" of the modes named.
// Throws UsageError for a name that is none of these, a mode that does not exist, and an order that
// is no whole number or that a shape does not have. Whether a prior has the key is seen when it is
// parsed.
ASSAY_API void set_parameter(ModelDescription& model, const std::string& name, double value);

struct PhaseAxis {
    std::string name;
    VectorXd values;
};

enum class PhaseQuantity { thresholds, curve, specialisation, mse_map };

struct PhaseSettings {
    ModelDescription model;
    std::vector<PhaseAxis> axes; // the last runs fastest
    PhaseQuantity quantity = PhaseQuantity::thresholds;
    VectorXd noise_var; // of mse_map
    VectorXd products;  // P of curve

    [[nodiscard]] ASSAY_API Index points() const;
    [[nodiscard]] ASSAY_API ModelDescription model_at(Index point) const;
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
