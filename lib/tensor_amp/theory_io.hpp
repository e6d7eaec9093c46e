// Results of evolution_study.hpp and phase_study.hpp in HDF5: /tensor_amp/se and /tensor_amp/phase.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/evolution_study.hpp>
#include <assay/tensor_amp/phase_study.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

// Q (and M, where assumptions differ from the truth) have the axes noise_var and start where there
// are several of them, then sweep (0 is the start; after the last sweep of a run its end repeats),
// mode, component, component. Throws Error where that is more than 2 GiB.
ASSAY_API void write_evolution(hdf5::Group group, const EvolutionStudy& study);

// Over a grid every array has the axes of the grid first, and lists (one number a fold) end in NaN;
// a part has the axis `point` and the numbers of its points instead.
ASSAY_API void write_phase(hdf5::Group group, const PhaseStudy& study);
// The whole from all its parts. Throws Error where parts do not belong together, or one is missing
// or given twice.
ASSAY_API void merge_phase(hdf5::Group group, const std::vector<hdf5::Group>& parts);

// The overlaps of a start: mode x component x component. Throws Error for another shape.
[[nodiscard]] ASSAY_API Overlaps read_overlaps(const hdf5::Dataset& dataset, Index order,
                                               Index rank);

} // namespace assay::tensor_amp
