// A trained network as it stands in a file: the architecture (JSON, format assay-architecture/1)
// and named parameter arrays in the project's own layout. Readers of foreign files make it,
// network.hpp compiles it, network_io.hpp writes it.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <string>
#include <vector>

namespace assay::network {

using Shape = std::vector<Index>;

// One array of one layer, C order: dense and convolution `weight` (out, in, ...), `bias`;
// normalisation `gamma`, `beta`, `moving_mean`, `moving_variance`; recurrent `kernel`
// (gates*units, in), `recurrent` (gates*units, units), `bias`, `recurrent_bias`, `initial_state`.
struct ParameterArray {
    std::string layer;
    std::string name;
    Shape shape;
    std::vector<double> values;
};

// Gate order of a recurrent layer's rows, "r,z,n".
struct LayerGates {
    std::string layer;
    std::string gates;
};

struct Model {
    std::string architecture; // JSON text; empty where the file has only weights
    std::vector<ParameterArray> parameters;
    std::vector<LayerGates>
        gates; // of recurrent layers; absent: the order of the cell's definition
};

} // namespace assay::network
