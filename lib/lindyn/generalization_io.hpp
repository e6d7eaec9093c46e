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

// A whole study has one row a point (none without axes) and means over repeats; a part has the
// points and students it holds, each with its number.
ASSAY_API void write_study(hdf5::Group group, const Study& study);
[[nodiscard]] ASSAY_API Study read_study(const hdf5::Group& group);
// Throws Error naming the first setting of `part` that differs from those of `first`.
ASSAY_API void check_same_study(const hdf5::Group& part, const hdf5::Group& first);

ASSAY_API void write_data_study(hdf5::Group group, const DataStudy& study, const Student& student);

ASSAY_API void write_denoised(hdf5::Group group, const Denoised& denoised, const std::string& loss);

// Simulated pairs, empty without check: repeats x points.
struct TransferCheck {
    Matrix benefit, alone, joint;
};
ASSAY_API void write_transfer(hdf5::Group group, const TransferSetting& setting,
                              const Transfer& transfer, const TransferCheck& check);
ASSAY_API void write_transfer_grid(hdf5::Group group, const TransferSetting& setting,
                                   const TransferGrid& grid, const TransferCheck& check);

struct RegressionResult {
    RegressionSetting setting;
    Vector error; // T
    Minimum optimum;
    double late = 0;
    Matrix repeats; // R x T; empty without check
};
ASSAY_API void write_regression(hdf5::Group group, const Vector& times,
                                const std::vector<RegressionResult>& results);

} // namespace assay::lindyn
