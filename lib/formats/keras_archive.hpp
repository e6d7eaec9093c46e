// Internal to lib/formats: the weights of Keras 3's own form, which stand in a .keras archive as
// model.weights.h5, or alone.
#pragma once

#include <assay/formats/model_parts.hpp>

namespace assay::formats {

[[nodiscard]] bool is_keras_v3_weights(const hdf5::Group& root);

// Weights alone: options.architecture must be the model's JSON, since arrays are kept by order.
void read_keras_v3_weights(const hdf5::Group& root, const ModelOptions& options,
                           OpenedModel& opened);

} // namespace assay::formats
