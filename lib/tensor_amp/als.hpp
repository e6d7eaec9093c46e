// CP decomposition by alternating least squares (Kolda, Bader 2009, SIAM Review 51:455): one mode
// after the other solves its normal equations, X_a (o_{b != a} G_b + ridge I) = MTTKRP_a, where G_b
// are the Gram matrices of the others' unit columns; nonnegative modes by hierarchical alternating
// least squares; entries that are missing by the exact normal equations of each row. The baseline
// of AMP and what polishes its start. The residual is never formed:
//     |Y - W|^2 = |Y|^2 - 2 <Y, W> + |W|^2, both from the last mode's equations.
#pragma once

#include <assay/tensor_amp/tensor_source.hpp>
#include <assay/tensor_amp/unit_form.hpp>

#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace assay::tensor_amp {

struct AlsSettings {
    Index rank = 1;
    int max_iterations = 500;
    double tolerance = 1e-8; // of the change of the relative error in a sweep; 0: never stop early
    // Minimised is |Y - W|^2 + ridge sum_rho weight_rho^2.
    double ridge = 0;
    bool line_search = true; // every fifth sweep
    std::vector<Index> nonnegative_modes;
    std::vector<Index> fixed_modes; // kept as they start; a start must be given
    // Rows without an observed entry become 0 (else they are an error).
    bool allow_empty_slices = false;
};

// A start for every replicate, in model units: normal numbers (their absolute values in nonnegative
// modes) that depend on seed and replicate alone.
[[nodiscard]] ASSAY_API Factors random_start(const Shape& shape, const AlsSettings& settings,
                                             std::uint64_t seed, Index replicate);
[[nodiscard]] ASSAY_API std::vector<Factors> random_starts(const Shape& shape,
                                                           const AlsSettings& settings,
                                                           std::uint64_t seed, Index replicates);

enum class AlsStatus { converged, max_iterations, diverged };
[[nodiscard]] ASSAY_API std::string status_name(AlsStatus status); // "max-iter"

struct AlsReplicate {
    Factors factors;                    // in model units, balanced; fixed modes as they started
    double relative_error = 1;          // |Y - W| / |Y| over observed entries; 0 where Y is 0
    double objective = 1;               // (|Y - W|^2 + ridge sum weight^2) / |Y|^2
    double similarity = 1;              // to the best; 1 = the same components
    std::vector<double> relative_trace; // relative_error after each sweep
    AlsStatus status = AlsStatus::max_iterations;
    [[nodiscard]] int iterations() const { return static_cast<int>(relative_trace.size()); }
};

struct AlsResult {
    std::vector<AlsReplicate> replicates; // one a start
    std::size_t best = 0;                 // the least objective
    double squared_norm = 0;              // |Y|^2 over observed entries
    int sweeps = 0;                       // made here, of those that advance together
    [[nodiscard]] const AlsReplicate& best_replicate() const { return replicates[best]; }
};

// All of a replicate that its next sweep depends on.
struct AlsIterate {
    UnitForm now, before; // before: a sweep ago, for the line search
    std::vector<MatrixXd> grams;
    double objective = 0; // of `now`, from the second sweep on
    AlsReplicate result;  // its factors at the end alone
    bool running = true;
};
// Where a fit stands between two sweeps.
struct AlsProgress {
    std::vector<AlsReplicate> done;
    std::vector<AlsIterate> running; // those that advance together; empty: not yet begun
    int sweeps = 0;                  // of these
};

// All replicates advance together, as columns of one product with the tensor; those that have
// converged are left out. (Where entries are missing, one after the other.) Each is the same as if
// it were alone. Two passes a sweep, and one more in a sweep whose line search was rejected.
// Throws Error where a slice has no observed entry, where a start has not the shape and rank, and
// where all modes are fixed.
[[nodiscard]] ASSAY_API AlsResult run_als(const TensorSource& source,
                                          const std::vector<Factors>& starts,
                                          const AlsSettings& settings, const Execution& run,
                                          const Keeping<AlsProgress>& keeping = {});

// Mean over matched components of prod_a |cos| of their columns; components matched so that it is
// largest (Hungarian). Both of the same shape; columns of norm 0 count 0. Where the ranks differ
// the mean is over the greater.
[[nodiscard]] ASSAY_API double component_similarity(const Factors& a, const Factors& b);

} // namespace assay::tensor_amp
