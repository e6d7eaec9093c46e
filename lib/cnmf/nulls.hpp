// Statistics under a null hypothesis, drawn one after the other: state of the tests that draw them.
#pragma once

#include <assay/core/keeping.hpp>
#include <assay/core/recording.hpp>

namespace assay::cnmf {

struct Nulls {
    Index done = 0; // draws whose values are known, in the order of the test
    Matrix values;  // K x draws
};

using NullControl = Keeping<Nulls>;

} // namespace assay::cnmf
