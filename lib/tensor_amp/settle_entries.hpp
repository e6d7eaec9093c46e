// Values of a tensor as passes want them: unobserved ones 0, the rest finite.
#pragma once

#include <assay/core/error.hpp>
#include <assay/tensor_amp/model.hpp>

#include <cmath>
#include <cstdint>

namespace assay::tensor_amp {

// Makes flags 0 or 1, sets what was not observed to 0 and checks the rest; `first` is the number of
// values before them, for messages. Where NaN means unobserved, it is so flagged.
template <class Scalar>
void settle(Scalar* values, std::uint8_t* observed, Index count, bool missing_nan, Index first) {
    for (Index i = 0; i < count; ++i) {
        if (observed != nullptr) {
            observed[i] = observed[i] != 0 && !(missing_nan && std::isnan(values[i])) ? 1 : 0;
            if (observed[i] == 0) values[i] = 0;
        }
        if (!std::isfinite(values[i]))
            throw Error(concat("entry ", first + i, " (in C order) is ",
                               std::isnan(values[i]) ? "NaN" : "infinite",
                               "; finite numbers are expected"));
    }
}

} // namespace assay::tensor_amp
