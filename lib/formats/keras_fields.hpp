// Internal to lib/formats: what the functions of Keras classes share, and those of them that stand
// in files of their own.
#pragma once

#include <assay/formats/keras_builder.hpp>

#include <string>
#include <vector>

namespace assay::formats {

[[nodiscard]] network::Keys keys_of(const KerasCall& call); // of the layer's config
// The name of a field that Keras 1 called otherwise.
[[nodiscard]] std::string either(const network::Keys& keys, const std::string& now,
                                 const std::string& before);
[[nodiscard]] const KerasTensor& only_input(const KerasCall& call);
// Throws Error where Keras would leave out steps of a layer's input.
void refuse_mask(const KerasTensor& input);
[[nodiscard]] bool is_version_one(const KerasBuilder& builder);
[[nodiscard]] bool uses_bias(network::Keys& keys);
[[nodiscard]] std::vector<std::string> weight_roles(bool bias); // kernel, bias
[[nodiscard]] std::vector<std::string> weight_names(bool bias); // weight, bias
[[nodiscard]] Index axis_of(network::Keys& keys, const std::string& field);
// kUnknownExtent where an extent is not told.
[[nodiscard]] Index known_size(const hdf5::Shape& shape);
// Number of elements of parameters that the file does not hold in full; throws Error beyond 2^26.
[[nodiscard]] Index plausible_count(const hdf5::Shape& shape);
// The output with the layer's own activation behind it.
KerasTensor with_activation(KerasBuilder& builder, const KerasCall& call, const network::Keys& keys,
                            const KerasTensor& output);

// keras_spatial.cpp
KerasTensor keras_convolution(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_depthwise(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_separable(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_transposed(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_pooling(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_global_pooling(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_margins(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_upsampling(KerasBuilder& builder, const KerasCall& call);
// keras_normalisation.cpp
KerasTensor keras_batch_normalization(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_layer_normalization(KerasBuilder& builder, const KerasCall& call);
// keras_recurrent.cpp
KerasTensor keras_recurrent(KerasBuilder& builder, const KerasCall& call);
KerasTensor keras_bidirectional(KerasBuilder& builder, const KerasCall& call);

} // namespace assay::formats
