#include <assay/formats/keras_archive.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/keras_model.hpp>
#include <assay/formats/scalar_types.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace assay::formats {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kMetadata = "metadata.json";
constexpr const char* kWeights = "model.weights.h5";

// Arrays stand at <folder>/vars/0, 1, ...; those of a recurrent layer belong to its cell.
class ArchiveWeights : public KerasWeights {
  public:
    explicit ArchiveWeights(const hdf5::Group& root) : root_(root) {}

    [[nodiscard]] KerasArrays of(const KerasPlace& place) const override {
        const std::string folder = own_folder(place);
        for (const char* inside : {"/vars", "/cell/vars"}) {
            KerasArrays arrays = numbered(folder + inside);
            if (!arrays.empty()) return arrays;
        }
        return {};
    }

  private:
    // Later releases note the layer's name; before that the folder's name is all there is.
    [[nodiscard]] std::string own_folder(const KerasPlace& place) const {
        const auto slash = place.folder.rfind('/');
        const std::string parent = place.folder.substr(0, slash);
        if (slash == std::string::npos || named(place.folder, place.names.back()) ||
            !root_.has_group(parent))
            return place.folder;
        for (const auto& sibling : root_.group(parent).names())
            if (named(parent + "/" + sibling, place.names.back())) return parent + "/" + sibling;
        return place.folder;
    }

    [[nodiscard]] bool named(const std::string& folder, const std::string& name) const {
        return root_.has_group(folder + "/vars") &&
               root_.group(folder + "/vars").text_attribute("name") == name;
    }

    [[nodiscard]] KerasArrays numbered(const std::string& path) const {
        KerasArrays arrays;
        if (!root_.has_group(path)) return arrays;
        const hdf5::Group group = root_.group(path);
        for (int i = 0; group.has(std::to_string(i)); ++i) {
            const hdf5::Dataset dataset = group.dataset(std::to_string(i));
            arrays.push_back({"", dense_array(dataset)});
        }
        return arrays;
    }

    const hdf5::Group& root_;
};

bool recognises_keras_archive(const ModelSource& source) {
    return source.zip != nullptr && source.zip->has(kConfig) && source.zip->has(kWeights);
}

void read_keras_metadata(const ZipArchive& zip, OpenedModel& opened) {
    if (!zip.has(kMetadata)) return;
    const auto metadata = network::parse_json(zip.read(kMetadata), zip.where(kMetadata));
    if (!metadata.is_object()) return;
    for (const auto& [key, value] : metadata.items())
        if (value.is_string())
            opened.metadata.emplace_back(key, printable(value.get<std::string>(), 80));
}

void read_keras_archive(const ModelSource& source, const ModelOptions& options,
                        OpenedModel& opened) {
    const ZipArchive& zip = *source.zip;
    read_keras_metadata(zip, opened);
    const hdf5::InputFile file(zip.read(kWeights), zip.where(kWeights), hdf5::StreamSettings{});
    const hdf5::Group root = file.root();
    at_place(source.name(), [&] {
        fill_from_keras(zip.read(kConfig), ArchiveWeights(root), {3, ""}, options, opened);
    });
}

} // namespace

bool is_keras_v3_weights(const hdf5::Group& root) {
    return root.has_group("layers") && !root.has_attribute("layer_names") &&
           !root.has_attribute("model_config");
}

void read_keras_v3_weights(const hdf5::Group& root, const ModelOptions& options,
                           OpenedModel& opened) {
    if (options.architecture.empty())
        throw Error(root.where() + ": weights only: give --architecture (the model's to_json)");
    at_place(root.where(), [&] {
        fill_from_keras(options.architecture, ArchiveWeights(root), {3, ""}, options, opened);
    });
}

const ModelFormat kKerasArchive{"keras-v3", recognises_keras_archive, read_keras_archive};

} // namespace assay::formats
