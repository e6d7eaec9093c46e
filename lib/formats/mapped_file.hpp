// Internal to lib/formats: a regular file mapped into memory for reading.
#pragma once

#include <string>
#include <string_view>

namespace assay::formats {

class MappedFile {
  public:
    explicit MappedFile(const std::string& path); // throws Error that names the file
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    [[nodiscard]] std::string_view bytes() const { return bytes_; }

  private:
    std::string_view bytes_;
};

} // namespace assay::formats
