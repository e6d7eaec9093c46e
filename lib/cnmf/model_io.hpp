// Internal to the io of lib/cnmf: what several results hold alike.
#pragma once

#include <assay/cnmf/cnmf_io.hpp>

#include <cstdint>
#include <vector>

namespace assay::cnmf {

// Booleans as they are stored.
[[nodiscard]] std::vector<std::uint8_t> flags(const std::vector<bool>& values);

// W and, where there are any, H, both float64. `warps`: of how many time warps the components are,
// in equal parts.
void write_arrays(hdf5::Group& group, const Model& model, Index warps);
void write_unit_ids(hdf5::Group& group, const RecordingFacts& facts);
// What stands beside the numbers of a recording, or a model of it; dt is an attribute of theirs.
void write_neighbours(hdf5::Group& group, const RecordingFacts& facts);
// The same of a model, dt as an attribute of its group.
void write_facts(hdf5::Group& group, const ModelFacts& facts);
// A vector of the group with so many entries.
[[nodiscard]] Vector vector_of(const hdf5::Group& group, const char* name, Index size,
                               const char* as_in);

} // namespace assay::cnmf
