// Internal to lib/formats: what the readers of single model formats share.
#pragma once

#include <assay/formats/arrays.hpp>
#include <assay/formats/model_file.hpp>
#include <assay/formats/zip_archive.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::formats {

// A file as the readers get it: opened once, of the form that its first bytes tell.
struct ModelSource {
    hdf5::Address address;
    std::string start;                 // its first bytes
    std::uint64_t size = 0;            // bytes
    const hdf5::Group* root = nullptr; // of an HDF5 file
    const ZipArchive* zip = nullptr;   // of a zip archive
    [[nodiscard]] std::string name() const { return address.name(); }
};

struct ModelFormat {
    const char* kind;
    bool (*recognises)(const ModelSource&);
    void (*read)(const ModelSource&, const ModelOptions&, OpenedModel&); // sets all but the kind
};

// One entry a file format; each stands in the file that reads it.
extern const ModelFormat kAssayModel, kKerasHdf5, kKerasArchive, kTorchZip, kTorchStream, kTorchTar,
    kSafetensors, kNpzModel;

// Arrays as a file names them, in its order.
struct NamedArray {
    std::string name;
    DenseArray array;
};
using NamedArrays = std::vector<NamedArray>;

// Adds an array to the model, and its type.
void keep_parameter(OpenedModel& opened, const std::string& layer, const std::string& name,
                    DenseArray array);

} // namespace assay::formats
