// Long-run motion under a constant input: does a network rest, return, wind around a limit cycle,
// or wander? With period, nonlinear frequency, amplitude, rotation, Lyapunov spectrum (Benettin,
// Galgani, Giorgilli, Strelcyn 1980: QR of the tangents every step) and Floquet multipliers.
#pragma once

#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/linearise.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace assay::fixedpoints {

// fixed: |F(h) - h| < 1e-8 at the end. periodic: returns within 1e-8 (1 + |h|) after a whole number
// of steps, twice. chaotic: the first exponent above 3 of its standard errors and above 1 / steps,
// what the run can resolve. quasi_periodic: recurrent otherwise, as a limit cycle sampled every dt.
// unresolved: fewer than three upward crossings of the section, such as a slow drift.
enum class Motion : std::uint8_t { fixed, periodic, quasi_periodic, chaotic, diverged, unresolved };

struct CycleOptions {
    Index transient = 1000; // steps before anything is measured
    Index steps = 10000;    // measured
    Index exponents = 4;    // of the Lyapunov spectrum; at most the state size
    Index blocks = 20;      // of steps, for standard errors
    // Which output is the section; the first principal component of the states where there is none.
    std::optional<Index> output;
};

// One row a start. Numbers without a meaning for a motion (the frequency of a point) are NaN.
struct LongRun {
    std::vector<Motion> motion;
    Vector speed;     // |F(h) - h| at the end
    Vector period;    // in steps: whole of a periodic motion, else between upward crossings
    Vector frequency; // omega, radians per unit of time
    Vector amplitude; // sqrt(2) standard deviations of the section
    Vector rotation;  // |mean angle| per step in the plane of the first two components
    // Standard errors: of the crossings' intervals as if they were independent (regular motion is
    // known better), and of the blocks' mean angles.
    Vector frequency_error, rotation_error;
    RowMatrix lyapunov; // B x exponents, per step, falling; -infinity where a direction vanishes
    RowMatrix lyapunov_error;    // block standard errors
    RowMatrix floquet_exponents; // exponents times period
    // Leading multipliers: eigenvalues of the product of the Jacobians around a periodic orbit;
    // else exp of the Floquet exponents.
    ComplexMatrix floquet_multipliers;
    RowMatrix mean, state; // time average; last state
};

// Runs `starts` (B x state size) under inputs x (B rows or one). Cost: (transient + steps) batched
// steps of B (1 + 2 exponents) rows; memory: steps x state size doubles a start, in blocks of
// starts of at most 64 MB (or one start). Throws Error for options below 1 (transient below 0),
// more blocks than steps, outputs that do not exist, shapes that do not fit.
[[nodiscard]] ASSAY_API LongRun run_long(const Dynamics& dynamics, const RowMatrix& x,
                                         const RowMatrix& starts, const CycleOptions& options,
                                         const Execution& run);

// omega of a signal sampled every dt, by its upward zero crossings about its mean, linearly
// interpolated: 2 pi (n - 1) / (t_n - t_1). NaN for fewer than three crossings.
[[nodiscard]] ASSAY_API double crossing_frequency(const Vector& signal, double dt);

} // namespace assay::fixedpoints
