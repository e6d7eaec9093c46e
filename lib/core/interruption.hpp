// Turns SIGINT, SIGTERM and SIGUSR1 (a scheduler's warning) into a flag that long work reads at
// safe points.
#pragma once

#include <assay/core/export.hpp>

namespace assay {

// While it lives the three signals only set the flag; a second SIGINT kills the program as usual.
class ASSAY_API InterruptionGuard {
  public:
    InterruptionGuard();
    ~InterruptionGuard();
    InterruptionGuard(const InterruptionGuard&) = delete;
    InterruptionGuard& operator=(const InterruptionGuard&) = delete;

    [[nodiscard]] static bool requested();
};

} // namespace assay
