// `fixedpoints find`: exact and slow points under one or several constant inputs, in one result.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/adam.hpp>
#include <assay/fixedpoints/search.hpp>
#include <assay/fixedpoints/slow.hpp>

#include <map>
#include <vector>

namespace assay::fixedpoints {

enum class FindMode { exact, slow, both };
enum class Method { lm, newton, adam };

struct FindOptions {
    FindMode mode = FindMode::both;
    Method method = Method::lm;
    SearchOptions exact; // its solver is that of `method`
    SlowOptions slow;
    AdamOptions adam;
};

struct FindResult {
    Points points;    // of all inputs, sorted
    RowMatrix inputs; // K x inputs: the searched ones
    // Of the exact search (of the slow one in mode slow), inputs one after another; `point` is a
    // row of `points`.
    StartRecord starts;
    std::vector<std::int32_t> start_input;
    // Summed over inputs: points known after each round, and the sum of their indices.
    std::vector<Index> rounds, round_index;
    std::vector<Index> index_sum; // of each input
    std::vector<Completeness> complete;
    double mean_iterations = 0;
    double best_slow_q = 0; // of all slow ends; infinity where none was looked for

    [[nodiscard]] ASSAY_API std::map<StartStatus, Index> status_counts() const;
    // Over all inputs: no if it is so for one, unknown if for one.
    [[nodiscard]] ASSAY_API Completeness completeness() const;
};

// `inputs` are K x inputs, `starts` B x state size, the same for every input. Slow points within
// distinct.tolerance of exact ones are dropped. All q are in options.exact.norm and slow.norm,
// which should agree. Throws Error for arrays of wrong shape.
[[nodiscard]] ASSAY_API FindResult find_points(const Dynamics& dynamics, const RowMatrix& inputs,
                                               const RowMatrix& starts, const FindOptions& options,
                                               const Execution& run);

// Distance of every point to the nearest of some states (both with state-size columns).
[[nodiscard]] ASSAY_API Vector nearest_distance(const RowMatrix& points, const RowMatrix& states);

} // namespace assay::fixedpoints
