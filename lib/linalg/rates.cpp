#include <assay/linalg/rates.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

namespace assay::linalg {

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

namespace {

double median_of(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

Seconds median_seconds(Eigen::Index repetitions, const std::function<void()>& body) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> cpu, wall;
    for (Eigen::Index i = 0; i < repetitions; ++i) {
        const double start = cpu_seconds();
        const auto begin = Clock::now();
        body();
        cpu.push_back(cpu_seconds() - start);
        wall.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return {median_of(std::move(cpu)), median_of(std::move(wall))};
}

double gemm_rate() {
    constexpr Eigen::Index size = 1024;
    const Eigen::MatrixXd a = Eigen::MatrixXd::Random(size, size),
                          b = Eigen::MatrixXd::Random(size, size);
    Eigen::MatrixXd c(size, size);
    double best = 1e30;
    for (int i = 0; i < 5; ++i)
        best = std::min(best, median_cpu_seconds(1, [&] { c.noalias() = a * b; }));
    return 2e-9 * size * size * size / best;
}

} // namespace assay::linalg
