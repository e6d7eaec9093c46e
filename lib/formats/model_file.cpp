#include <assay/formats/model_file.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/model_parts.hpp>
#include <assay/network/layer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace assay::formats {
namespace {

// In the order in which they are asked; a new format is one entry.
constexpr std::array<const ModelFormat*, 8> kFormats{&kAssayModel, &kKerasHdf5,   &kKerasArchive,
                                                     &kTorchZip,   &kTorchStream, &kSafetensors,
                                                     &kTorchTar,   &kNpzModel};

constexpr std::size_t kStart = 512; // enough for the marks of every format

// Empty for what HDF5 should open: HDF5 files, streams, and files whose opening says what is wrong.
std::optional<ModelSource> other_source(const hdf5::Address& address) {
    struct stat status {};
    // A pipe must not be opened twice: its writer would see the first end of it closed.
    if (address.is_stream() || stat(address.file.c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode) || status.st_size == 0)
        return std::nullopt;
    const hdf5::Descriptor file(open(address.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 || hdf5::has_hdf5_signature(file.get())) return std::nullopt;
    ModelSource source;
    source.address = address;
    source.size = static_cast<std::uint64_t>(status.st_size);
    source.start.resize(kStart);
    const ssize_t got = pread(file.get(), source.start.data(), kStart, 0);
    source.start.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return source;
}

[[noreturn]] void refuse(const ModelSource& source) {
    const std::string found =
        source.root != nullptr  ? "it holds " + join(source.root->names(), ", ")
        : source.zip != nullptr ? "it holds " + join(source.zip->names(), ", ")
                                : "starts with \"" + source.start.substr(0, 16) + "\"";
    throw Error(source.name() + ": is no model in a known form (" + printable(found, 150) +
                "); one of " + join(model_kinds(), ", ") + " is expected");
}

const ModelFormat& format_of(const ModelSource& source) {
    const auto* const found =
        std::find_if(kFormats.begin(), kFormats.end(),
                     [&](const ModelFormat* format) { return format->recognises(source); });
    if (found == kFormats.end()) refuse(source);
    return **found;
}

// "[17,2] of 190 x 64": where an entry stands.
std::string place_in(const network::Shape& shape, Index entry) {
    std::vector<std::string> indices;
    for (std::size_t axis = shape.size(); axis-- > 0; entry /= shape[axis])
        indices.insert(indices.begin(), concat(entry % shape[axis]));
    return "[" + join(indices, ",") + "] of " + network::shape_text(shape);
}

void expect_finite(const network::Model& model, const std::string& file) {
    for (const auto& p : model.parameters) {
        const auto bad = std::find_if(p.values.begin(), p.values.end(),
                                      [](double value) { return !std::isfinite(value); });
        if (bad != p.values.end())
            throw Error(concat(file, ": ", p.name, " of layer '", p.layer, "' is ", shortest(*bad),
                               " at index ", bad - p.values.begin(), ", ",
                               place_in(p.shape, bad - p.values.begin()),
                               "; finite numbers are expected"));
    }
}

OpenedModel read_model_of(const ModelSource& source, const ModelOptions& options) {
    OpenedModel opened;
    const ModelFormat& format = format_of(source);
    opened.kind = format.kind;
    format.read(source, options, opened);
    expect_finite(opened.model, source.name());
    return opened;
}

} // namespace

std::vector<std::string> model_kinds() {
    std::vector<std::string> kinds;
    for (const ModelFormat* format : kFormats) kinds.emplace_back(format->kind);
    return kinds;
}

void keep_parameter(OpenedModel& opened, const std::string& layer, const std::string& name,
                    DenseArray array) {
    if (!array.type.empty()) opened.types[layer + "/" + name] = std::move(array.type);
    opened.model.parameters.push_back(
        {layer, name, std::move(array.shape), std::move(array.values)});
}

OpenedModel open_model(const hdf5::Address& address, const ModelOptions& options,
                       const Opener& opener) {
    auto source = other_source(address);
    if (!source) {
        const hdf5::Group root = opener.hdf5(address).root();
        ModelSource file;
        file.address = address;
        file.root = &root;
        return read_model_of(file, options);
    }
    opener.foreign(address.file);
    if (!address.path.empty())
        throw Error(address.file + ": is no HDF5 file; no path in it (" +
                    printable(address.path, 60) + ") is expected");
    std::optional<ZipArchive> zip;
    if (starts_with(source->start, "PK\x03\x04")) source->zip = &zip.emplace(address.file);
    return read_model_of(*source, options);
}

} // namespace assay::formats
