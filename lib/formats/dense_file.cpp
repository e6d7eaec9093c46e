#include <assay/formats/dense_file.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/mapped_file.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::formats {
namespace {

std::string without_root(std::string path) {
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

StoredArray mapped_npy(const std::string& file) {
    const auto mapped = std::make_shared<const MappedFile>(file);
    StoredArray array = npy_array(mapped->bytes(), file);
    array.read = [mapped, read = std::move(array.read)](const NumberBlock& take) { read(take); };
    return array;
}

DenseFile of_npz(const std::string& file, const std::string& name) {
    const auto archive = std::make_shared<const NpzArchive>(file);
    const std::string member = chosen(name, archive->members(), file);
    StoredArray array = archive->array(member);
    array.read = [archive, read = std::move(array.read)](const NumberBlock& take) { read(take); };
    return {file + ":/" + member, std::move(array)};
}

std::optional<DenseFile> of_matlab73(const hdf5::Group& root, const hdf5::Address& address) {
    std::string path = address.path;
    if (path.empty()) {
        const std::vector<std::string> found = matlab73_tensors(root);
        if (found.empty()) return std::nullopt;
        path = "/" + chosen("", found, address.name());
    }
    if (!is_matlab(root, path)) return std::nullopt;
    return DenseFile{address.name() + ":" + path, matlab73_array(root, path)};
}

} // namespace

bool is_foreign(const hdf5::Address& address) {
    return file_kind(address) != FileKind::hdf5;
}

std::optional<DenseFile> open_dense(const hdf5::Address& address, const Opener& opener) {
    const FileKind kind = file_kind(address);
    if (kind == FileKind::hdf5) return of_matlab73(opener.hdf5(address).root(), address);
    opener.foreign(address.file);
    const std::string& file = address.file;
    const std::string name = without_root(address.path);
    if (kind == FileKind::npy) return DenseFile{file, mapped_npy(file)};
    if (kind == FileKind::npz) return of_npz(file, name);
    if (kind == FileKind::text)
        throw Error(file + ": is text; an array of HDF5, npy, npz or MATLAB is expected");
    const std::string variable = name.empty() ? chosen("", matlab5_tensors(file), file) : name;
    return DenseFile{file + ":/" + variable, matlab5_array(file, variable)};
}

} // namespace assay::formats
