#include <assay/core/memory.hpp>

#include <malloc.h>

namespace assay {

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
