#include <assay/core/memory.hpp>

#include <assay/core/control_groups.hpp>
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace assay {

// As far as a control group grants it.
double physical_memory() {
    static const double bytes = std::min(static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                             static_cast<double>(sysconf(_SC_PAGE_SIZE)),
                                         group_memory("/sys/fs/cgroup", "/proc/self/cgroup"));
    return bytes;
}

void check_memory(double bytes, const std::string& what) {
    if (!(bytes <= physical_memory()))
        throw Error(what + ": " + human_bytes(bytes) + "; the machine has " +
                    human_bytes(physical_memory()));
}

void prefer_large_pages(void* data, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
    constexpr std::size_t worth = std::size_t{1} << 25U;
    if (bytes < worth) return;
    // Whole pages within the array.
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGE_SIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(data) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(data) + bytes) / page * page;
    static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
#endif
}

void release_free_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void keep_free_memory() {
#ifdef __GLIBC__
    constexpr int kLargest = 32 << 20; // the most that glibc takes
    mallopt(M_MMAP_THRESHOLD, kLargest);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

} // namespace assay
