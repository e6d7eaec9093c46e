// Turns SIGINT, SIGTERM and SIGUSR1 (a scheduler's warning) into a flag that long work reads at
// safe points.
#pragma once

#include <assay/core/export.hpp>

namespace assay {

// While it lives the first of the three signals only sets the flag, and so do those of the second
// after it (`timeout` sends two); a later one kills as usual.
class ASSAY_API InterruptionGuard {
  public:
    InterruptionGuard();
    ~InterruptionGuard();
    InterruptionGuard(const InterruptionGuard&) = delete;
    InterruptionGuard& operator=(const InterruptionGuard&) = delete;

    [[nodiscard]] static bool requested();
};

} // namespace assay
