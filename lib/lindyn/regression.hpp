// Gradient descent of a network without hidden layer on random inputs (Advani and Saxe 2017, arXiv
// 1710.03667): y = w.x + noise, P samples of N inputs with independent entries of variance 1/N,
// load P/N, statistics as sums over samples. What the student's error exceeds the noise by:
//   E(t) - sigma^2 = int rho(l) [(w^2 + w0^2) e^{-2lt} + (sigma^2/l) (1 - e^{-lt})^2] dl
//                    + max(0, 1 - load) (w^2 + w0^2),
// rho the eigenvalues of X^T X (Marchenko-Pastur, mass min(1, load)); directions that no sample
// spans keep their error.
#pragma once

#include <assay/core/export.hpp>
#include <assay/lindyn/scalar_search.hpp>

#include <cstdint>

namespace assay::lindyn {

struct RegressionSetting {
    double load = 1;   // P/N
    double noise = 1;  // sigma, standard deviation of the noise
    double weight = 1; // w, of the teacher's weights
    double start = 0;  // w0, of the student's first weights
};
// Throws Error on numbers that are negative or not finite, a load of 0, no weight.
ASSAY_API void check_regression(const RegressionSetting& setting);

// The excess error at `times` >= 0 (tau).
[[nodiscard]] ASSAY_API Vector regression_error(const RegressionSetting& setting,
                                                const Vector& times);
// For t -> infinity: sigma^2/(load - 1) above load 1 (infinite at 1), (1 - load)(w^2 + w0^2) +
// sigma^2 load/(1 - load) below.
[[nodiscard]] ASSAY_API double late_regression_error(const RegressionSetting& setting);
// The best time and its excess error; infinite without noise.
[[nodiscard]] ASSAY_API Minimum best_regression_time(const RegressionSetting& setting);
// The best time of an eigenmode of eigenvalue l: ln(1 + l (w^2 + w0^2)/sigma^2) / l.
[[nodiscard]] ASSAY_API double best_eigenmode_time(const RegressionSetting& setting, double l);
// `count` times from 0 to twice the best time of the slowest eigenmode.
[[nodiscard]] ASSAY_API Vector usual_times(const RegressionSetting& setting, Index count = 500);

// The excess error of one drawn data set of N `inputs` and round(load N) samples.
[[nodiscard]] ASSAY_API Vector simulate_regression(const RegressionSetting& setting, Index inputs,
                                                   const Vector& times, std::uint64_t seed,
                                                   Index repeat);

} // namespace assay::lindyn
