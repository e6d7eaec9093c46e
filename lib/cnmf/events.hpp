// When motifs occur: peaks of the activations, and how they compare with known events.
#pragma once

#include <assay/cnmf/model.hpp>
#include <assay/core/export.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay::cnmf {

struct EventRule {
    std::optional<double> threshold; // absolute; otherwise mean + deviations * sd of the component
    double deviations = 3;
    Index refractory = 1; // peaks closer than this to a higher one of the component are not events
};

// Ordered by bin, then component.
struct Events {
    std::vector<std::int64_t> component, bin;
    std::vector<double> amplitude;
    Vector threshold; // of each component
};

// A peak is above the threshold, higher than the bin before and no lower than the one after, within
// its segment; taken from the highest down (ties: the earlier).
[[nodiscard]] ASSAY_API Events find_events(const Matrix& activations,
                                           const std::vector<Index>& segment_start,
                                           const EventRule& rule);

// Events found against true ones of matched components, each used once, nearest first within
// `tolerance` bins after the component's median offset (a motif may stand anywhere in its window).
struct EventScore {
    double precision = 0, recall = 0;
    double jitter = 0;                // sd of the remaining difference, bins
    std::vector<std::int64_t> offset; // of each found component
};
[[nodiscard]] ASSAY_API EventScore score_events(const Events& found, const Events& truth,
                                                const std::vector<std::int64_t>& match,
                                                Index tolerance);

} // namespace assay::cnmf
