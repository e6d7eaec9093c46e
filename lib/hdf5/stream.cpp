#include <assay/hdf5/stream.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/descriptors.hpp>
#include <assay/hdf5/foreign.hpp>
#include <assay/hdf5/tree.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace assay::hdf5 {
namespace {

namespace fs = std::filesystem;

constexpr std::array<unsigned char, 8> kSignature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kPipeChunk = std::size_t{1} << 20U;

std::string stream_directory(const StreamSettings& settings) {
    const bool roomy = access(settings.memory_directory.c_str(), W_OK) == 0 &&
                       free_bytes(settings.memory_directory).value_or(0) > settings.memory_bytes;
    return roomy ? settings.memory_directory : settings.spill_directory;
}

// A file system may name its data by path only; the library needs a name to open.
std::string descriptor_path(int descriptor) {
    return "/proc/self/fd/" + std::to_string(descriptor);
}

std::pair<std::string, std::string> directory_and_name(const std::string& target) {
    const fs::path path(target);
    const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
    return {directory, path.filename().string()};
}

bool is_special(const std::string& target) {
    struct stat status {};
    return target == "-" || (stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
                             !S_ISDIR(status.st_mode));
}

// Tells machines apart that share a folder.
std::string host_tag() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return digest_of(name.data()).substr(0, 8);
}

// Outputs that a killed run of this machine left behind: .<name>.<pid>-<host>.tmp whose process is
// gone.
void remove_stale(const std::string& directory, const std::string& name) {
    std::error_code ignored;
    const std::string prefix = "." + name + ".", suffix = "-" + host_tag() + ".tmp";
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        const std::string found = entry.path().filename().string();
        if (!starts_with(found, prefix) || !ends_with(found, suffix) ||
            found.size() < prefix.size() + suffix.size())
            continue;
        const auto pid = parse_integer(
            found.substr(prefix.size(), found.size() - prefix.size() - suffix.size()));
        if (pid && *pid > 0 && kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH)
            fs::remove(entry.path(), ignored);
    }
}

void sync_directory(const std::string& directory) {
    const Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (descriptor.get() >= 0) fsync(descriptor.get());
}

// Gives a finished file its name; a target that came to be meanwhile is not replaced unasked.
void publish(const std::string& temporary, const std::string& target, const std::string& name,
             Existing existing) {
    const Descriptor written(open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
    if (written.get() < 0 || repeated([&] { return fsync(written.get()); }) != 0)
        throw Error(name + ": cannot be written to disk (" + system_reason() + ")");
    const unsigned flags = existing == Existing::refuse ? RENAME_NOREPLACE : 0;
    int failed = renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), flags);
    // Some file systems know plain renaming only.
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS))
        failed = rename(temporary.c_str(), target.c_str());
    if (failed != 0) throw Error(name + ": cannot take its name (" + system_reason() + ")");
    sync_directory(directory_and_name(target).first);
}

// The file that a symbolic link names, so that the link stays.
std::string link_target(const std::string& target) {
    std::error_code error;
    if (!fs::is_symlink(target, error)) return target;
    const fs::path resolved = fs::weakly_canonical(target, error);
    return error ? target : resolved.string();
}

std::string temporary_name(const std::string& target) {
    const auto [directory, name] = directory_and_name(target);
    remove_stale(directory, name);
    return directory + "/." + name + "." + std::to_string(getpid()) + "-" + host_tag() + ".tmp";
}

} // namespace

Address Address::parse(const std::string& text) {
    const std::size_t colon = text.rfind(":/");
    if (colon == std::string::npos || colon == 0 || fs::exists(fs::path(text))) return {text, ""};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) close(fd_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

bool has_hdf5_signature(int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0) return false;
    std::array<unsigned char, 8> bytes{};
    for (off_t at = 0; at + 8 <= status.st_size; at = at == 0 ? 512 : at * 2)
        if (pread(descriptor, bytes.data(), bytes.size(), at) == 8 && bytes == kSignature)
            return true;
    return false;
}

