// Threads for work that lies below a step's own loops: whoever runs a step says how many threads it
// may use, and products and layers in it share out what is large. Inside a share, and inside the
// blocks of `parallel_blocks`, one thread is allowed, so that nothing is shared out twice.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>

#include <functional>

namespace assay {

// While one lives, what its thread asks for may run on so many threads; one without it.
class ASSAY_API AllowedThreads {
  public:
    explicit AllowedThreads(int threads);
    ~AllowedThreads();
    AllowedThreads(const AllowedThreads&) = delete;
    AllowedThreads& operator=(const AllowedThreads&) = delete;

  private:
    int before_;
};
[[nodiscard]] ASSAY_API int allowed_threads();

// Work worth a second thread: so many numbers read and written (some 40 microseconds).
inline constexpr double kSharedWork = 1 << 17;
// Multiplications and additions of a dense product that take as long as one of those numbers.
inline constexpr double kProductsANumber = 32;

// Calls body(first, count) for contiguous shares of [0, size), some for every thread allowed, which
// take them as they come: on a busy machine nobody waits for a thread that has none. Nothing is
// allocated after the first call. Bodies must not write shared data; the exception of the lowest
// share is rethrown. Precondition: size > 0.
ASSAY_API void run_shares(Eigen::Index size,
                          const std::function<void(Eigen::Index, Eigen::Index)>& body);

// The same where `work` is worth it, else body(0, size) at once. Bits must not depend on the cut.
template <class Body>
void share_out(Eigen::Index size, double work, Body&& body) {
    if (size < 2 || work < kSharedWork || allowed_threads() < 2) {
        body(Eigen::Index{0}, size);
        return;
    }
    run_shares(size, std::ref(body)); // by reference: no copy to allocate
}

} // namespace assay
