// Tensors, factors and ground truth in HDF5: /data/tensor with /data/mask, /truth, and factors
// under any group as mode0, mode1, ... (N_K x r).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/number_reader.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/tensor_amp/tensor.hpp>
#include <assay/tensor_amp/truth.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

inline constexpr const char* kTensorPath = "/data/tensor";
inline constexpr const char* kMaskPath = "/data/mask";
inline constexpr const char* kTruthGroup = "/truth";
inline constexpr const char* kStartGroup = "/init";

// How an array is to be read.
struct TensorReading {
    std::string path = kTensorPath;
    // 1 = observed; empty: the dataset "mask" beside the tensor where there is one.
    std::string mask_path;
    // A mask of another file, in place of both.
    std::optional<hdf5::Dataset> mask;
    bool missing_nan = false; // NaN means unobserved
    double memory_bytes = std::numeric_limits<double>::infinity();
};

template <class Scalar>
struct NamedTensorOf {
    TensorOf<Scalar> tensor;
    std::vector<std::string> mode_names; // from the attribute axes; empty where it names not all
    std::string units;
};
using NamedTensor = NamedTensorOf<double>;

// The words of the attribute axes; empty where they do not name all modes.
[[nodiscard]] ASSAY_API std::vector<std::string> names_of_modes(const hdf5::Dataset& dataset);

// An array of 2 to 8 modes, numbers of any kind, as double or float. Values under the mask are not
// looked at (they may be NaN) and become 0. Throws Error for another order, an empty mode, other
// than numbers, infinite values, NaN that `missing_nan` does not allow (naming the first), a mask
// of another shape or with nothing observed, and where the numbers would take more than
// `memory_bytes`.
template <class Scalar = double>
[[nodiscard]] ASSAY_API NamedTensorOf<Scalar> read_tensor(const hdf5::Group& root,
                                                          const TensorReading& reading);

// The same of numbers from elsewhere, `where` in messages; `observed` as in a tensor.
template <class Scalar>
[[nodiscard]] ASSAY_API TensorOf<Scalar> read_tensor(const NumberReader& read, const Shape& shape,
                                                     std::vector<std::uint8_t> observed,
                                                     bool missing_nan, const std::string& where);

// The flags of a mask from elsewhere; errors as those of read_mask.
[[nodiscard]] ASSAY_API std::vector<std::uint8_t> read_mask(const NumberReader& read,
                                                            const Shape& shape, const Shape& tensor,
                                                            const std::string& where);

// The mask of `reading`: its own, the one at its path, or the dataset "mask" beside the tensor.
[[nodiscard]] ASSAY_API std::optional<hdf5::Dataset> mask_beside(const hdf5::Group& root,
                                                                 const TensorReading& reading);

// Its flags, 1 = observed. Throws Error where it has another shape, or a flag is neither 0 nor 1.
[[nodiscard]] ASSAY_API std::vector<std::uint8_t> read_mask(const hdf5::Dataset& mask,
                                                            const Shape& shape);

enum class TensorPrecision { float32, float64 };
// /data/tensor and, where entries are unobserved, /data/mask; the values of these are written as
// NaN, so that nothing takes them for data.
ASSAY_API void write_tensor(hdf5::Group root, const NamedTensor& named, TensorPrecision precision);

// Datasets mode0, mode1, ... in `group`. Names may be empty.
ASSAY_API void write_factors(hdf5::Group group, const Factors& factors,
                             const std::vector<std::string>& mode_names,
                             const std::string& description);
// All modes that the group has. Throws Error where one is no matrix of finite numbers, or has
// another number of columns than the first.
[[nodiscard]] ASSAY_API Factors read_factors(const hdf5::Group& group);
// The same, for a tensor: throws Error also where they do not fit its shape and, unless it is 0,
// its rank.
[[nodiscard]] ASSAY_API Factors read_factors(const hdf5::Group& group, const Shape& shape,
                                             Index rank);

// /truth/factors/modeK, and the rest as attributes and /truth/slice_noise.
ASSAY_API void write_truth(hdf5::Group group, const Truth& truth);
[[nodiscard]] ASSAY_API Truth read_truth(const hdf5::Group& group);

// A list of words as one JSON attribute (or a dataset where it is long).
ASSAY_API void write_words(hdf5::Group& group, const std::string& name,
                           const std::vector<std::string>& words);
// Empty where there is none; throws Error where it is no JSON list of words.
[[nodiscard]] ASSAY_API std::vector<std::string> read_words(const hdf5::Group& group,
                                                            const std::string& name);

} // namespace assay::tensor_amp
