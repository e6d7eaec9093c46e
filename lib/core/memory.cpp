#include <assay/core/memory.hpp>

#include <malloc.h>

namespace assay {

void release_free_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

} // namespace assay