namespace {

// A file of a later major format than ours would be misread.
void check_format(const Group& root) {
    const std::string format = root.text_attribute("format").value_or("");
    if (starts_with(format, "assay/") && format != kFormat)
        throw Error(root.where() + ": has the format " + printable(format, 40) + "; " + kFormat +
                    " is expected (a later version of assay wrote it)");
}

} // namespace

InputFile::InputFile(const Address& address, const StreamSettings& settings)
    : name_(address.name()) {
    if (address.is_stream()) {
        open_stdin(settings);
        return;
    }
    std::error_code error;
    if (fs::is_directory(address.file, error))
        throw Error(name_ + ": is a directory; a file is expected");
    descriptor_ = open_waiting(address.file, O_RDONLY);
    if (descriptor_.get() < 0) throw Error(name_ + ": cannot be opened (" + system_reason() + ")");
    struct stat status {};
    fstat(descriptor_.get(), &status);
    if (S_ISFIFO(status.st_mode)) {
        const Descriptor source = std::move(descriptor_);
        receive_from(source.get(), settings);
        return;
    }
    if (S_ISREG(status.st_mode) && status.st_size == 0)
        throw Error(name_ + ": is empty; an HDF5 file is expected");
    if (!has_hdf5_signature(descriptor_.get())) {
        std::array<char, 8> start{};
        const ssize_t got = pread(descriptor_.get(), start.data(), start.size(), 0);
        throw Error(name_ + ": is not an HDF5 file (starts with \"" +
                    printable({start.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))}) +
                    "\")");
    }
    check_foreign_metadata(address.file, name_);
    file_ = File::open(address.file, name_);
    check_format(root());
}

InputFile::InputFile(const Receive& receive, std::string name, const StreamSettings& settings)
    : name_(std::move(name)) {
    receive_stream(receive, settings);
}

// By way of a file: its structure is then looked at in a child of its own, as that of any other.
InputFile::InputFile(const std::string& content, std::string name, const StreamSettings& settings)
    : name_(std::move(name)) {
    auto [descriptor, path] = temporary_in(stream_directory(settings));
    try {
        if (!write_all(descriptor.get(), content.data(), content.size()))
            throw Error(name_ + ": cannot be stored (" + system_reason() + ")");
        if (!has_hdf5_signature(descriptor.get())) throw Error(name_ + ": is not an HDF5 file");
        check_foreign_metadata(path, name_);
        file_ = File::open(path, name_);
    } catch (...) {
        unlink(path.c_str());
        throw;
    }
    unlink(path.c_str());
    descriptor_ = std::move(descriptor);
    check_format(root());
}

void InputFile::open_stdin(const StreamSettings& settings) {
    struct stat status {};
    if (fstat(STDIN_FILENO, &status) != 0)
        throw Error("stdin: is closed; a file or a stream is expected");
    if (isatty(STDIN_FILENO) != 0)
        throw Error("stdin: is a terminal; name an input file or connect a pipe");
    if (S_ISREG(status.st_mode) && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0) {
        descriptor_ = Descriptor(dup(STDIN_FILENO));
        if (status.st_size == 0)
            throw Error("stdin: empty stream; the previous command wrote nothing");
        if (!has_hdf5_signature(descriptor_.get())) throw Error("stdin: is not an HDF5 file");
        check_foreign_metadata(descriptor_path(STDIN_FILENO), name_);
        file_ = File::open(descriptor_path(STDIN_FILENO), name_);
        check_format(root());
        return;
    }
    receive_from(STDIN_FILENO, settings);
}

void InputFile::receive_from(int source, const StreamSettings& settings) {
#ifdef F_SETPIPE_SZ
    fcntl(source, F_SETPIPE_SZ, static_cast<int>(kPipeChunk));
#endif
    receive_stream(
        [&](char* bytes, std::size_t most) { return read_some(source, bytes, most, name_); },
        settings);
}

