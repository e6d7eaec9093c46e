// How many components a tensor has, by four criteria: the evidence of Bayesian fits, prediction of
// entries that were held out, core consistency, and agreement of restarts.
#pragma once

#include <assay/tensor_amp/fit.hpp>
#include <assay/tensor_amp/tensor.hpp>
#include <assay/tensor_amp/tensor_source.hpp>

#include <assay/core/keeping.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

enum class HoldOut { speckled, block };

// What is asked for, and which of it chooses: "evidence", "cv", "corcondia" or "similarity".
struct RankCriteria {
    bool evidence = true, cross_validation = false, core_consistency = false, similarity = false;
    std::string chosen_by = "evidence";
};

struct RankChoiceSettings : RankCriteria {
    std::vector<Index> ranks;
    FitSettings fit;                 // of AMP; rank and priors are set for each rank by `priors`
    std::vector<std::string> priors; // text of each mode
    int folds = 5;
    double held_out = 0.1; // share of the observed entries in each fold
    HoldOut hold_out = HoldOut::speckled;
    Index block_mode = 0; // runs of consecutive indices of this mode are held out together
    Index restarts = 4;
    // This part of the ranks, dealt out in turn.
    Index part = 0, parts = 1;
};

// What the criteria say of one rank; nothing of those that were not asked for.
struct RankScore {
    double evidence = 0, cv_error = 0, cv_sem = 0, core_consistency = 0, similarity = 0;
    std::string status;
};
using RankScores = std::map<Index, RankScore>;

// One entry a rank; criteria that were not asked for are empty.
struct RankChoice {
    RankCriteria criteria;
    std::vector<Index> ranks;
    // Log evidence per N over that of noise alone, both with their best noise variance. It falls
    // beyond the true rank where components share their prior's variance; with a variance of its
    // own each spare component can vanish, and the evidence is flat.
    VectorXd evidence;
    // Squared error on held-out entries over their squares, mean and standard error over folds.
    VectorXd cv_error, cv_sem;
    VectorXd core_consistency;       // of the least-squares fit, NaN where the core is too large
    VectorXd similarity;             // mean over restarts of least squares to the best of them
    std::vector<std::string> status; // of the evidence's fits

    double mean_dimension = 1; // N
    Index part = 0, parts = 1;
    std::string data; // digest of options and tensor, which parts have in common
    // The rank each criterion chooses: the smallest whose evidence is within 3 nats of the largest;
    // the smallest whose error is within a standard error of the least; the largest whose core
    // consistency is above 60; the largest whose similarity is above 0.9. 0 where it was not asked.
    [[nodiscard]] ASSAY_API Index by_evidence() const;
    [[nodiscard]] ASSAY_API Index by_cross_validation() const;
    [[nodiscard]] ASSAY_API Index by_core_consistency() const;
    [[nodiscard]] ASSAY_API Index by_similarity() const;
    [[nodiscard]] ASSAY_API Index selected() const; // by `criteria.chosen_by`
};

// How far a choice has come.
struct RankProgress {
    RankScores scores; // of ranks that are finished
    // Of the rank at work:
    std::optional<RankScore> by_evidence;
    std::vector<double> fold_errors;
    FitState fit; // the one at work
};

// The ranks of the part asked for. Every sweep of every fit is kept.
[[nodiscard]] ASSAY_API RankChoice choose_rank(const TensorSource& source,
                                               const RankChoiceSettings& settings,
                                               const Execution& run,
                                               const Keeping<RankProgress>& keeping = {});

// The choice among the ranks of all parts. Throws Error where one is missing or there twice, or
// where they have other criteria.
[[nodiscard]] ASSAY_API RankChoice merge_rank_choices(const std::vector<RankChoice>& parts);

// Whether fold `fold` holds an entry out, if it was observed.
[[nodiscard]] ASSAY_API TensorSource::Hidden
held_out_entries(const Shape& shape, const RankChoiceSettings& settings, int fold);

} // namespace assay::tensor_amp
