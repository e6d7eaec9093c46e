// The bytes of a fuzz target as a file of a name, and how readers open it; the file goes with it.
#pragma once

#include <assay/formats/recording_file.hpp>
#include <assay/hdf5/stream.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

namespace fuzz {

class WrittenFile {
  public:
    WrittenFile(const std::uint8_t* data, std::size_t size, const std::string& ending)
        : name_("/tmp/assay-fuzz-" + std::to_string(getpid()) + ending) {
        std::FILE* const out = std::fopen(name_.c_str(), "wb");
        std::fwrite(data, 1, size, out);
        std::fclose(out);
    }
    ~WrittenFile() { unlink(name_.c_str()); }
    WrittenFile(const WrittenFile&) = delete;
    WrittenFile& operator=(const WrittenFile&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] assay::formats::Opener opener() {
        return {[this](const assay::hdf5::Address& address) -> assay::hdf5::InputFile& {
                    if (!input_)
                        input_ = std::make_unique<assay::hdf5::InputFile>(
                            address, assay::hdf5::StreamSettings{});
                    return *input_;
                },
                [](const std::string&) {}};
    }

  private:
    std::string name_;
    std::unique_ptr<assay::hdf5::InputFile> input_;
};

} // namespace fuzz
