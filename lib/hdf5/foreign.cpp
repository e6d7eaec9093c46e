#include <assay/hdf5/foreign.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <new>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace assay::hdf5 {
namespace {

constexpr unsigned kSeconds = 20; // a hundred times what a file of 10 000 objects takes
constexpr int kOutOfMemory = 2;   // status of the child

// Superblock version 3, and the root's `format` of fixed length says assay/N: every byte of the
// metadata is under a checksum.
bool is_sealed(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::array<unsigned char, 9> start{};
    const bool read_start = descriptor >= 0 && pread(descriptor, start.data(), start.size(), 0) ==
                                                   static_cast<ssize_t>(start.size());
    if (descriptor >= 0) close(descriptor);
    if (!read_start || start[1] != 'H' || start[8] != 3) return false;
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_file_locking(access.get(), false, true);
    const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
    if (file.get() < 0 || H5Aexists(file.get(), "format") <= 0) return false;
    const Handle attribute(H5Aopen(file.get(), "format", H5P_DEFAULT));
    const Handle type(H5Aget_type(attribute.get()));
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0) return false;
    if (H5Tget_size(type.get()) > 64) return false; // no form of ours is longer
    std::string text(H5Tget_size(type.get()), '\0');
    return H5Aread(attribute.get(), type.get(), text.data()) >= 0 && starts_with(text, "assay/");
}

herr_t read_attribute(hid_t object, const char* name, const H5A_info_t*, void*) {
    const Handle attribute(H5Aopen(object, name, H5P_DEFAULT));
    const Handle type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) <= 0) return 0;
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    if (count < 0 || count > (hssize_t{1} << 24)) return 0;
    static_cast<void>(read_strings(attribute.get(), true, count, ""));
    return 0;
}

herr_t visit(hid_t root, const char* name, const H5O_info_t*, void*) {
    const Handle object(H5Oopen(root, name, H5P_DEFAULT));
    if (object.get() < 0) return 0; // a clean error: we shall meet it ourselves
    H5Aiterate2(object.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, read_attribute, nullptr);
    if (H5Iget_type(object.get()) == H5I_DATASET) {
        const Handle space(H5Dget_space(object.get())), type(H5Dget_type(object.get()));
        static_cast<void>(H5Dget_storage_size(object.get()));
    }
    return 0;
}

// The process has its libraries and threads already, a sanitizer's shadow among them: the limit
// counts from there.
void limit_memory(std::int64_t more) {
    std::int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit{};
    if (pages <= 0 || getrlimit(RLIMIT_AS, &limit) != 0) return;
    limit.rlim_cur =
        std::min(limit.rlim_cur, static_cast<rlim_t>(pages * sysconf(_SC_PAGE_SIZE) + more));
    setrlimit(RLIMIT_AS, &limit);
}

// For the library an allocation that fails is an error like others; for us it is the file's lie.
herr_t note_allocation(unsigned, const H5E_error2_t* error, void* refused) {
    if (error->min_num == H5E_NOSPACE || error->min_num == H5E_CANTALLOC)
        *static_cast<bool*>(refused) = true;
    return 0;
}

herr_t leave_without_memory(hid_t stack, void*) {
    bool refused = false;
    H5Ewalk2(stack, H5E_WALK_UPWARD, note_allocation, &refused);
    if (refused) _exit(kOutOfMemory);
    return 0;
}

[[noreturn]] void walk(const std::string& path, std::int64_t memory) {
    // Whoever handles crashes in the parent must not take this one for its own.
    for (const int number : {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
        std::signal(number, SIG_DFL);
    alarm(kSeconds);
    limit_memory(memory);
    H5Eset_auto2(H5E_DEFAULT, leave_without_memory, nullptr);
    try {
        const Handle access(H5Pcreate(H5P_FILE_ACCESS));
        H5Pset_file_locking(access.get(), false, true);
        const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
        if (file.get() >= 0)
            H5Ovisit2(file.get(), H5_INDEX_NAME, H5_ITER_INC, visit, nullptr, H5O_INFO_BASIC);
    } catch (const std::bad_alloc&) {
        _exit(kOutOfMemory);
    } catch (...) { // an error is no crash
    }
    _exit(0);
}

} // namespace

void check_foreign_metadata(const std::string& path, const std::string& name, std::int64_t memory) {
    silence_library();
    if (is_sealed(path)) return;
    const pid_t child = fork();
    if (child < 0) return;
    if (child == 0) walk(path, memory);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        throw Error(name + (WTERMSIG(status) == SIGALRM
                                ? ": reading its structure takes for ever; the file is damaged"
                                : ": its structure crashes the HDF5 library; the file is damaged"));
    if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory)
        throw Error(concat(name, ": reading its structure takes more than ",
                           human_bytes(static_cast<double>(memory)), "; the file is damaged"));
}

} // namespace assay::hdf5