void InputFile::receive_stream(const Receive& read, const StreamSettings& settings) {
    std::vector<char> buffer(kPipeChunk);
    const auto receive = [&](std::size_t at) {
        return read(buffer.data() + at, buffer.size() - at);
    };
    // The first bytes tell whether this is HDF5 at all, before anything is stored. MATLAB puts 512
    // bytes of its own before them.
    constexpr std::string_view kMatlab = "MATLAB 7";
    std::size_t held = 0;
    for (std::size_t got = 1; held < kSignature.size() && got > 0; held += got) got = receive(held);
    if (held == 0) throw Error(name_ + ": empty stream; the previous command wrote nothing");
    const bool hdf5 = held >= kSignature.size() &&
                      (std::memcmp(buffer.data(), kSignature.data(), kSignature.size()) == 0 ||
                       starts_with({buffer.data(), held}, kMatlab));
    if (!hdf5)
        throw Error(name_ + ": not an HDF5 stream (starts with \"" +
                    printable({buffer.data(), std::min<std::size_t>(held, 8)}) +
                    "\"); did the previous command fail?");

    auto stored = temporary_in(stream_directory(settings));
    // References: clang does not let a lambda capture structured bindings.
    Descriptor& descriptor = stored.first;
    std::string& path = stored.second;
    bool spilled = starts_with(path, settings.spill_directory + "/");
    std::int64_t total = 0;
    const auto remove = [](const std::string& name) { unlink(name.c_str()); };
    const auto spill = [&] {
        auto [disk, disk_path] = temporary_in(settings.spill_directory);
        std::vector<char> copy(kPipeChunk);
        for (off_t at = 0; at < total;) {
            const ssize_t got =
                repeated([&] { return pread(descriptor.get(), copy.data(), copy.size(), at); });
            if (got <= 0 || !write_all(disk.get(), copy.data(), static_cast<std::size_t>(got))) {
                remove(disk_path);
                throw Error(name_ + ": cannot be stored in " + settings.spill_directory + " (" +
                            system_reason() + ")");
            }
            at += got;
        }
        remove(path);
        descriptor = std::move(disk);
        path = disk_path;
        spilled = true;
    };
    try {
        while (held > 0) {
            if (!spilled && total + static_cast<std::int64_t>(held) > settings.memory_bytes)
                spill();
            if (!write_all(descriptor.get(), buffer.data(), held)) {
                if (spilled || errno != ENOSPC)
                    throw Error(name_ + ": cannot be stored (" + system_reason() + ")");
                if (repeated([&] { return ftruncate(descriptor.get(), total); }) != 0)
                    throw Error(name_ + ": cannot be stored");
                spill();
                if (!write_all(descriptor.get(), buffer.data(), held))
                    throw Error(name_ + ": cannot be stored (" + system_reason() + ")");
            }
            total += static_cast<std::int64_t>(held);
            held = receive(0);
        }
        check_foreign_metadata(path, name_);
        file_ = File::open(path, name_);
    } catch (...) {
        remove(path);
        throw;
    }
    remove(path);
    descriptor_ = std::move(descriptor);
    check_format(root());
}

const std::string& InputFile::digest() const {
    if (digest_.empty())
        digest_ = at_place(name_, [&] {
            return root().text_attribute("format") == kFormat ? content_digest(root())
                                                              : digest_of_file(descriptor_.get());
        });
    return digest_;
}

void check_target(const std::string& target, Existing existing) {
    if (is_special(target)) return;
    const auto [directory, name] = directory_and_name(target);
    std::error_code error;
    if (name.empty() || fs::is_directory(target, error))
        throw Error(target + ": is a directory; a file name is expected");
    if (!fs::is_directory(directory, error))
        throw Error(target + ": the directory " + directory + " does not exist");
    if (fs::exists(target, error) && existing == Existing::refuse)
        throw Error(target + ": exists already; --force replaces it");
    if (access(directory.c_str(), W_OK) != 0)
        throw Error(target + ": the directory " + directory + " is not writable");
}

