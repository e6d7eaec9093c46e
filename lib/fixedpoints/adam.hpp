// The established way to find fixed points, for comparison: Adam on the mean speed of all starts at
// once, on the full map. It finds stable and slow places; gated cells drive it far out, where gates
// are shut and nothing rests, which is why the reduced residual exists.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/search.hpp>

namespace assay::fixedpoints {

struct AdamOptions {
    Index max_iterations = 5000;
    double learning_rate = 0.02;
    Index patience = 2; // iterations without a gain of the mean speed before the rate falls
    double rate_factor = 0.95;
    double tolerance_q = 1e-12;
    double tolerance_change = 1e-20; // of q, times the learning rate
    bool single = false;             // float32 arithmetic; stacks run in double
};

struct AdamResult {
    RowMatrix states; // ends of all starts
    Vector q;         // their speed, |g|^2 / 2
    std::vector<StartStatus> status;
    Index iterations = 0;
};

// Minimises mean q over starts by Adam (0.9, 0.999, 1e-8). A start has converged when q <
// tolerance_q or its change < tolerance_change times the rate. O(iterations) batched products.
[[nodiscard]] ASSAY_API AdamResult search_adam(const Dynamics& dynamics, const RowMatrix& x,
                                               const RowMatrix& starts, const AdamOptions& options,
                                               const Execution& run);

} // namespace assay::fixedpoints
