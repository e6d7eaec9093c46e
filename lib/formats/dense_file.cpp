#include <assay/formats/dense_file.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/mapped_file.hpp>

#include <utility>
#include <variant>

namespace assay::formats {
namespace {

std::string plain_name(std::string path) {
    while (starts_with(path, "/")) path.erase(0, 1);
    return path;
}

// `name`, or the only one there is.
std::string chosen(const std::string& name, const std::vector<std::string>& names,
                   const std::string& file) {
    if (!name.empty()) return name;
    if (names.size() == 1) return names.front();
    throw Error(file + ": holds " +
                (names.empty() ? std::string("no array of numbers")
                               : "several arrays: " + printable(join(names, ", "), 150) +
                                     "; FILE:/NAME is expected"));
}

void check_size(const hdf5::Shape& shape, double memory, const std::string& where) {
    double bytes = sizeof(double);
    for (const Index length : shape) bytes *= static_cast<double>(length);
    if (bytes > memory)
        throw Error(concat(where, ": ", human_bytes(bytes), " of numbers; --memory is ",
                           human_bytes(memory), ", and only HDF5 is read in parts"));
}

DenseFile dense_of(AnyArray array, std::string name, double memory) {
    if (auto* const dense = std::get_if<DenseArray>(&array)) {
        check_size(dense->shape, memory, name);
        return {std::move(name), std::move(dense->shape), std::move(dense->values)};
    }
    throw Error(name + ": is no dense array of numbers, which is expected");
}

} // namespace

bool is_foreign(const hdf5::Address& address) {
    return file_kind(address) != FileKind::hdf5;
}

std::optional<DenseFile> open_dense(const hdf5::Address& address, const Opener& opener,
                                    double memory) {
    const FileKind kind = file_kind(address);
    if (kind == FileKind::hdf5) {
        const hdf5::Group root = opener.hdf5(address).root();
        if (address.path.empty() || !is_matlab(root, address.path)) return std::nullopt;
        if (root.has_dataset(address.path))
            check_size(root.dataset(address.path).shape(), memory,
                       root.dataset(address.path).where());
        return dense_of(read_matlab73(root, address.path), address.name() + ":" + address.path,
                        memory);
    }
    opener.foreign(address.file);
    const std::string& file = address.file;
    std::string name = plain_name(address.path);
    if (kind == FileKind::npy)
        return dense_of(parse_npy(std::string(MappedFile(file).bytes()), file), file, memory);
    if (kind == FileKind::npz) {
        const NpzArchive archive(file);
        name = chosen(name, archive.members(), file);
        if (const auto shape = archive.shape_of(name)) check_size(*shape, memory, file);
        return dense_of(archive.numbers(name), file + ":/" + name, memory);
    }
    if (kind == FileKind::text)
        throw Error(file + ": is text; an array of HDF5, npy, npz or MATLAB is expected");
    name = chosen(name, matlab5_names(file), file);
    return dense_of(read_matlab5(file, name), file + ":/" + name, memory);
}

} // namespace assay::formats
