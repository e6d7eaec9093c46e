// Values of a tensor as passes want them: unobserved ones 0, the rest finite.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/model.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// "[3, 0, 7]" of a position in C order.
inline std::string position_text(Index flat, const Shape& shape) {
    std::vector<std::string> parts;
    for (Index a = static_cast<Index>(shape.size()) - 1; a >= 0; --a) {
        parts.push_back(std::to_string(flat % shape[at(a)]));
        flat /= shape[at(a)];
    }
    std::reverse(parts.begin(), parts.end());
    return "[" + join(parts, ", ") + "]";
}

// A flag of a mask; throws Error, which starts with `where`, unless it is 0 or 1.
inline std::uint8_t checked_flag(double flag, Index entry, const Shape& shape,
                                 const std::string& where) {
    if (flag != 0 && flag != 1)
        throw Error(concat(where, ": found ", flag, " at ", position_text(entry, shape),
                           "; 1 (observed) or 0 is expected"));
    return flag != 0 ? 1 : 0;
}

// Throws Error, which starts with `where`, for an infinite value.
inline void check_finite(double value, Index entry, const Shape& shape, const std::string& where) {
    if (std::isinf(value))
        throw Error(concat(where, ": infinite value at ", position_text(entry, shape),
                           "; finite numbers are expected"));
}

// Throws Error, which starts with `where`, for so many NaN that are no missing values.
inline void check_nan(Index count, Index first, const Shape& shape, const std::string& where) {
    if (count > 0)
        throw Error(concat(where, ": ", count, count == 1 ? " NaN at " : " NaN, first at ",
                           position_text(first, shape),
                           "; if they are missing values, say --missing nan"));
}

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
