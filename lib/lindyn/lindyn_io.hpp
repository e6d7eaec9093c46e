// Learning problems and results in HDF5: samples (/data/train or /data: inputs P x N1, targets
// P x N3), given statistics (sigma_yx, sigma_xx), linear networks in /model, and /lindyn/...
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/deep_linear.hpp>
#include <assay/lindyn/known_modes.hpp>
#include <assay/lindyn/predict.hpp>
#include <assay/lindyn/problem.hpp>
#include <assay/lindyn/spiked.hpp>
#include <assay/network/model.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

// Samples of a group with `targets` and, unless one-hot, `inputs`; or one dataset, a table of items
// (rows) by features, whose inputs are one-hot. Read in blocks. Throws Error on shapes that do not
// fit, on targets of one dimension and on integer classes; the reading on numbers that are not
// finite.
[[nodiscard]] ASSAY_API std::unique_ptr<SampleSource>
open_samples(const hdf5::Group& root, const std::string& path, bool one_hot);
// Where samples or statistics stand when the address names no path: /data/train, else /data. Empty
// where there is neither.
[[nodiscard]] ASSAY_API std::string data_path(const hdf5::Group& root);
// sigma_yx (N3 x N1) and sigma_xx (N1 x N1; absent: the identity), attribute n_samples,
// output_power.
[[nodiscard]] ASSAY_API bool has_statistics(const hdf5::Group& root, const std::string& path);
[[nodiscard]] ASSAY_API Statistics read_statistics(const hdf5::Group& root, const std::string& path,
                                                   Normalisation normalisation);

// A stack of equal matrices as one dataset; nothing where there is none.
ASSAY_API void write_matrices(hdf5::Group& group, const std::string& name,
                              const std::vector<Matrix>& stack, const hdf5::ArrayInfo& info);

ASSAY_API void write_modes(hdf5::Group group, const Problem& problem, const NoiseReport& noise);
// `group` is /lindyn/modes.
[[nodiscard]] ASSAY_API Problem read_modes(const hdf5::Group& group);

// `scale`: of the prediction's times.
ASSAY_API void write_prediction(hdf5::Group group, const Prediction& prediction,
                                const PredictSettings& settings, const Modes& modes,
                                const TimeScale& scale);

// A network that the theory is not of.
class ASSAY_API NotLinear : public Error {
  public:
    using Error::Error;
};
// The weight matrices of a chain of dense layers. Throws NotLinear naming the layer that has a bias
// or is not linear, Error where layers do not chain.
[[nodiscard]] ASSAY_API Layers read_layers(const network::Model& model);
// The same as a model: dense layers layer1, layer2, ... without biases.
[[nodiscard]] ASSAY_API network::Model model_of(const Layers& layers);

// /truth/mode by falling eigenvalue (of each mode, or of its /truth/mode_level), where it is.
[[nodiscard]] ASSAY_API std::optional<KnownModes> read_known_modes(const hdf5::Group& root);
// /truth/W (N3 x N1), where it is.
[[nodiscard]] ASSAY_API std::optional<Matrix> read_target_map(const hdf5::Group& root);

} // namespace assay::lindyn
