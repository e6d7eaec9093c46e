// Results of generalization_study.hpp, transfer.hpp and regression.hpp in HDF5: /lindyn/generalize,
// /lindyn/transfer, /lindyn/regress and /lindyn/denoise.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/denoise.hpp>
#include <assay/lindyn/generalization_study.hpp>
#include <assay/lindyn/regression.hpp>
#include <assay/lindyn/transfer.hpp>

#include <string>
#include <vector>

namespace assay::lindyn {

// A whole study has one row a point (none without axes), means over repeats and times in its scale;
// a part has the points and students it holds, each with its number, and times in tau.
ASSAY_API void write_study(hdf5::Group group, const Study& study);
[[nodiscard]] ASSAY_API Study read_study(const hdf5::Group& group);
// Throws Error naming the first setting of `part` that differs from those of `first`.
ASSAY_API void check_same_study(const hdf5::Group& part, const hdf5::Group& first);

ASSAY_API void write_data_study(hdf5::Group group, const DataStudy& study, const Student& student,
                                const TimeScale& scale);

ASSAY_API void write_denoised(hdf5::Group group, const Denoised& denoised, const std::string& loss);

// A whole study has means over pairs; a part has those it holds, each with its number.
ASSAY_API void write_transfer(hdf5::Group group, const TransferStudy& study);
// A part, whose theory is computed again. Throws Error on settings that make no sense.
[[nodiscard]] ASSAY_API TransferStudy read_transfer(const hdf5::Group& group, const Execution& run);

struct RegressionResult {
    RegressionSetting setting;
    Vector error; // T
    Minimum optimum;
    double late = 0;
    Matrix repeats; // R x T; empty without check
};
ASSAY_API void write_regression(hdf5::Group group, const Vector& times,
                                const std::vector<RegressionResult>& results,
                                const TimeScale& scale);

} // namespace assay::lindyn
