// Sweeps and choices of rank in HDF5: /tensor_amp/sweep and /tensor_amp/rank.
#pragma once

#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/rank_choice.hpp>
#include <assay/tensor_amp/sweep.hpp>

#include <vector>

namespace assay::tensor_amp {

inline constexpr const char* kSweepGroup = "/tensor_amp/sweep";
inline constexpr const char* kRankGroup = "/tensor_amp/rank";

// `results`, one row a fit; `summary` (noise variance x algorithm), left out of a shard; `theory`;
// with `timing` CPU seconds a fit in the group of that name.
ASSAY_API void write_sweep(hdf5::Group group, const Sweep& sweep, bool timing);
// Throws Error where something is missing, or does not fit the rest.
[[nodiscard]] ASSAY_API Sweep read_sweep(const hdf5::Group& group);

// What is selected is left out of a shard.
ASSAY_API void write_rank_choice(hdf5::Group group, const RankChoice& choice);
// Throws Error where something is missing, or does not fit the rest.
[[nodiscard]] ASSAY_API RankChoice read_rank_choice(const hdf5::Group& group);

} // namespace assay::tensor_amp
