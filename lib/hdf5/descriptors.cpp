#include <assay/hdf5/descriptors.hpp>

#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace assay::hdf5 {

std::string system_reason() {
    return std::strerror(errno);
}

void stop_if_interrupted() {
    if (InterruptionGuard::requested()) throw Interrupted("interrupted");
}

Descriptor open_waiting(const std::string& path, int flags) {
    for (;;) {
        Descriptor opened(open(path.c_str(), flags | O_CLOEXEC));
        if (opened.get() >= 0 || errno != EINTR) return opened;
        stop_if_interrupted();
    }
}

void wait_for(int descriptor, short events) {
    // A signal that comes just before the wait does not end it.
    constexpr int kLookEveryMs = 500;
    for (;;) {
        pollfd waited{descriptor, events, 0};
        const int ready = poll(&waited, 1, kLookEveryMs);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return;
        stop_if_interrupted();
    }
}

std::size_t read_some(int descriptor, char* data, std::size_t bytes, const std::string& name) {
    for (;;) {
        stop_if_interrupted();
        wait_for(descriptor, POLLIN);
        const ssize_t got = read(descriptor, data, bytes);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) throw Error(name + ": cannot be read (" + system_reason() + ")");
    }
}

std::optional<std::int64_t> free_bytes(const std::string& directory) {
    struct statvfs status {};
    if (statvfs(directory.c_str(), &status) != 0) return std::nullopt;
    return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

bool write_all(int descriptor, const char* data, std::size_t bytes) {
    struct stat status {};
    const bool pipe = fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
    while (bytes > 0) {
        wait_for(descriptor, POLLOUT);
        // So much a pipe takes without a further wait once it takes anything.
        const std::size_t part = pipe ? std::min<std::size_t>(bytes, PIPE_BUF) : bytes;
        const ssize_t written = write(descriptor, data, part);
        if (written < 0 && errno == EINTR) {
            stop_if_interrupted();
            continue;
        }
        if (written <= 0) return false;
        data += written;
        bytes -= static_cast<std::size_t>(written);
    }
    return true;
}

std::pair<Descriptor, std::string> temporary_in(const std::string& directory) {
    std::string name = directory + "/assay-stream-XXXXXX";
    const int fd = mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0)
        throw Error(directory + ": no temporary file can be made there (" + system_reason() + ")");
    return {Descriptor(fd), name};
}

} // namespace assay::hdf5
