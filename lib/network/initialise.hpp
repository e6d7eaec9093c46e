// Initial weights. Every number is addressed by (seed; array, index), so that changing one layer
// changes no other layer's numbers. Laws: He et al. 2015, Glorot and Bengio 2010, LeCun et al.
// 1998, orthogonal (Saxe et al. 2013).
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/network.hpp>

#include <cstdint>
#include <string>

namespace assay::network {

// Throws Error unless the law is known; "file" is not one.
ASSAY_API void check_law(const std::string& law);

// "auto": he where a rectifying activation follows, else glorot, recurrent arrays orthogonal,
// forget gates with bias 1. Also he, he-uniform, glorot, glorot-uniform, lecun, orthogonal[:GAIN],
// identity (recurrent arrays), normal:S, zeros, small:S (normal with sd S / sqrt(fan in)),
// balanced:S (chains of dense layers: W_{l+1}^T W_{l+1} = W_l W_l^T, singular values S), torch[:S]
// (PyTorch's defaults: weights and biases uniform within 1 / sqrt(units) in recurrent cells, else
// within 1 / sqrt(fan in); embeddings normal with sd S, 1 by default).
// Throws Error for an unknown law.
template <class S>
[[nodiscard]] ASSAY_API Weights<S> initial_weights(const Network<S>& network,
                                                   const std::string& law, std::uint64_t seed);

} // namespace assay::network
