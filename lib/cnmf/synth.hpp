// Recordings with known motifs. Noise is counter-based, so blocks can be made in any order and are
// never all in memory.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace assay::cnmf {

struct SynthOptions {
    Index units = 250, bins = 10000, components = 5, lags = 20, segments = 1;
    std::uint64_t seed = 0;
    bool noise_free = false;
    bool counts = false; // Poisson counts of the rate
    double noise = 0.1;
    // paper (Degleris et al. 2019)
    double alpha = 0.1;      // Dirichlet concentration of a unit's weights over components
    double event_rate = 0.1; // probability of an activation per bin and component
    double width = 0.2;      // sd of a unit's bump on a window from -1 to 1
    // sequences (after Mackevicius et al. 2019)
    Index chain = 8;            // units of a sequence
    Index shared = 0;           // units that every sequence has in common, first in its chain
    Index gap = 2;              // bins from one unit to the next
    double participation = 0.9; // probability that a unit joins an event
    double jitter = 0;          // sd, bins
    double background = 0.01;   // probability of a spike beside sequences, per bin and unit
    double tau = 2;             // exponential filter, bins; 0: none
    double warp = 0;            // events run at speeds from 1 - warp to 1 + warp
    double rest = 1;            // mean pause between events, in lengths of an event
};

struct Synthetic {
    std::unique_ptr<Recording> recording;
    Model truth;
    std::vector<std::int64_t> unit_component; // -1: in no sequence, or (paper) the largest weight
    std::vector<std::int64_t> event_bin, event_component; // sequences
};

// X = max(0, conv(W, H) + noise normal); W bumps weighted by Dirichlet(alpha), H exponential with
// probability event_rate.
[[nodiscard]] ASSAY_API Synthetic synth_paper(const SynthOptions& options);
// K chains of units that fire one after another; events never overlap. Throws UsageError where
// units do not suffice.
[[nodiscard]] ASSAY_API Synthetic synth_sequences(const SynthOptions& options);

} // namespace assay::cnmf
