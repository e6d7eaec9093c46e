// Files that arrive on stdin, leave on stdout, or take their final name only once they are whole.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace assay::hdf5 {

// FILE, FILE:/path/in/file or "-" (the stream), perhaps with :/path. A colon only separates when
// "/" follows and the whole is not itself the name of a file.
struct Address {
    std::string file;
    std::string path; // empty where none was given
    [[nodiscard]] bool is_stream() const { return file == "-"; }
    [[nodiscard]] std::string name() const { return is_stream() ? "stdin" : file; }
    static ASSAY_API Address parse(const std::string& text);
};

// Where streamed files are kept while a step works on them.
struct StreamSettings {
    std::string memory_directory = "/dev/shm";
    std::string spill_directory = "/tmp";
    std::int64_t memory_bytes = std::int64_t{1}
                                << 30; // beyond this a stream goes to the spill directory
};

// Owns a file descriptor.
class ASSAY_API Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_ = -1;
};

// The first bytes of a file: tells HDF5 (at 0, 512, 1024, ... for user blocks) from other kinds.
[[nodiscard]] ASSAY_API bool has_hdf5_signature(int descriptor);

// An HDF5 file for reading, from disk or from stdin.
class ASSAY_API InputFile {
  public:
    // Throws Error that names the file: missing, a directory, not HDF5, damaged, an empty or
    // foreign stream.
    InputFile(const Address& address, const StreamSettings& settings);
    // A stream that comes some bytes at a time: `receive` puts at most so many at a place and
    // returns how many, 0 at the end.
    using Receive = std::function<std::size_t(char* bytes, std::size_t most)>;
    InputFile(const Receive& receive, std::string name, const StreamSettings& settings);
    // An HDF5 file that stood inside another one; `name` is what messages call it.
    InputFile(const std::string& content, std::string name, const StreamSettings& settings);
    [[nodiscard]] const File& file() const { return *file_; }
    [[nodiscard]] Group root() const { return file_->root(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& digest() const; // computed on first use

  private:
    void open_stdin(const StreamSettings& settings);
    void receive_from(int source, const StreamSettings& settings);
    void receive_stream(const Receive& receive, const StreamSettings& settings);
    std::string name_;
    Descriptor descriptor_;
    std::optional<File> file_;
    mutable std::string digest_;
};

enum class Existing { refuse, replace };

// What is written to `target` under this setting: nothing automatic in a stream.
[[nodiscard]] ASSAY_API Compression compression_of(const std::string& target, Compression wanted);

// An HDF5 file in the making. Nothing stands under its name until commit(); if it is destroyed
// before, all is removed.
class ASSAY_API OutputFile {
  public:
    // target "-" (or a device or pipe) is sent as a stream at commit. Throws Error where the target
    // exists and must not be replaced, or its directory is missing or closed to us.
    OutputFile(const std::string& target, Existing existing, Compression compression,
               const StreamSettings& settings);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    [[nodiscard]] Group root() const { return file_->root(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    void commit();

  private:
    void send_stream();
    std::string target_;
    std::string name_;
    Existing existing_;
    std::string temporary_; // empty once nothing is left to remove
    bool streamed_ = false;
    Descriptor descriptor_;
    std::optional<File> file_;
};

// Throws Error when `target` cannot become an output; used before long work starts.
ASSAY_API void check_target(const std::string& target, Existing existing);

// Writes text under a name atomically (temporary file, fsync, rename); "-" is stdout.
ASSAY_API void write_file_atomically(const std::string& target, const std::string& content,
                                     Existing existing);

} // namespace assay::hdf5
