// Small arithmetic that formulas of several modules are written with.
#pragma once

namespace assay {

[[nodiscard]] inline double squared(double x) {
    return x * x;
}

} // namespace assay
