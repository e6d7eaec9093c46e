// Comparisons and diagnoses in HDF5: /tensor_amp/compare and /tensor_amp/diagnose.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/alignment.hpp>
#include <assay/tensor_amp/diagnostics.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

inline constexpr const char* kCompareGroup = "/tensor_amp/compare";
inline constexpr const char* kDiagnoseGroup = "/tensor_amp/diagnose";

// Pairs of components: similarity, partner, score, cosines, signs, unmatched.
ASSAY_API void write_alignment(hdf5::Group group, const Alignment& alignment,
                               SimilarityScore score);

// M and Q of an estimate with a reference.
ASSAY_API void write_overlaps(hdf5::Group group, const PairedOverlaps& overlaps);

// The alignment; overlaps M and Q, mse, signal_error and, where there are posterior variances,
// calibration by mode.
ASSAY_API void write_truth_comparison(hdf5::Group group, const TruthComparison& comparison,
                                      SimilarityScore score);

ASSAY_API void write_diagnosis(hdf5::Group group, const Diagnosis& diagnosis,
                               const std::vector<std::string>& mode_names);

} // namespace assay::tensor_amp
