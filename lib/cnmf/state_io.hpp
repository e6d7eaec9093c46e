// States of interrupted work other than a fit's in HDF5: one array of bytes (core/packing.hpp), for
// the same program to read again.
#pragma once

#include <assay/cnmf/fit.hpp>
#include <assay/cnmf/nulls.hpp>
#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <vector>

namespace assay::cnmf {

// State: ActivationFit (transform), Nulls (significance, extent) or std::vector<double> (powers of
// sequenciness).
template <class State>
void write_packed(const hdf5::Group& group, const State& state);
// Throws Error where the bytes are not those of a state.
template <class State>
[[nodiscard]] State read_packed(const hdf5::Group& group);

} // namespace assay::cnmf
