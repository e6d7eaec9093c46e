// State evolution over a list of noise variances and starts, matched or mismatched, with the
// thresholds that mark them at rank 1.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/tensor_amp/phase_study.hpp>
#include <assay/tensor_amp/state_evolution.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::tensor_amp {

// Where state evolution starts: at the prior's means, at the truth, or at given overlaps: a share
// of E x x^T of every mode, or all of them.
struct EvolutionStart {
    enum class Kind { prior_mean, informed, share, given };
    Kind kind = Kind::prior_mean;
    std::string name = "prior-mean"; // for the reader of a result
    double share = 0;
    Overlaps given;
};

struct EvolutionSettings {
    ModelDescription model;
    VectorXd noise_var;
    std::vector<EvolutionStart> starts;
    Schedule schedule = Schedule::sequential;
    Index max_iterations = 2000;
    double tolerance = 1e-12;
    // What the algorithm assumes instead of the truth; empty: nothing.
    std::optional<double> assumed_noise;
    std::vector<std::string> assumed_priors; // one a mode
    std::optional<Index> assumed_rank;

    [[nodiscard]] bool mismatched() const {
        return assumed_noise || !assumed_priors.empty() || assumed_rank;
    }
};

struct EvolutionStudy {
    EvolutionSettings settings;
    std::vector<StateEvolution> runs; // noise by noise, start by start
    // Matched, at rank 1.
    std::optional<Thresholds> thresholds;
};

// Throws Error for noise that is not positive, no start, starts of the wrong shape (mismatched runs
// take the prior's means and the truth), and what the state evolution refuses.
[[nodiscard]] ASSAY_API EvolutionStudy run_evolution_study(const EvolutionSettings& settings,
                                                           const Execution& run);

} // namespace assay::tensor_amp
