// The spectral start of AMP and least squares: eigenvectors of the unfoldings, least squares from
// many random starts on the small core, expansion, and some sweeps of least squares on the data.
// Single random starts of least squares succeed far less often, and AMP from an unpolished start
// can collapse.
#pragma once

#include <assay/tensor_amp/als.hpp>
#include <assay/tensor_amp/tensor_source.hpp>
#include <assay/tensor_amp/tucker_core.hpp>

#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay::tensor_amp {

struct SpectralSettings {
    Index rank = 1;
    Index core_starts = 30;
    int polish_sweeps = 20;
    std::uint64_t seed = 0;
    std::vector<Index> nonnegative_modes; // stay so while polished
};

struct SpectralStart {
    Factors factors; // in model units, balanced, signs and order matched to the priors' means
    std::optional<double> relative_error; // |Y - W| / |Y| after polishing; none without
    double squared_norm = 0;              // |Y|^2 over observed entries; 0 without polishing
};

// How far a start is made.
struct SpectralProgress {
    std::optional<TuckerCore> tucker;
    AlsProgress core;                  // of the core's components
    std::optional<Factors> unpolished; // then `tucker` is no longer there
    AlsProgress polish;
};

// `prior_means`: the mean of a row of each mode, r numbers; none (an empty list) counts as zero.
// Slices that were not observed come out as 0.
[[nodiscard]] ASSAY_API SpectralStart spectral_start(const TensorSource& source,
                                                     const SpectralSettings& settings,
                                                     const std::vector<VectorXd>& prior_means,
                                                     const Execution& run,
                                                     const Keeping<SpectralProgress>& keeping = {});

// Orders components and flips pairs of their signs (the product of all modes stays), so that the
// sum over modes and columns of <column sum, mean> is largest. Nothing changes where all means are
// zero.
ASSAY_API void match_means(Factors& factors, const std::vector<VectorXd>& prior_means);

} // namespace assay::tensor_amp
