// What kind of file this is, and which of its arrays could be a recording.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/recording_file.hpp>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace assay::formats {

namespace {

bool has_ending(const std::string& file, const std::vector<std::string>& endings) {
    return std::any_of(endings.begin(), endings.end(),
                       [&](const std::string& ending) { return ends_with(file, ending); });
}

} // namespace

FileKind file_kind(const hdf5::Address& address) {
    if (address.is_stream()) return FileKind::hdf5;
    struct stat status {};
    if (stat(address.file.c_str(), &status) != 0) return FileKind::hdf5;
    if (S_ISFIFO(status.st_mode) &&
        has_ending(address.file, {".csv", ".tsv", ".txt", ".npy", ".npz"}))
        throw Error(address.file + ": is a pipe; a regular file is expected for text, npy and npz");
    // A pipe must not be opened twice: its writer would see the first end of it closed.
    if (!S_ISREG(status.st_mode) || status.st_size == 0) return FileKind::hdf5;
    const hdf5::Descriptor file(open(address.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return FileKind::hdf5;
    if (hdf5::has_hdf5_signature(file.get())) return FileKind::hdf5;
    std::string start(16, '\0');
    const ssize_t got = pread(file.get(), start.data(), start.size(), 0);
    start.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (starts_with(start, "MATLAB 5.0")) return FileKind::matlab5;
    if (starts_with(start, "\x93NUMPY")) return FileKind::npy;
    if (starts_with(start, "PK\x03\x04")) return FileKind::npz;
    // Text starts with a number, a comment or a short header; anything else is most likely a broken
    // HDF5 file.
    const bool texty = std::all_of(start.begin(), start.end(), [](unsigned char c) {
        return c >= 32 || c == '\n' || c == '\r' || c == '\t';
    });
    return texty && has_ending(address.file, {".csv", ".tsv", ".txt"}) ? FileKind::text
                                                                       : FileKind::hdf5;
}

bool is_time_series(const hdf5::Group& root, const std::string& path) {
    if (!root.has_group(path)) return false;
    const hdf5::Group group = root.group(path);
    return group.has_dataset("data") && (group.has("starting_time") || group.has("timestamps"));
}

std::string series_of(const hdf5::Group& root, const std::string& path) {
    if (!ends_with(path, "/data")) return path;
    const std::string series = path.substr(0, path.size() - 5);
    return !series.empty() && is_time_series(root, series) ? series : path;
}

namespace {

bool is_matrix(const hdf5::Group& root, const std::string& path) {
    const auto dataset = root.dataset(path);
    return dataset.numeric() && dataset.rank() == 2 && dataset.size() > 0;
}

bool is_internal(const std::string& path) {
    return path.find("#refs#") != std::string::npos || starts_with(path, "/truth") ||
           starts_with(path, "/units/");
}

} // namespace

std::vector<std::string> candidates(const hdf5::Group& root) {
    std::vector<std::string> found;
    if (root.has_dataset("/units/spike_times")) found.emplace_back("/units");
    for (const auto& path : root.dataset_paths()) {
        if (is_internal(path)) continue;
        if (root.has_dataset(path) && is_matrix(root, path)) found.push_back(series_of(root, path));
    }
    return found;
}

namespace {

// What is to be named in order to read the dataset at `path`: itself, or the group it belongs to;
// empty for what is neither a recording nor spike times.
std::string readable_path(const hdf5::Group& root, const std::string& path) {
    const std::string folder = path.substr(0, path.rfind('/'));
    if (ends_with(path, "/indptr")) return folder;
    if (ends_with(path, "/jc") && is_matlab(root, folder)) return folder;
    const std::string series = series_of(root, path);
    if (series != path) return series;
    const hdf5::Dataset dataset = root.dataset(path);
    const std::string matlab = dataset.text_attribute("MATLAB_class").value_or("");
    if (dataset.kind() == hdf5::Kind::reference) return matlab == "cell" ? path : "";
    return is_matrix(root, path) && matlab != "char" ? path : "";
}

std::vector<std::string> hdf5_arrays(const hdf5::Group& root) {
    std::vector<std::string> found;
    if (root.has_dataset("/units/spike_times")) found.emplace_back("/units");
    for (const auto& path : root.dataset_paths()) {
        const std::string readable = is_internal(path) ? "" : readable_path(root, path);
        if (!readable.empty()) found.push_back(readable);
    }
    return found;
}

std::vector<std::string> arrays_of(const std::string& file) {
    const hdf5::Address address{file, ""};
    if (address.is_stream() || !std::filesystem::is_regular_file(file)) return {};
    std::vector<std::string> names;
    switch (file_kind(address)) {
    case FileKind::hdf5:
        return hdf5_arrays(hdf5::InputFile(address, hdf5::StreamSettings{}).root());
    case FileKind::matlab5:
        names = matlab5_arrays(file);
        break;
    case FileKind::npz:
        names = NpzArchive(file).matrices();
        break;
    case FileKind::npy:
    case FileKind::text:
        break; // one array, which has no path
    }
    for (auto& name : names) name.insert(0, "/");
    return names;
}

} // namespace

std::vector<std::string> list_arrays(const std::string& file) {
    try {
        return arrays_of(file);
    } catch (const std::exception&) {
        return {};
    }
}

} // namespace assay::formats
