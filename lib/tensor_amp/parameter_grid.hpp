// A model in words and grids over its parameters: of the priors, of the shape and of the order.
#pragma once

#include <assay/core/export.hpp>
#include <assay/tensor_amp/ensemble.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

// A model in words, so that a grid can change any parameter of it.
struct ModelDescription {
    VectorXd dimensions; // or anything proportional to them
    Index rank = 1;
    std::vector<std::string> priors; // one a mode, as parse_prior reads them
    ValueReader read_values = nullptr;

    [[nodiscard]] ASSAY_API std::vector<PriorPointer> parsed_priors() const;
    [[nodiscard]] ASSAY_API Ensemble ensemble() const;
};

// Sets `name` to a value: "order" of a cubic tensor with one prior; "aspect", by which the last
// dimension is multiplied; "scale", by which all are; else a key of the priors of all modes, or
// "key@0+2" of the modes named. Throws UsageError for a name that is none of these, a mode that
// does not exist, and an order that is no whole number or that a shape does not have. Whether a
// prior has the key is seen when it is parsed.
ASSAY_API void set_parameter(ModelDescription& model, const std::string& name, double value);

struct ParameterAxis {
    std::string name;
    VectorXd values;

    [[nodiscard]] bool operator==(const ParameterAxis& other) const {
        return name == other.name && values == other.values;
    }
};
using ParameterAxes = std::vector<ParameterAxis>; // the last runs fastest

// The number of points; 1 without axes. Throws Error above 10^9.
[[nodiscard]] ASSAY_API Index point_count(const ParameterAxes& axes);
// The value of every axis at a point.
[[nodiscard]] ASSAY_API std::vector<double> values_at(const ParameterAxes& axes, Index point);
// "mean 0.2, aspect 4".
[[nodiscard]] ASSAY_API std::string point_words(const ParameterAxes& axes, Index point);
// The order at a point, and the largest of all points; `order` where no axis sets it.
[[nodiscard]] ASSAY_API Index order_at(const ParameterAxes& axes, Index point, Index order);
[[nodiscard]] ASSAY_API Index largest_order(const ParameterAxes& axes, Index order);

// Models that differ in the parameters of the axes.
struct ModelGrid {
    ModelDescription model;
    ParameterAxes axes;

    [[nodiscard]] Index points() const { return point_count(axes); }
    [[nodiscard]] ASSAY_API ModelDescription model_at(Index point) const;
};

} // namespace assay::tensor_amp
