// Instances of known truth over a grid of noise variances and of any parameters of the model,
// decomposed by several algorithms beside what theory says of them: who succeeds where, and how
// well. A setting is a point of the grid with a noise variance; the noise runs fastest.
#pragma once

#include <assay/tensor_amp/fit.hpp>
#include <assay/tensor_amp/parameter_grid.hpp>
#include <assay/tensor_amp/state_evolution.hpp>
#include <assay/tensor_amp/synthetic.hpp>

#include <assay/core/keeping.hpp>

#include <string>
#include <vector>

namespace assay::tensor_amp {

// "amp:prior-mean", "amp:spectral", "amp:random", "amp:informed", "vb:...", each perhaps with ":K"
// for the best of K starts; "als:K", "hals:K" with K random starts.
struct SweepAlgorithm {
    std::string text;
    Algorithm algorithm = Algorithm::amp;
    Start start = Start::spectral;
    Index restarts = 1;
};
// Throws UsageError for what is none.
[[nodiscard]] ASSAY_API SweepAlgorithm parse_sweep_algorithm(const std::string& text);

struct SweepSettings {
    SyntheticSettings model;         // shape, rank, priors; the noise comes from the grid
    std::vector<std::string> priors; // text of each mode
    ModelGrid grid;                  // where it has axes, shape and priors are those of its points
    VectorXd noise_variances;
    std::vector<SweepAlgorithm> algorithms;
    Index instances = 20;
    FitSettings fit;                    // noise and priors are known to the Bayesian algorithms
    Storage storage = Storage::float64; // of the tensors while they are fitted
    bool with_theory = true;
    // Similarity to the truth above which an instance counts as solved.
    double success = 0.3;
    // This part of all (setting, instance) pairs, dealt out in turn.
    Index part = 0, parts = 1;

    [[nodiscard]] Index count() const { return grid.points() * noise_variances.size(); }
    // The model of a setting, lengths rounded to whole numbers. Throws Error where one is none.
    [[nodiscard]] ASSAY_API SyntheticSettings model_of(Index setting) const;
};

struct SweepRow {
    Index setting = 0;
    Index instance = 0;
    Index algorithm = 0; // place in the list
    std::string status;
    Index iterations = 0;
    VectorXd mse; // of each mode, aligned with the truth
    // Of each mode with the truth, summed over components: tr M_a; empty where an older file has
    // none.
    VectorXd overlap;
    double signal_error = 0, similarity = 0, evidence = 0;
    double cpu_seconds = 0;
};

// Of the instances of one setting and algorithm.
struct SweepSummary {
    double success = 0; // share of instances
    double signal_error = 0, signal_error_sem = 0, median_signal_error = 0;
    double similarity = 0, iterations = 0;
    VectorXd overlap, overlap_sem; // of each mode
};

// The two fixed points that matter: from the prior means and from the truth.
struct SweepTheory {
    double signal_error_uninformed = 0, signal_error_informed = 0;
    VectorXd mse_uninformed, mse_informed; // of each mode
    double free_entropy_uninformed = 0, free_entropy_informed = 0;
};

struct Sweep {
    ParameterAxes axes;
    VectorXd noise_variances;
    std::vector<std::string> algorithms;
    Index instances = 0;
    Index part = 0, parts = 1;
    Shape shape;
    Index rank = 0;
    std::vector<std::string> priors;
    double success = 0.3;
    std::uint64_t seed = 0;
    std::string options;             // in words: what else parts must have in common
    std::vector<SweepRow> rows;      // by setting, instance, algorithm
    std::vector<SweepTheory> theory; // by setting; empty without

    [[nodiscard]] Index settings() const { return point_count(axes) * noise_variances.size(); }
    // The modes of a setting's tensors, and the most of all.
    [[nodiscard]] Index order(Index setting) const {
        return order_at(axes, setting / noise_variances.size(), static_cast<Index>(shape.size()));
    }
    [[nodiscard]] Index modes() const {
        return largest_order(axes, static_cast<Index>(shape.size()));
    }

    // Not where a shard of an older version, which has none, is among what was merged.
    [[nodiscard]] ASSAY_API bool has_overlaps() const;
    [[nodiscard]] ASSAY_API SweepSummary summary(Index setting, Index algorithm) const;
};

// What of a sweep is done.
struct SweepState {
    std::vector<SweepTheory> theory; // of the first settings
    bool theory_done = false;
    std::vector<SweepRow> rows;
    FitState fit;           // the one at work
    double fit_seconds = 0; // of the processor, spent on it
};

// One tensor at a time; all algorithms see the same one. Throws Error, before the first, where a
// point of the grid is no model. The rows of a part are those of the whole.
// Every sweep of every fit is kept.
[[nodiscard]] ASSAY_API Sweep run_sweep(const SweepSettings& settings, const Execution& run,
                                        const Keeping<SweepState>& keeping = {});

// Throws Error where a part is missing or there twice, or parts differ in their settings.
[[nodiscard]] ASSAY_API Sweep merge_sweeps(std::vector<Sweep> parts);

} // namespace assay::tensor_amp
