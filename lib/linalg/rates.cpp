#include <assay/linalg/rates.hpp>

#include <algorithm>
#include <ctime>
#include <vector>

namespace assay::linalg {

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double median_cpu_seconds(Eigen::Index repetitions, const std::function<void()>& body) {
    std::vector<double> seconds;
    for (Eigen::Index i = 0; i < repetitions; ++i) {
        const double start = cpu_seconds();
        body();
        seconds.push_back(cpu_seconds() - start);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds.empty() ? 0 : seconds[seconds.size() / 2];
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
