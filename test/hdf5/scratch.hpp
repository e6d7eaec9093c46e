// What the tests of lib/hdf5 share: a folder of their own, and files as plain bytes.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace hdf5_test {

// Removed at the end.
struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() /
        ("assay-hdf5-" + std::to_string(getpid()) + "-" + std::to_string(counter++));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
    [[nodiscard]] std::string folder(const std::string& name) const {
        std::filesystem::create_directories(path / name);
        return file(name);
    }
    static inline int counter = 0;
};

inline std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
}

} // namespace hdf5_test
