// A tensor held in memory, C order (the last index runs fastest), with the entries that were
// observed.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <vector>

namespace assay::tensor_amp {

// `Scalar` is double or float.
template <class Scalar>
struct TensorOf {
    Shape shape;
    // One an entry; whatever stands in unobserved ones is not used.
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1> values;
    std::vector<std::uint8_t> observed; // 1 = observed; empty where all are

    [[nodiscard]] Index order() const { return static_cast<Index>(shape.size()); }
};
using DenseTensor = TensorOf<double>;
using FloatTensor = TensorOf<float>;

} // namespace assay::tensor_amp
