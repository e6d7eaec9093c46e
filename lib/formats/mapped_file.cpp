#include <assay/formats/mapped_file.hpp>

#include <assay/core/error.hpp>
#include <assay/hdf5/stream.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace assay::formats {

MappedFile::MappedFile(const std::string& path) {
    const hdf5::Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0) throw Error(path + ": cannot be opened");
    if (!S_ISREG(status.st_mode)) throw Error(path + ": is not a regular file; one is expected");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return;
    void* const start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) throw Error(path + ": cannot be mapped into memory");
    bytes_ = {static_cast<const char*>(start), size};
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

} // namespace assay::formats
