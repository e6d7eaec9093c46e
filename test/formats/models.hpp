// What the tests of models share: opening a file as a command does.
#pragma once

#include <assay/core/error.hpp>
#include <assay/formats/model_file.hpp>

#include <memory>
#include <string>

inline const std::string kModels = std::string(ASSAY_SOURCE_DIR) + "/test/formats/models/";

inline assay::formats::OpenedModel
open_model_file(const std::string& file, const assay::formats::ModelOptions& options = {}) {
    using namespace assay;
    std::unique_ptr<hdf5::InputFile> input;
    const formats::Opener opener{[&](const hdf5::Address& address) -> hdf5::InputFile& {
                                     input = std::make_unique<hdf5::InputFile>(
                                         address, hdf5::StreamSettings{});
                                     return *input;
                                 },
                                 [](const std::string&) {}};
    return formats::open_model({file, ""}, options, opener);
}

// The message that refuses a file; empty where it is read.
inline std::string model_refusal(const std::string& file,
                                 const assay::formats::ModelOptions& options = {}) {
    try {
        static_cast<void>(open_model_file(file, options));
        return "";
    } catch (const assay::Error& e) {
        return e.what();
    }
}
