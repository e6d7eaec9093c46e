// Statistics under a null hypothesis, drawn one after the other: state of the tests that draw them.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/recording.hpp>

namespace assay::cnmf {

struct Nulls {
    Index done = 0; // draws whose values are known, in the order of the test
    Matrix values;  // K x draws
};

// Throws Error where a saved state is not one of `columns` draws a component, `most` in all.
inline void check_nulls(const Nulls& nulls, Index components, Index columns, Index most) {
    if (nulls.values.rows() != components || nulls.values.cols() != columns || nulls.done < 0 ||
        nulls.done > most)
        throw Error(concat("the saved state has ", nulls.done, " draws in ", nulls.values.rows(),
                           " x ", nulls.values.cols(), " values; at most ", most, " in ",
                           components, " x ", columns, " are expected"));
}

using NullControl = Keeping<Nulls>;

} // namespace assay::cnmf
