// Results of generalization_study.hpp and denoise.hpp in HDF5: /lindyn/generalize and
// /lindyn/denoise.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/denoise.hpp>
#include <assay/lindyn/generalization_study.hpp>

#include <string>

namespace assay::lindyn {

// A whole study has one row a point (none without axes), means over repeats and times in its scale;
// a part has the points and students it holds, each with its number, and times in tau.
ASSAY_API void write_study(hdf5::Group group, const Study& study);
[[nodiscard]] ASSAY_API Study read_study(const hdf5::Group& group);

ASSAY_API void write_data_study(hdf5::Group group, const DataStudy& study, const Student& student,
                                const TimeScale& scale);

ASSAY_API void write_denoised(hdf5::Group group, const Denoised& denoised, const std::string& loss);

} // namespace assay::lindyn
