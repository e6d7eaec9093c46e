// Metaparameter studies: which settings to try, and what the results say. Points depend only on the
// space, the seed and the number of the trial, never on how many are made or in which order.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::training {

enum class DimensionKind { log_uniform, uniform, choice, integer };

struct SearchDimension {
    std::string path; // key of the configuration: "optimizer.learning_rate"
    DimensionKind kind = DimensionKind::uniform;
    double low = 0, high = 0;         // both included; not of a choice
    std::vector<std::string> choices; // JSON texts
};

using SearchSpace = std::vector<SearchDimension>; // ascending by path

// One value a dimension, in its own units; of a choice the index.
using TrialPoint = std::vector<double>;

// {"optimizer.learning_rate": {"log-uniform": [1e-4, 1]}, "batch_size": {"int": [8, 64]},
//  "rule.input": {"choice": ["normal", "layer"]}, "optimizer.momentum": {"uniform": [0, 0.99]}}
// Throws UsageError naming the path, what was found and what is expected.
[[nodiscard]] ASSAY_API SearchSpace parse_search_space(const std::string& json);

// A dimension's value as JSON text, for the configuration of a trial.
[[nodiscard]] ASSAY_API std::string value_json(const SearchDimension& dimension, double value);

// Where a value stands on the axis on which its dimension is uniform: its logarithm (log_uniform),
// itself (others). The axis of an integer reaches half a unit beyond low and high, that of a choice
// from -0.5 to choices - 0.5.
[[nodiscard]] ASSAY_API double axis_position(const SearchDimension& dimension, double value);
struct AxisRange {
    double low = 0, high = 0;
};
[[nodiscard]] ASSAY_API AxisRange axis_range(const SearchDimension& dimension);
// The nearest value to a position on the axis.
[[nodiscard]] ASSAY_API double value_at(const SearchDimension& dimension, double position);

// ---- samplers; trials are numbered from 1 -----------------------------------------------------

// Independent draws; adding a dimension changes no other's.
[[nodiscard]] ASSAY_API TrialPoint random_trial(const SearchSpace& space, std::uint64_t seed,
                                                std::uint64_t trial);
// Point trial - 1 of the Sobol sequence (core/sobol.hpp): no random numbers. Throws UsageError for
// more dimensions than the sequence has.
[[nodiscard]] ASSAY_API TrialPoint sobol_trial(const SearchSpace& space, std::uint64_t trial);
// All combinations, the last dimension fastest: every choice, and m equally spaced positions from
// low to high of each other dimension (of an integer at most its values; the middle where m = 1),
// with the largest m that gives at most `most` trials. Throws UsageError where m = 1 gives more.
[[nodiscard]] ASSAY_API std::vector<TrialPoint> grid_trials(const SearchSpace& space, Index most);

// ---- results ----------------------------------------------------------------------------------

// Fraction of trials whose score (higher is better) is at most `margin` below the best. Scores that
// are not finite (diverged) count as trials; 0 where none is finite.
[[nodiscard]] ASSAY_API double robustness(const std::vector<double>& scores, double margin);

// What scores do along one dimension, whatever the others are: per bin of its axis, over finite
// scores.
struct MarginalCurve {
    std::string path;
    std::vector<double> centre; // value at the middle of the bin
    std::vector<Index> count;
    std::vector<double> mean, best; // NaN where count is 0
};
// `bins` equal parts of the axis; a choice, or an integer of at most `bins` values, has one bin a
// value. points and scores: one a trial.
[[nodiscard]] ASSAY_API std::vector<MarginalCurve>
marginal_curves(const SearchSpace& space, const std::vector<TrialPoint>& points,
                const std::vector<double>& scores, Index bins);

} // namespace assay::training
