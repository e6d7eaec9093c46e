#include <assay/hdf5/descriptors.hpp>

#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace assay::hdf5 {

std::string system_reason() {
    return std::strerror(errno);
}

void stop_if_interrupted() {
    if (InterruptionGuard::requested()) throw Interrupted("interrupted");
}

bool write_all(int descriptor, const char* data, std::size_t bytes) {
    while (bytes > 0) {
        const ssize_t written = write(descriptor, data, bytes);
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
