// How many components a tensor has, by four criteria: the evidence of Bayesian fits, prediction of
// entries that were held out, core consistency, and agreement of restarts.
#pragma once

#include <assay/tensor_amp/fit.hpp>
#include <assay/tensor_amp/tensor.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

enum class HoldOut { speckled, block };

struct RankChoiceSettings {
    std::vector<Index> ranks;
    bool evidence = true, cross_validation = false, core_consistency = false, similarity = false;
    FitSettings fit;                 // of AMP; rank and priors are set for each rank by `priors`
    std::vector<std::string> priors; // text of each mode
    int folds = 5;
    double held_out = 0.1; // share of the observed entries in each fold
    HoldOut hold_out = HoldOut::speckled;
    Index block_mode = 0; // runs of consecutive indices of this mode are held out together
    Index restarts = 4;
    Storage storage = Storage::float64;
};

// One entry a rank; criteria that were not asked for are empty.
struct RankChoice {
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
    // The rank each criterion chooses: the smallest whose evidence is within 3 nats of the largest;
    // the smallest whose error is within a standard error of the least; the largest whose core
    // consistency is above 60; the largest whose similarity is above 0.9. 0 where it was not asked.
    [[nodiscard]] ASSAY_API Index by_evidence() const;
    [[nodiscard]] ASSAY_API Index by_cross_validation() const;
    [[nodiscard]] ASSAY_API Index by_core_consistency() const;
    [[nodiscard]] ASSAY_API Index by_similarity() const;
};

[[nodiscard]] ASSAY_API RankChoice choose_rank(const DenseTensor& tensor,
                                               const RankChoiceSettings& settings,
                                               const Execution& run);

// Which entries fold `fold` holds out: 1 = held out. Only observed entries are.
[[nodiscard]] ASSAY_API std::vector<std::uint8_t>
held_out_entries(const DenseTensor& tensor, const RankChoiceSettings& settings, int fold);

} // namespace assay::tensor_amp
