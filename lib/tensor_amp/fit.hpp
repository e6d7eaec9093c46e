// A whole fit: a start, the algorithm, its replicates, the best of them, and what there is to say
// about it.
#pragma once

#include <assay/tensor_amp/als.hpp>
#include <assay/tensor_amp/amp.hpp>
#include <assay/tensor_amp/fit_result.hpp>
#include <assay/tensor_amp/spectral_start.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>

#include <assay/core/keeping.hpp>

#include <cstdint>
#include <optional>

namespace assay::tensor_amp {

enum class Algorithm { amp, vb, als, hals };
enum class Start { prior_mean, random, spectral, informed, given };

struct FitSettings {
    Algorithm algorithm = Algorithm::amp;
    Index rank = 1;
    std::vector<PriorPointer> priors; // one a mode; AMP and variational Bayes
    // Of each mode, whether learning begins with the prior as it is; else, and where this is empty,
    // with the scales of a start that comes from the data.
    std::vector<bool> priors_given;
    std::optional<double> noise_variance; // empty: from the residual of least squares at the start
    AmpSettings amp;
    // Empty: exact where slices differ in what was observed, or the signal counts beside the noise.
    std::optional<MissingForm> missing;
    std::optional<Index> noise_mode; // slices of this mode have noise of their own
    VectorXd noise_of_slices;        // of that mode, at the start; empty: all alike
    Start start = Start::spectral;
    double start_noise = 0.1; // of an informed start
    int polish = 20;          // sweeps of least squares after the spectral start
    Factors given;            // a start, or for an informed one the truth
    // Starts; the first spectral one, if asked for, is followed by polished random ones. Empty: 10
    // for least squares, 5 where entries are missing unevenly (a fit may be right where there are
    // data and wrong elsewhere), else 1.
    std::optional<Index> restarts;
    AlsSettings als;             // rank and the limit of sweeps are set from the above
    double als_tolerance = 1e-8; // of the change of the relative error
    // All modes have one factor, whose prior is that of mode 0 (symmetric_amp.hpp); AMP alone.
    bool symmetric = false;
    std::uint64_t seed = 0;
    bool keep_fields = false;
    Factors truth; // for overlaps after every sweep; empty: none
};

// All of an unfinished fit: enough to go on to the same bits.
struct FitState {
    std::optional<double> noise_variance; // of the residual at the start, where none is given
    std::vector<Factors> starts;          // as far as they are made
    SpectralProgress start;               // the one that is being made
    std::vector<AmpIterate> amp;          // of all restarts; empty: not yet begun
    std::vector<std::vector<MatrixXd>> truth_overlap, self_overlap; // of the first, by sweep
    AlsProgress als;
    std::vector<SymmetricRun> symmetric_done; // one restart after the other
    std::optional<SymmetricIterate> symmetric;
};

// Components in canonical order. Throws Error for settings that do not fit the tensor: a rank below
// 1 or above the product of the other dimensions of some mode, priors of other ranks, starts of
// another shape.
[[nodiscard]] ASSAY_API FitResult fit_tensor(const TensorSource& source,
                                             const FitSettings& settings, const Execution& run,
                                             const Keeping<FitState>& keeping = {});

} // namespace assay::tensor_amp
