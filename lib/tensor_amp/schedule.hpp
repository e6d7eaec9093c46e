// The order in which message passing, and the theory of it, replace the beliefs about the modes.
#pragma once

namespace assay::tensor_amp {

// In turn, each from the newest means of the others; or all at once from the last sweep's.
enum class Schedule { sequential, parallel };

} // namespace assay::tensor_amp
