// Internal to lib/formats: a Keras model (its JSON and its arrays) as one of ours.
#pragma once

#include <assay/formats/keras_weights.hpp>

#include <string>

namespace assay::formats {

// What a file says about where it comes from.
struct KerasOrigin {
    int version = 0;     // 1, 2 or 3; 0: not told
    std::string backend; // "theano", "tensorflow", ...; empty: not told
};

// Sets opened.model and adds to its notes. Throws Error that names layer and class.
void fill_from_keras(const std::string& config, const KerasWeights& weights,
                     const KerasOrigin& origin, const ModelOptions& options, OpenedModel& opened);

// Whether kernels of Theano must be rotated, and how Keras 1 laid them out; notes what was assumed.
// `theano_ordering`: the file says "th", or its layout is that of "th".
[[nodiscard]] KernelLayout kernel_layout(const KerasOrigin& origin, const ModelOptions& options,
                                         bool theano_ordering, OpenedModel& opened);

} // namespace assay::formats
