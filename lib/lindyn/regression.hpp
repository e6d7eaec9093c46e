// Gradient descent of a network without hidden layer on random inputs (Advani and Saxe 2017, arXiv
// 1710.03667): y = w.x + noise, P samples of N inputs with independent entries of variance 1/N,
// load P/N, statistics as sums over samples. What the student's error exceeds the noise by:
//   E(t) - sigma^2 = int rho(l) [(w^2 + w0^2) e^{-2lt} + (sigma^2/l) (1 - e^{-lt})^2] dl
//                    + max(0, 1 - load) (w^2 + w0^2),
// rho the eigenvalues of X^T X (Marchenko-Pastur, mass min(1, load)); directions that no sample
// spans keep their error.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/lindyn/scalar_search.hpp>
#include <assay/lindyn/shards.hpp>
#include <assay/lindyn/time_scale.hpp>

#include <cstdint>
#include <map>
#include <vector>

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

struct RegressionTheory {
    Vector error; // T, excess
    Minimum optimum;
    double late = 0;
};
// Several loads and simulated data sets of each; those of all, or of a part.
struct RegressionStudy {
    RegressionSetting setting; // its load does not count
    Vector loads;
    Vector time;      // T, tau
    TimeScale scale;  // in which times are written
    Index inputs = 0; // of a simulated data set
    Index repeats = 0;
    std::uint64_t seed = 0;
    StudyPart part;
    std::vector<RegressionTheory> theory; // one a load
    std::map<Index, Vector> draws;        // excess error, by load * repeats + repeat
};
// Throws Error where the setting makes no sense.
[[nodiscard]] ASSAY_API RegressionSetting setting_at(const RegressionStudy& study, Index load);
// The theory of every load.
ASSAY_API void find_theory(RegressionStudy& study);
// Draws the part's data sets.
ASSAY_API void draw_regressions(RegressionStudy& study, const Execution& run);
// The whole from all its parts, which have the same settings. Throws Error where a part or a draw
// is missing or given twice.
[[nodiscard]] ASSAY_API RegressionStudy merge_regressions(std::vector<RegressionStudy> parts);

} // namespace assay::lindyn
