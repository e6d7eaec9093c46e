// The true length of a motif, which L only bounds: which units follow its activations at which
// lags.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/cnmf/nulls.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <vector>

namespace assay::cnmf {

struct ExtentOptions {
    Index nulls = 200; // circular shifts of H_k
    double alpha = 0.01;
    std::uint64_t seed = 0;
};

struct Extent {
    Index first_lag = 0;             // of the lags examined: -L .. 2L
    std::vector<double> correlation; // K x units x (3L + 1), normalised to [-1, 1]
    Matrix p;            // K x units: of the peak, against the null's maximum over units
                         // and lags, so that alpha bounds the chance that any unit of
                         // a component is taken in by mistake
    Matrix participates; // K x units: 1 where p <= alpha
    std::vector<std::int64_t> first,
        last; // first and last participating lag of each component; 0, -1 where none
};

// Cross-correlation of each unit with H_k inside segments; the null is the same after circular
// shifts of H_k over the recording by at least 3L + 1 bins, maximum over units and lags (Westfall
// and Young 1993). One data product a null (a draw for all components). Throws Error where the
// recording is too short for that, or as Data does.
[[nodiscard]] ASSAY_API Extent extent(const Recording& recording, const Model& model,
                                      const ExtentOptions& options, EngineChoice choice,
                                      const Execution& run, const NullControl& control = {});

} // namespace assay::cnmf
