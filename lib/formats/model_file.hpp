// Trained networks in whatever file they were saved: assay's own HDF5, Keras HDF5 and .keras,
// PyTorch (both forms), safetensors, npz. The kind of file is told from its content; nothing in a
// file is ever executed.
#pragma once

#include <assay/core/export.hpp>
#include <assay/formats/recording_file.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/network/model.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace assay::formats {

struct ModelOptions {
    // JSON text: an assay architecture, or a Keras model as `to_json` writes it. Needed where a
    // file has weights only; empty for none.
    std::string architecture;
    std::string key;  // of a PyTorch file: the entry that holds the state dict, "ema.model"
    std::string cell; // rnn-tanh, rnn-relu, gru, lstm, ... where the file does not tell
    // What stands in for a Keras class or activation of that name: identity, or an activation.
    std::vector<std::pair<std::string, std::string>> treat;
    std::string keras_backend; // "theano" or "tensorflow", where the file does not tell
    std::string keras1_bn;     // "std": Keras before 1.1, whose running_std is no variance
    double forget_bias = 1;    // of cells of TensorFlow 1, whose files do not hold it
    std::string checkpoint;    // which of a run's: a step or "last"; empty: /model
};

struct OpenedModel {
    network::Model model;
    std::string kind;               // "keras-h5", "torch-zip", ...: a name out of model_kinds()
    std::vector<std::string> notes; // what was assumed or not understood, a line each
    std::vector<std::pair<std::string, std::string>> metadata;
    // Of the numbers of "layer/array" in the file; none of arrays that it does not hold.
    std::map<std::string, std::string> types;
};

// Throws Error that names the file, the place in it, what was found and what was expected. An
// address may name the group of an HDF5 file that holds the model.
[[nodiscard]] ASSAY_API OpenedModel open_model(const hdf5::Address& address,
                                               const ModelOptions& options, const Opener& opener);

[[nodiscard]] ASSAY_API std::vector<std::string> model_kinds();

} // namespace assay::formats
