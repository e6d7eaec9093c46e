// States of interrupted work in HDF5: one array of bytes (core/packing.hpp), for the same program
// to read again.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/fit.hpp>
#include <assay/tensor_amp/phase_study.hpp>
#include <assay/tensor_amp/rank_choice.hpp>
#include <assay/tensor_amp/sweep.hpp>

namespace assay::tensor_amp {

// State: FitState, SweepState, PhasePoints or RankProgress.
template <class State>
void write_state(hdf5::Group group, const State& state);
// Throws Error where the bytes are not those of a state.
template <class State>
[[nodiscard]] State read_state(const hdf5::Group& group);

} // namespace assay::tensor_amp
