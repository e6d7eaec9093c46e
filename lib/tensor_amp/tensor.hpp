// A tensor held in memory, C order (the last index runs fastest), with the entries that were
// observed.
#pragma once

#include <assay/tensor_amp/model.hpp>

#include <cstdint>
#include <vector>

namespace assay::tensor_amp {

struct DenseTensor {
    Shape shape;
    VectorXd values; // one an entry; whatever stands in unobserved ones is not used
    std::vector<std::uint8_t> observed; // 1 = observed; empty where all are

    [[nodiscard]] Index order() const { return static_cast<Index>(shape.size()); }
};

} // namespace assay::tensor_amp
