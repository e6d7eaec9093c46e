// What work costs on this machine in CPU time, and the rate of matrix products as a yardstick.
#pragma once

#include <assay/core/export.hpp>

#include <Eigen/Core>

#include <functional>

namespace assay::linalg {

// CPU seconds of this process so far, all threads together.
[[nodiscard]] ASSAY_API double cpu_seconds();

// The medians of so many calls: seconds of the processor, of all threads together, and of the
// clock.
struct Seconds {
    double cpu = 0, wall = 0;
};
[[nodiscard]] ASSAY_API Seconds median_seconds(Eigen::Index repetitions,
                                               const std::function<void()>& body);
[[nodiscard]] inline double median_cpu_seconds(Eigen::Index repetitions,
                                               const std::function<void()>& body) {
    return median_seconds(repetitions, body).cpu;
}

// GFLOP/s of double products of 1024 x 1024 matrices on one thread, the best of five.
[[nodiscard]] ASSAY_API double gemm_rate();

} // namespace assay::linalg
