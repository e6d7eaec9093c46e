// The search for exact fixed points of a recurrent network under a constant input:
// Levenberg-Marquardt or Newton on the reduced residual R(v) - v (or on the full one, F(h) - h),
// early merging with points already found, expansion from midpoints, certificates, outliers, and
// the index that tells whether points are missing.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/fixedpoints/distinct.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/points.hpp>

#include <functional>
#include <vector>

namespace assay::fixedpoints {

enum class Solver { lm, newton };
enum class Residual { reduced, full };
enum class SpeedNorm { mean, half }; // |g|^2 / S, or |g|^2 / 2
enum class Expansion { midpoints, none };

struct SearchOptions {
    Solver solver = Solver::lm;
    Residual residual = Residual::reduced;
    SpeedNorm norm = SpeedNorm::half; // of q of points and starts
    Index max_iterations = 100;
    double tolerance_residual = 1e-11; // times 1 + |h|, of F
    double tolerance_reduced = 1e-11;  // the same of R
    // What does not rest is an artefact, too, where |F - h| is less than this share of |R - h|: it
    // seems slow because gates are shut. 0: such ends keep their status.
    double shut_gates = 0;
    int polish_steps = 4; // undamped Newton steps on what the solver ends with
    double lambda = 1e-2; // first damping
    // A start takes a step with the inverse Jacobian of the nearest certified root where that
    // promises to leave less than this share of its distance from it. Up to 0.1, starts reach the
    // roots that they reach without (0). At 0.8 three in ten go elsewhere, but only a third of the
    // factorisations is left, and in trained networks more roots are found: near one that is not
    // known yet the residual and so the step are small, and no start is led away.
    double chord_share = 0.1;
    Expansion expansion = Expansion::midpoints;
    Index expand_rounds = 3;
    Index expand_max = 2000; // midpoints a round
    DistinctOptions distinct;
    bool certify = true;
};

// What became of every start (rows of the given starts).
struct StartRecord {
    std::vector<StartStatus> status;
    std::vector<std::int32_t> iterations;
    std::vector<std::int32_t> point; // row of Points; -1: none
    Vector q_final;                  // of the residual that was solved for
};

enum class Completeness { yes, no, unknown };

struct SearchResult {
    Points points; // input_id 0
    StartRecord starts;
    std::vector<Index> rounds;      // points known after each round
    std::vector<Index> round_index; // and the sum of their indices
    Index index_sum = 0;            // of sign det(I - J)
    Completeness complete = Completeness::unknown;
    double mean_iterations = 0;
    Index artefacts = 0; // F rests (or seems to, see shut_gates), R does not
};

// `starts` are full states (B x state size), x is 1 x inputs. Points come sorted. The result does
// not depend on run.threads: starts are solved in waves of fixed size, each against the points that
// stood before its wave. Cost: about 3 N^3 a start and iteration.
[[nodiscard]] ASSAY_API SearchResult search_exact(const Dynamics& dynamics, const RowMatrix& x,
                                                  const RowMatrix& starts,
                                                  const SearchOptions& options,
                                                  const Execution& run);

// Where another solver ends: B x state size, and what became of every start.
struct Ends {
    RowMatrix states;
    std::vector<StartStatus> status;
    Index iterations = 0; // of all starts together
};
using Descent = std::function<Ends(const RowMatrix& starts)>;

// The points to which another solver descends, with the same tests, merging, expansion and
// certificates; midpoints descend in the space of options.residual.
[[nodiscard]] ASSAY_API SearchResult collect_points(const Dynamics& dynamics, const RowMatrix& x,
                                                    const RowMatrix& starts, const Descent& descend,
                                                    const SearchOptions& options,
                                                    const Execution& run);

// q of a residual g (one row a point).
[[nodiscard]] ASSAY_API Vector speed(const RowMatrix& residual, SpeedNorm norm);

// Order of rows: by input, number of unstable dimensions, state rounded to 1e-6.
[[nodiscard]] ASSAY_API std::vector<Index> canonical_order(const Points& points);

} // namespace assay::fixedpoints
