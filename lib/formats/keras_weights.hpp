// Internal to lib/formats: arrays of Keras layers, and their conversion to our layouts.
#pragma once

#include <assay/formats/stored_layers.hpp>

#include <string>
#include <vector>

namespace assay::formats {

// One array of a layer as Keras holds it. `role` is what its name says it is: "kernel",
// "recurrent_kernel", "bias", "gamma", "W_i" (Keras 1); empty where a file keeps only the order.
struct KerasArray {
    std::string role;
    DenseArray array;
};
using KerasArrays = std::vector<KerasArray>;

// "conv1/kernel:0", "model/conv1/kernel", "convolution2d_1_W" -> "kernel", "kernel", "W".
[[nodiscard]] std::string keras_role(const std::string& weight_name);

// Where a layer stands: the names from the model inwards, and its folder in a .keras archive.
struct KerasPlace {
    std::vector<std::string> names;
    std::string folder;
};

class KerasWeights {
  public:
    KerasWeights() = default;
    virtual ~KerasWeights() = default;
    KerasWeights(const KerasWeights&) = delete;
    KerasWeights& operator=(const KerasWeights&) = delete;
    // In the file's order; empty for a layer without.
    [[nodiscard]] virtual KerasArrays of(const KerasPlace& place) const = 0;
};

struct KernelLayout {
    bool filters_first = false; // (out, in, k...) of Keras 1 with "th"; else (k..., in, out)
    bool rotated = false;       // Theano convolves; we correlate
};

// A layer's arrays under our names and in our layout: kernels transposed, rows of gates as they
// stand in the file, whose order `gates` of the result names. Throws Error that names the array.
[[nodiscard]] StoredLayer converted_layer(const std::string& name, KerasArrays arrays,
                                          const KernelLayout& layout);

} // namespace assay::formats
