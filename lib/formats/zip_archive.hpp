// Internal to lib/formats: zip archives whose entries are stored or deflated, read through libzip.
// Sizes are checked against what deflate can pack before memory is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct zip; // of libzip

namespace assay::formats {

class ZipArchive {
  public:
    explicit ZipArchive(std::string path); // throws Error where it is no zip archive
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; } // as in the file
    [[nodiscard]] bool has(const std::string& name) const { return places_.count(name) != 0; }
    // A whole entry, checked against its checksum; messages call it `where`.
    [[nodiscard]] std::string read(const std::string& name, const std::string& where) const;
    [[nodiscard]] std::string read(const std::string& name) const {
        return read(name, where(name));
    }
    // Its first bytes, at most `limit`.
    [[nodiscard]] std::string read_start(const std::string& name, const std::string& where,
                                         std::uint64_t limit) const;
    [[nodiscard]] std::string where(const std::string& name) const; // "model.pt:/archive/data.pkl"

  private:
    [[nodiscard]] std::uint64_t place_of(const std::string& name, const std::string& where) const;
    void check_sizes() const;
    std::string path_;
    std::unique_ptr<zip, void (*)(zip*)> archive_;
    std::vector<std::string> names_;
    std::map<std::string, std::uint64_t> places_;
};

} // namespace assay::formats
