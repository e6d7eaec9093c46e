// How many motifs, how long, how strongly separated: fits over a grid, judged by held-out entries
// and by how alike fits from different starts are.
#pragma once

#include <assay/cnmf/fit.hpp>
#include <assay/core/export.hpp>
#include <assay/core/keeping.hpp>

#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace assay::cnmf {

struct SelectPoint {
    Index components = 0;
    Index lags = 0;
    double x_ortho = 0;
};

struct SelectOptions {
    std::vector<SelectPoint> points;
    Index restarts = 5;
    double hold_out = 0.05;
    Index hold_out_block = 1;
    FitOptions fit; // everything else
};

inline constexpr double kUnmeasured = std::numeric_limits<double>::quiet_NaN();

// One row a repetition of a point.
struct SelectRow {
    SelectPoint point;
    Index repetition = 0;
    // Of the fit that did not see the held-out entries; NaN where none were held out.
    double train_loss = kUnmeasured, test_loss = kUnmeasured;
    double full_loss = 0;     // of the fit to all data
    double penalty = 0;       // R_x of that fit, unweighted
    double dissimilarity = 0; // median over the other repetitions of the point; 0 for a single one
    Index iterations = 0;
};

// What the fits of a point found, and what they warned of, each line with the point's name.
struct PointOutcome {
    std::vector<SelectRow> rows;
    std::set<std::string> warnings;
};

// The rows of points `first`, `first + step`, ... but those that `skip` says are known; `done` is
// called after each point. Masks depend on (seed, repetition) only, starts on
// (seed, K, L, repetition).
[[nodiscard]] ASSAY_API std::vector<SelectRow>
select(const Data& data, const Mask& excluded, const SelectOptions& options, Index first,
       Index step, const Execution& run, const std::function<bool(Index point)>& skip = {},
       const std::function<void(Index point, const PointOutcome&)>& done = {});

// Mean and standard error of one point.
struct SelectSummary {
    SelectPoint point;
    double train = 0, train_sem = 0, test = 0, test_sem = 0, full = 0, penalty = 0,
           dissimilarity = 0;
};
[[nodiscard]] ASSAY_API std::vector<SelectSummary> summarize(const std::vector<SelectRow>& rows);
// The point of least mean test loss, and the one with the fewest components within one standard
// error of it; nothing where no test loss was measured.
struct Suggestion {
    std::size_t least = 0, smallest = 0;
};
[[nodiscard]] ASSAY_API std::optional<Suggestion>
suggest(const std::vector<SelectSummary>& summaries);

// (P - P_sync) / (P - P_noise): 1 for sequences, 0 for synchrony (Mackevicius et al. 2019). P: best
// power over starts; noise: every unit's bins permuted on their own; sync: all by the same
// permutation, the first L bins kept. Powers are found in turn, that of the data, then of noise and
// sync of each shuffle; those known are the state of the work.
struct Sequenciness {
    double value = 0, power = 0, noise_power = 0, sync_power = 0;
    std::vector<double> noise_powers, sync_powers;
};
[[nodiscard]] ASSAY_API Sequenciness sequenciness(const Recording& recording,
                                                  const FitOptions& options, Index shuffles,
                                                  EngineChoice choice, const Execution& run,
                                                  const Keeping<std::vector<double>>& control = {});

} // namespace assay::cnmf
