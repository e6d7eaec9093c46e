#include <assay/core/parallel.hpp>

#include <assay/core/allowed_threads.hpp>

#include <exception>

namespace assay {

void parallel_blocks(Eigen::Index count, int threads,
                     const std::function<void(Eigen::Index)>& body) {
    if (threads <= 1 || count <= 1) {
        for (Eigen::Index block = 0; block < count; ++block) body(block);
        return;
    }
    std::exception_ptr failure;
    Eigen::Index failed_block = count;
    const int team = static_cast<int>(std::min<Eigen::Index>(threads, count));
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
    for (Eigen::Index block = 0; block < count; ++block) {
        try {
            const AllowedThreads one(1);
            body(block);
        } catch (...) {
#pragma omp critical(assay_parallel_failure)
            if (block < failed_block) {
                failed_block = block;
                failure = std::current_exception();
            }
        }
    }
    if (failure) std::rethrow_exception(failure);
}

} // namespace assay