Compression compression_of(const std::string& target, Compression wanted) {
    return wanted == Compression::automatic && is_special(target) ? Compression::none : wanted;
}

OutputFile::OutputFile(const std::string& target, Existing existing, Compression compression,
                       const StreamSettings& settings)
    : target_(link_target(target)), name_(target == "-" ? "stdout" : target), existing_(existing),
      streamed_(is_special(target)) {
    check_target(target, existing);
    if (streamed_) {
        auto [descriptor, path] = temporary_in(stream_directory(settings));
        descriptor_ = std::move(descriptor);
        temporary_ = path;
    } else {
        temporary_ = temporary_name(target_);
    }
    try {
        file_ = File::create(temporary_, name_, compression_of(target, compression));
    } catch (...) {
        unlink(temporary_.c_str());
        throw;
    }
    if (streamed_) {
        unlink(temporary_.c_str());
        temporary_.clear();
    }
}

OutputFile::~OutputFile() {
    file_.reset();
    if (!temporary_.empty()) unlink(temporary_.c_str());
}

void OutputFile::commit() {
    file_->close();
    if (streamed_) {
        send_stream();
        return;
    }
    publish(temporary_, target_, name_, existing_);
    temporary_.clear();
}

void OutputFile::send_stream() {
    const bool standard = target_ == "-";
    const Descriptor opened =
        standard ? Descriptor(dup(STDOUT_FILENO)) : open_waiting(target_, O_WRONLY);
    if (opened.get() < 0) throw Error(name_ + ": cannot be written (" + system_reason() + ")");
    struct stat status {};
    fstat(descriptor_.get(), &status);
    off_t at = 0;
#ifdef F_SETPIPE_SZ
    fcntl(opened.get(), F_SETPIPE_SZ, static_cast<int>(kPipeChunk));
#endif
    // splice moves pages into a pipe without copying; anything but a pipe refuses, and is written
    // to.
    while (at < status.st_size) {
        wait_for(opened.get(), POLLOUT);
        const ssize_t moved = splice(descriptor_.get(), &at, opened.get(), nullptr, kPipeChunk, 0);
        if (moved < 0 && errno == EINTR) {
            stop_if_interrupted();
            continue;
        }
        if (moved <= 0) break;
    }
    std::vector<char> buffer(kPipeChunk);
    while (at < status.st_size) {
        const ssize_t got =
            repeated([&] { return pread(descriptor_.get(), buffer.data(), buffer.size(), at); });
        if (got <= 0 || !write_all(opened.get(), buffer.data(), static_cast<std::size_t>(got)))
            throw Error(name_ + ": cannot be written (" + system_reason() + ")");
        at += got;
    }
}

void write_file_atomically(const std::string& target, const std::string& content,
                           Existing existing) {
    if (is_special(target)) {
        const Descriptor opened =
            target == "-" ? Descriptor(dup(STDOUT_FILENO)) : open_waiting(target, O_WRONLY);
        if (opened.get() < 0 || !write_all(opened.get(), content.data(), content.size()))
            throw Error((target == "-" ? "stdout" : target) + ": cannot be written (" +
                        system_reason() + ")");
        return;
    }
    check_target(target, existing);
    const std::string named = link_target(target), temporary = temporary_name(named);
    try {
        {
            const Descriptor opened(
                open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
            if (opened.get() < 0 || !write_all(opened.get(), content.data(), content.size()))
                throw Error(target + ": cannot be written (" + system_reason() + ")");
        }
        publish(temporary, named, target, existing);
    } catch (...) {
        unlink(temporary.c_str());
        throw;
    }
}

} // namespace assay::hdf5
