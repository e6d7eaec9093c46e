// Linear against nonlinear frequency over a family of constant inputs (Maheswaranathan et al.
// 2019b, figure 3): the leading complex pair of an input's point, the cycle that the network runs
// on, and what the task asks for.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/cycles.hpp>
#include <assay/fixedpoints/points.hpp>

#include <cstdint>
#include <vector>

namespace assay::fixedpoints {

// One row an input; NaN where there is none. Frequencies in radians per unit of time.
struct Frequencies {
    std::vector<std::int32_t> point; // whose pair leads; -1: no complex pair
    Vector modulus;                  // of that pair
    Vector linear;                   // arg lambda / dt
    Vector cycle;                    // median over the starts that run on a cycle
    Vector target;
};

// The pair of largest modulus over an input's exact points (slow ones where there is no exact one).
// `systems`: one a point; `start_input`: the input of each row of `runs`; `target`: of each input.
// Throws Error for lengths that do not fit.
[[nodiscard]] ASSAY_API Frequencies compare_frequencies(
    const Points& points, const std::vector<EigenSystem>& systems, const LongRun& runs,
    const std::vector<std::int32_t>& start_input, const Vector& target, double dt);

// What a task asks for: `frequency` of each known input (rows), looked up for `inputs` within 1e-6;
// NaN where an input is unknown.
[[nodiscard]] ASSAY_API Vector target_frequencies(const RowMatrix& inputs, const RowMatrix& known,
                                                  const Vector& frequency);

struct Agreement {
    Index inputs = 0; // where both are known
    double correlation = 0;
    double largest_error = 0; // relative to b
};
// Of two columns, where both are finite; NaN for fewer than two (correlation) or no input.
[[nodiscard]] ASSAY_API Agreement agreement(const Vector& a, const Vector& b);

} // namespace assay::fixedpoints
